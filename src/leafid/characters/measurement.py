"""Measure one parsed leaf, from pixels to characters, and the lines that show what was measured."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leafid.characters.assessment import (
    MAX_ASYMMETRY,
    MAX_GROUND_INSIDE,
    MAX_RECTANGULARITY,
    MIN_SIMPLE,
    Evidence,
    Scale,
    end_characters,
    form_characters,
    petiole_characters,
    vein_characters,
    why_no_veins,
)
from leafid.characters.blade import MIN_SIDE, WORKING_SIDE, Blade, prepare_blade, rectangularity
from leafid.characters.extent import Extent, find_extent, mirror_overlap, vein_lean
from leafid.characters.form import measure_form
from leafid.characters.leaf_ends import LeafEnds
from leafid.characters.values import LeafCharacters, NotMeasuredReason
from leafid.characters.veins.midrib import straighten_along_ridge
from leafid.characters.veins.straightening import Points, StraightBlade, straighten
from leafid.characters.veins.two_readers import MIN_QUALITY, SideCount, both_readers
from leafid.characters.veins.vein_count import VeinCount, VeinSets, vein_sets
from leafid.characters.veins.vein_paths import VeinPath, half_blades, vein_paths
from leafid.sheets import (
    MAX_UNCLEAR_OUTLINE,
    ParsedLeaf,
    cut_upright,
    ground_inside,
    refine_mask,
    vein_scores,
)

MAX_SIDE = 900  # long side to which a leaf is reduced
_MAX_BLADE = 1.25 * WORKING_SIDE  # and to this square root of its blade's area; at working size forms are less exact
_LINE_POINTS = 40  # points of the midrib in `Lines`


@dataclass(frozen=True)
class Lines:
    """The measured lines: points (x, y) in pixels of the leaf's crop; the first pixel's centre is (0.5, 0.5).

    Attributes:
        midrib: [N, 2] from apex to base.
        left: a line [M, 2] for each secondary vein on the left, from the apex downwards.
        right: the same on the right.
        widest: [4, 2] outermost point on the left, point of the midrib opposite to it, point of the midrib opposite to
            the outermost point on the right, outermost point on the right.
        apex_angle: [3, 2] margin, apex, margin.
        base_angle: [3, 2] margin, base, margin.
    """

    midrib: Points
    left: tuple[Points, ...]
    right: tuple[Points, ...]
    widest: Points
    apex_angle: Points
    base_angle: Points


@dataclass(frozen=True)
class MeasuredLeaf:
    """The measurement of one leaf.

    Attributes:
        box: left, top, right, bottom in pixels of the original image.
        ends: base and apex in pixels of the original image.
        pixels: the leaf, apex up, uint8 RGB (H, W, 3).
        characters: the characters that are visible.
        lines: the measured lines in pixels of `pixels`; None where the leaf was not measured.
        not_measured: reason why the leaf was not measured at all.
        no_veins: reason why its veins were not counted, where the rest was measured.
        sides: what two readers say about the veins left and right, also where no number is given.
    """

    box: tuple[int, int, int, int]
    ends: LeafEnds
    pixels: NDArray[np.uint8]
    characters: LeafCharacters
    lines: Lines | None = None
    not_measured: NotMeasuredReason | None = None
    no_veins: NotMeasuredReason | None = None
    sides: tuple[SideCount, SideCount] | None = None


def measure_leaf(
    rgb: NDArray[np.uint8], leaf: ParsedLeaf, *, px_per_mm: float | None = None, px_per_original: float = 1.0
) -> MeasuredLeaf:
    """Measure one leaf that the leaf parser found.

    Args:
        rgb: uint8 RGB (H, W, 3), the picture in which it was found.
        leaf: the leaf.
        px_per_mm: scale of the original image; lengths in cm are absent without it.
        px_per_original: pixels of the picture per pixel of the original image.

    Returns:
        The visible characters, and the reasons where characters are absent.
    """
    crop = cut_upright(rgb, leaf, max_side=MAX_SIDE, max_blade=_MAX_BLADE)
    left, top, right, bottom = (round(side / px_per_original) for side in leaf.box)
    base, apex = ((float(x), float(y)) for x, y in (leaf.base / px_per_original, leaf.apex / px_per_original))
    found = MeasuredLeaf((left, top, right, bottom), LeafEnds(base, apex), crop.pixels, LeafCharacters())
    if leaf.reasons:
        return replace(found, not_measured=NotMeasuredReason[leaf.reasons[0].name])
    refined = refine_mask(crop.pixels, crop.mask, crop.midrib[0])
    mask = refined.mask
    blade = prepare_blade(crop.pixels, mask)
    if blade.side < MIN_SIDE:
        return replace(found, not_measured=NotMeasuredReason.TOO_SMALL)
    if refined.unclear > MAX_UNCLEAR_OUTLINE:
        return replace(found, not_measured=NotMeasuredReason.OUTLINE_UNCLEAR)
    if ground_inside(crop.pixels, mask) > MAX_GROUND_INSIDE or rectangularity(blade.mask) > MAX_RECTANGULARITY:
        return replace(found, not_measured=NotMeasuredReason.NOT_SIMPLE)
    straight = straighten_along_ridge(blade, straighten(blade, blade.from_crop(crop.midrib)))
    extent = find_extent(straight)
    if extent.length < MIN_SIDE / 2:
        return replace(found, not_measured=NotMeasuredReason.NO_MIDRIB)
    form = measure_form(straight, extent)
    evidence = Evidence(mirror_overlap(extent), blade.solidity)
    if form.asymmetry > MAX_ASYMMETRY:
        return replace(found, not_measured=NotMeasuredReason.FORESHORTENED)
    if evidence.simple < MIN_SIMPLE:
        return replace(found, not_measured=NotMeasuredReason.NOT_SIMPLE)
    shown_scale = straight.scale * blade.scale * crop.scale
    scores = _vein_scores(straight)
    sets = _vein_sets(scores, straight, extent)
    by_ridges, sides = sets.likeliest(), both_readers(sets, leaf)
    evidence = evidence.with_veins(by_ridges, float(sets.deviations().max()), vein_lean(scores, straight))
    no_veins = why_no_veins(evidence, by_ridges, extent.length / shown_scale)
    if no_veins is None and min(side.quality for side in sides) < MIN_QUALITY:
        no_veins = NotMeasuredReason.VEINS_UNCERTAIN
    given = None if no_veins else sets.of((sides[0].number, sides[1].number))
    scale = Scale(shown_scale * px_per_original, px_per_mm)
    characters = LeafCharacters(
        **form_characters(form, extent, scale, evidence),
        **end_characters(form, extent, evidence),
        **({} if leaf.petiole is None else petiole_characters(_length(leaf.petiole) / px_per_original, extent, scale)),
        **({} if given is None else vein_characters(given, sides, extent)),
    )
    lines = _lines_over(blade, straight, extent, given)
    return replace(found, characters=characters, lines=lines, no_veins=no_veins, sides=sides)


def _length(line: Points) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def _vein_scores(straight: StraightBlade) -> NDArray[np.float32]:
    rows = np.flatnonzero(straight.blade.any(axis=1))
    near = slice(max(0, int(rows[0]) - 16), int(rows[-1]) + 17)  # saves time: there are no veins beyond the blade
    scores = np.zeros((12, *straight.blade.shape), np.float32)
    scores[:, near] = vein_scores(straight.grey[near], straight.blade[near])
    return scores


def _vein_sets(scores: NDArray[np.float32], straight: StraightBlade, extent: Extent) -> VeinSets:
    halves = half_blades(scores, straight.blade, straight.column)
    left, right = (vein_paths(half, extent.apex, extent.base) for half in halves)
    return vein_sets(left, right, extent.length)


def _lines_over(blade: Blade, straight: StraightBlade, extent: Extent, veins: VeinCount | None) -> Lines:
    """Map what was measured on the straightened blade to the crop."""

    def to_input(points: list[tuple[float, float]] | Points) -> Points:
        return blade.to_crop(straight.to_working(np.asarray(points, np.float64)))

    def margins(row: float) -> tuple[tuple[float, float], tuple[float, float]]:
        nearest = int(np.clip(round(row), 0, len(extent.left) - 1))
        return (straight.column - extent.left[nearest], row), (straight.column + extent.right[nearest], row)

    column = float(straight.column)
    apex, base = (column, float(extent.apex)), (column, float(extent.base))
    above, below = (margins(extent.base - share * extent.length) for share in (0.75, 0.25))
    rows = np.linspace(extent.apex, extent.base, _LINE_POINTS)
    left, right = (extent.apex + int(np.argmax(half[extent.apex :])) for half in (extent.left, extent.right))
    return Lines(
        midrib=to_input(np.stack([np.full(_LINE_POINTS, column), rows], axis=1)),
        left=tuple(to_input(_across(path, straight.column, -1)) for path in veins.left) if veins else (),
        right=tuple(to_input(_across(path, straight.column, 1)) for path in veins.right) if veins else (),
        widest=to_input(
            [(column - extent.left[left], left), (column, left), (column, right), (column + extent.right[right], right)]
        ),
        apex_angle=to_input([above[0], apex, above[1]]),
        base_angle=to_input([below[0], base, below[1]]),
    )


def _across(path: VeinPath, column: int, side: int) -> Points:
    """Return the points of a path as columns and rows of the whole straightened blade."""
    return np.stack([column + side * path.points[:, 0], path.points[:, 1]], axis=1)
