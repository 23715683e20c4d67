"""Draw one herbarium sheet, with the truth about every leaf on it."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from leafid.demo.arrangement import Arrangement, PlacedLeaf, Rect, arrange
from leafid.demo.damage import fold, insect_holes, tear
from leafid.demo.furniture import (
    Desk,
    Furniture,
    lay_barcode,
    lay_colour_chart,
    lay_label,
    lay_pocket,
    lay_ruler,
    press_stamp,
)
from leafid.demo.gatherings import SheetSpec
from leafid.demo.leaf import DrawnLeaf, Image8, draw_leaf, fill, leaf_look, taper
from leafid.demo.outline import Points
from leafid.demo.paper import bare_sheet, photographed
from leafid.demo.traits import LeafTraits, PlantLook, sample_leaf

_MOST_LEAVES = 8

STEM = 255
"""Value of twig and petioles in `DrawnSheet.leaves`."""


@dataclass(frozen=True)
class SheetLeaf:
    """A leaf on a sheet. `leaf` is the patch as drawn; `offset` its upper left corner (column, row) on the sheet."""

    number: int
    """Value of the blade in `DrawnSheet.leaves`, from 1."""
    leaf: DrawnLeaf
    offset: tuple[int, int]
    petiole_px: Points
    visible_fraction: float
    """Share of the intact, unfolded blade that is visible on the sheet."""
    overlapped: bool
    """Whether another leaf, a stalk or a strap hides more than a hundredth of the blade, damage apart."""

    @property
    def midrib_px(self) -> Points:
        """[N, 2] midrib of the intact, unfolded leaf on the sheet, from base to apex."""
        return np.asarray(self.leaf.midrib_px + np.array(self.offset))

    @property
    def outline_px(self) -> Points:
        """[N, 2] outline of the intact, unfolded blade on the sheet."""
        return np.asarray(self.leaf.frame.to_px(self.leaf.blade.polygon()) + np.array(self.offset))


@dataclass(frozen=True)
class DrawnSheet:
    """A sheet [H, W] and its truth; pixel coordinates are (column, row)."""

    spec: SheetSpec
    image: Image8
    """[H, W, 3] RGB."""
    leaves: Image8
    """[H, W] 0 no plant, 1..n the visible blades, `STEM` twig and petioles."""
    veins: Image8
    """[H, W] visible veins, values of `Vein`."""
    furniture: Image8
    """[H, W] visible non-plant objects, values of `Furniture`."""
    drawn: tuple[SheetLeaf, ...]

    @property
    def plant(self) -> npt.NDArray[np.bool_]:
        """[H, W] True on the visible plant."""
        return self.leaves > 0


def draw_sheet(spec: SheetSpec) -> DrawnSheet:
    """Draw a sheet. The same `spec` always gives the same arrays."""
    rng = spec.rng()
    herbarium, gathering = spec.herbarium, spec.gathering
    desk = Desk(bare_sheet(herbarium, spec.px_per_mm, rng), spec.px_per_mm)
    lay_ruler(desk, herbarium, rng)
    lay_colour_chart(desk, herbarium, rng)
    lay_pocket(desk, herbarium, rng)
    corner = (herbarium.label[0] + rng.normal(0, 3), herbarium.label[1] + rng.normal(0, 3))
    date = f"{gathering.date.day} {gathering.date:%b} {gathering.date.year}"
    lay_label(desk, herbarium, corner, [spec.taxon, f"{gathering.collector}  {gathering.number}", date], rng)
    lay_barcode(desk, herbarium, spec.catalog_number, rng)
    press_stamp(desk, herbarium, rng)
    left, top, width, height = herbarium.sheet
    occupied: list[Rect] = [(*corner, *herbarium.label_size)]
    leaves = _leaves_that_fit([sample_leaf(gathering.plant, rng) for _ in range(_MOST_LEAVES)], width * height, rng)
    layout = arrange(leaves, (left + 5, top + 5, width - 10, height - 10), occupied, rng)
    masks = np.zeros((2, *desk.mask.shape), np.uint8)
    drawn = _lay_plant(desk, layout, gathering.plant.look, masks, rng)
    _strap_down(desk, layout, masks, rng)
    desk.mask[masks[0] > 0] = 0
    counts = np.bincount(masks[0].ravel(), minlength=256)
    return DrawnSheet(
        spec=spec,
        image=photographed(desk.image, rng),
        leaves=masks[0],
        veins=masks[1],
        furniture=desk.mask,
        drawn=tuple(_with_visible_share(leaf, int(counts[leaf.number])) for leaf in drawn),
    )


def _with_visible_share(placed: SheetLeaf, visible_px: int) -> SheetLeaf:
    """Replace the area of the intact blade, kept in `visible_fraction` until now, by the visible share."""
    whole_px = placed.visible_fraction
    hidden = 1 - visible_px / max(int(placed.leaf.mask.sum()), 1)
    return replace(placed, visible_fraction=min(visible_px / whole_px, 1.0), overlapped=hidden > 0.01)


def _leaves_that_fit(leaves: list[LeafTraits], area: float, rng: np.random.Generator) -> list[LeafTraits]:
    """Keep as many leaves as a collector would press on a sheet of this area in mm2: 3 to 8, more if they are small."""
    covered = np.cumsum([0.75 * leaf.length_mm * leaf.width_mm for leaf in leaves]) / area
    most = int(np.searchsorted(covered, 0.4))
    least = int(np.searchsorted(covered, 0.2))
    count = int(np.clip(rng.integers(3, _MOST_LEAVES + 1), least, most))
    return leaves[: max(count, 3)]


def _lay_plant(
    desk: Desk, layout: Arrangement, look: PlantLook, masks: Image8, rng: np.random.Generator
) -> list[SheetLeaf]:
    """Draw the leaves in random order, with the twig in between. `visible_fraction` is the whole area for now."""
    order = rng.permutation(len(layout.leaves))
    twig_after = int(rng.integers(0, len(order) + 1))
    drawn = []
    for turn, i in enumerate(order):
        if turn == twig_after:
            _lay_twig(desk, layout, look, masks, rng)
        drawn.append(_lay_leaf(desk, layout.leaves[i], int(i) + 1, look, masks, rng))
    if twig_after == len(order):
        _lay_twig(desk, layout, look, masks, rng)
    return sorted(drawn, key=lambda leaf: leaf.number)


def _lay_leaf(
    desk: Desk, place: PlacedLeaf, number: int, look: PlantLook, masks: Image8, rng: np.random.Generator
) -> SheetLeaf:
    own = leaf_look(look, rng)
    leaf = draw_leaf(
        place.traits,
        own,
        rng,
        px_per_mm=desk.px_per_mm,
        face="abaxial" if rng.random() < 0.3 else "adaxial",
        direction_deg=place.direction_deg,
    )
    whole_area = float(leaf.mask.sum())
    if rng.random() < 0.35:
        leaf = insect_holes(leaf, rng, int(rng.integers(1, 6)))
    damage = rng.random()
    if damage < 0.10:
        leaf = tear(leaf, rng)
    elif damage < 0.20:
        leaf = fold(leaf, rng)
    petiole = place.petiole * desk.px_per_mm
    offset_column, offset_row = np.round(petiole[-1] - leaf.frame.base_px).astype(int).tolist()
    _lay_stalk(desk, petiole, (1.9, 1.5), look, masks, rng)
    _composite(desk, leaf.image, leaf.coverage, leaf.veins, (offset_column, offset_row), number, masks)
    return SheetLeaf(number, leaf, (offset_column, offset_row), petiole, whole_area, overlapped=False)


def _lay_twig(desk: Desk, layout: Arrangement, look: PlantLook, masks: Image8, rng: np.random.Generator) -> None:
    line = layout.twig * desk.px_per_mm
    thick = float(rng.uniform(3.0, 4.5))
    _lay_stalk(desk, line, (thick + 0.5, 2.2), look, masks, rng)
    # Swollen nodes, and the terminal bud.
    nodes = {tuple(np.round(leaf.petiole[0], 3)): leaf.petiole[0] for leaf in layout.leaves}
    for node in nodes.values():
        at = int(np.argmin(np.hypot(*(layout.twig - node).T)))
        direction = layout.twig[min(at + 1, len(layout.twig) - 1)] - layout.twig[max(at - 1, 0)]
        direction /= max(float(np.hypot(direction[0], direction[1])), 1e-6)
        swelling = node + np.outer([-1.6, 0.0, 1.6], direction)
        _lay_stalk(desk, swelling * desk.px_per_mm, (thick + 1.2, thick + 0.6), look, masks, rng)
    tip = layout.twig[-1]
    heading = tip - layout.twig[-3]
    heading /= max(float(np.hypot(heading[0], heading[1])), 1e-6)
    bud = np.stack([tip + heading * step for step in (-1.0, 2.0, 5.0, 9.0)]) * desk.px_per_mm
    _lay_stalk(desk, bud, (3.6, 0.6), look, masks, rng)


def _lay_stalk(
    desk: Desk,
    line: Points,
    widths_mm: tuple[float, float],
    look: PlantLook,
    masks: Image8,
    rng: np.random.Generator,
) -> None:
    """Draw a stalk along a line in pixels, lighter in the middle, because it is round."""
    start, end = (width * desk.px_per_mm for width in widths_mm)
    polygon = taper(line, start, end)
    low = np.floor(polygon.min(axis=0)).astype(int) - 3
    width, height = (int(side) for side in np.ceil(polygon.max(axis=0)) - low + 4)
    coverage = np.zeros((height, width), np.uint8)
    fill(coverage, polygon - low, 255)
    core = np.zeros((height, width), np.uint8)
    fill(core, taper(line, 0.4 * start, 0.4 * end) - low, 255)
    core = np.asarray(cv2.GaussianBlur(core, (0, 0), max(0.25 * start, 0.4)), dtype=np.uint8)
    light = 0.8 + 0.45 * (core / 255)[..., None] + 0.05 * rng.standard_normal((height, width, 1))
    image = np.clip(np.array(look.twig) * 255 * light, 0, 255).astype(np.uint8)
    _composite(desk, image, coverage, np.zeros_like(coverage), (int(low[0]), int(low[1])), STEM, masks)


def _composite(
    desk: Desk, image: Image8, coverage: Image8, veins: Image8, offset: tuple[int, int], value: int, masks: Image8
) -> None:
    """Paste a patch with a soft shadow on the sheet; parts outside the image are cut off."""
    height, width = desk.mask.shape
    column, row = offset
    top, left = max(row, 0), max(column, 0)
    bottom, right = min(row + coverage.shape[0], height), min(column + coverage.shape[1], width)
    if top >= bottom or left >= right:
        return
    inner = np.s_[top - row : bottom - row, left - column : right - column]
    outer = np.s_[top:bottom, left:right]
    alpha = coverage[inner]
    moved = max(round(0.35 * desk.px_per_mm), 1)
    shadow = cv2.GaussianBlur(coverage, (0, 0), max(0.45 * desk.px_per_mm, 0.5))
    shadow = np.roll(shadow, (moved, moved), axis=(0, 1))[inner]
    ground = desk.image[outer]
    dark = cv2.merge([255 - (shadow * 0.38).astype(np.uint8)] * 3)
    ground = np.asarray(cv2.multiply(ground, dark, scale=1 / 255), dtype=np.uint8)
    opaque = cv2.merge([alpha] * 3)
    desk.image[outer] = cv2.add(
        cv2.multiply(image[inner], opaque, scale=1 / 255), cv2.multiply(ground, 255 - opaque, scale=1 / 255)
    )
    seen = alpha >= 128
    masks[0][outer][seen] = value
    masks[1][outer][seen] = veins[inner][seen]


def _strap_down(desk: Desk, layout: Arrangement, masks: Image8, rng: np.random.Generator) -> None:
    """Draw strips of linen tape across the twig and some petioles."""
    lines = [layout.twig, *(leaf.petiole for leaf in layout.leaves if rng.random() < 0.35)]
    for line in lines:
        at = int(rng.uniform(0.15, 0.6) * (len(line) - 2))
        along = line[at + 1] - line[at]
        along = along / max(float(np.hypot(along[0], along[1])), 1e-6)
        across = np.array([-along[1], along[0]])
        half = rng.uniform(5, 9)
        corners = [line[at] + a * across * half + b * along * 1.3 for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
        polygon = np.stack(corners) * desk.px_per_mm
        _darken(desk, polygon + 0.25 * desk.px_per_mm)
        fill(desk.image, polygon, (236.0, 233.0, 224.0))
        covered = np.zeros(desk.mask.shape, np.uint8)
        fill(covered, polygon, 255)
        taped = covered >= 128
        desk.mask[taped] = Furniture.STRAP
        masks[0][taped] = 0
        masks[1][taped] = 0


def _darken(desk: Desk, polygon: Points) -> None:
    """Draw the thin shadow of a flat object."""
    low = np.clip(np.floor(polygon.min(axis=0)).astype(int) - 1, 0, None)
    high = np.ceil(polygon.max(axis=0)).astype(int) + 2
    area = desk.image[low[1] : high[1], low[0] : high[0]]
    shadow = np.zeros(area.shape[:2], np.uint8)
    fill(shadow, polygon - low, 255)
    area[:] = (area * (1 - 0.3 * shadow[..., None] / 255)).astype(np.uint8)
