"""From a plant mask to the pieces a network looks at: whole plant, single leaves, and tiles of fixed size.

Finding works on the reduced image; cutting reads the original, and only inside the boxes that were found. So one decode of a large
sheet serves all its crops, and a crop keeps where it came from.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_orientation import Orientation, orient_leaf
from leafid.sheets.leaf_separation import separate_leaves
from leafid.sheets.plant_mask import PlantMask

Background = Literal["plain", "kept"]

PLAIN = (255, 255, 255)  # RGB of a background taken away
MARGIN = 0.06  # of the longer side of a leaf, on each side
SHORTEST_LEAF = 24  # pixels of the original; smaller leaves show nothing


class CropKind(StrEnum):
    """What a crop shows."""

    WHOLE = "whole plant"
    LEAF = "leaf"
    TILE = "tile"


@dataclass(frozen=True)
class CropQuality:
    """Why a crop was ranked where it is.

    Attributes:
        size: Square root of the plant's area in the crop, pixels of the original.
        wholeness: Share of the outline that is the leaf's own, 0..1; for tiles and whole plants the share covered by plant.
        solidity: Share of its convex hull the leaf fills, 0..1; 1 for tiles and whole plants.
        fullness: Share of plant inside the outline, holes counted, 0..1; 1 for tiles and whole plants.
        sharpness: Median absolute second difference of lightness over the plant in 0..255 levels, at the size of the search image.
    """

    size: float
    wholeness: float
    solidity: float
    fullness: float
    sharpness: float

    @property
    def score(self) -> float:
        """One number to rank by: size, times wholeness, solidity and fullness squared, times the root of sharpness."""
        shape = self.wholeness * self.solidity * self.fullness
        return float(self.size * shape**2 * np.sqrt(0.5 + self.sharpness))


@dataclass(frozen=True)
class CropPlan:
    """A crop that was found and not yet cut.

    Attributes:
        kind: What it shows.
        box: Left, top, right, bottom in pixels of the original, right and bottom exclusive, before turning.
        angle: Degrees to turn counter-clockwise; 0 for tiles, whole plants, and leaves whose axis is not clear.
        apex_clear: The apex is known to point up after turning.
        axis_clear: The midrib is known to be upright after turning.
        shape: The plant inside the box at the resolution of the search, bool (h, w).
        others: Plant that belongs to other leaves, bool (h, w).
        quality: What it was ranked by.
        px_per_mm: Scale of the original where known.
    """

    kind: CropKind
    box: tuple[int, int, int, int]
    angle: float
    axis_clear: bool
    apex_clear: bool
    shape: NDArray[np.bool_]
    others: NDArray[np.bool_]
    quality: CropQuality
    px_per_mm: float | None


@dataclass(frozen=True)
class LeafCrop:
    """A crop cut from the original, not enlarged; reduced only where `cut_crop` was told a longest side.

    Attributes:
        pixels: uint8 RGB (h, w, 3), apex up where `plan.apex_clear`.
        mask: True on the leaf (on the plant for tiles and whole plants), bool (h, w).
        plan: Where it came from, its angle, scale and quality.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    plan: CropPlan


def find_crops(
    image: NDArray[np.uint8],
    plant: PlantMask,
    *,
    leaves: int = 6,
    tiles: int | None = None,
    tile_side: int = 448,
    whole: bool = True,
    px_per_mm: float | None = None,
) -> list[CropPlan]:
    """Say which crops to cut: the whole plant first, then the best leaves, then tiles.

    Args:
        image: uint8 RGB (h, w, 3), the reduced image or the original; only sharpness is read from it.
        plant: The plant's mask; its `size` is that of the original.
        leaves: Most leaves to return, best first.
        tiles: Number of tiles; by default as many as leaves are missing, so that overlapping leaves are seen too.
        tile_side: Side of a tile in pixels of the original.
        whole: Start with the whole plant.
        px_per_mm: Scale of the original where known; it is handed on.

    Returns:
        Plans in that order; empty where there is no plant.
    """
    if not plant.reduced.any():
        return []
    height, width = plant.reduced.shape
    grey = cv2.cvtColor(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    detail = np.abs(cv2.Laplacian(grey, cv2.CV_32F, ksize=1))
    search = _Search(plant, np.asarray(detail, dtype=np.float32), plant.size[0] / width, px_per_mm)
    found = search.leaves()[:leaves]
    wanted_tiles = leaves - len(found) if tiles is None else tiles
    first = [search.whole()] if whole else []
    return first + found + search.tiles(wanted_tiles, tile_side)


def cut_crop(
    original: NDArray[np.uint8], plan: CropPlan, *, background: Background = "plain", longest: int | None = None
) -> LeafCrop:
    """Cut one planned crop out of the original.

    Args:
        original: uint8 RGB (H, W, 3) of the size the plan was made for.
        plan: As from `find_crops`.
        background: `plain` paints everything but the leaf (for tiles and whole plants: but the plant) white; `kept`
            leaves it.
        longest: Reduce the box to at most this long side before anything else, which saves most of the time where the
            network sees a large crop small; tiles are never reduced.

    Returns:
        The crop; leaves are turned, and cut close to their outline with a margin.
    """
    left, top, right, bottom = plan.box
    pixels = original[top:bottom, left:right]
    scale = longest / max(pixels.shape[:2]) if longest is not None and plan.kind is not CropKind.TILE else 1.0
    if scale < 1:
        pixels = np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    mask = _refine(pixels, plan.shape, plan.others)
    if background == "plain":
        pixels = pixels.copy()
        pixels[~mask] = PLAIN
    if plan.kind is not CropKind.LEAF:
        return LeafCrop(np.ascontiguousarray(pixels), mask, plan)
    turned, turned_mask = _turn(np.ascontiguousarray(pixels), mask, plan.angle)
    return LeafCrop(*_close_cut(turned, turned_mask), plan)


def leaf_crops(
    image: NDArray[np.uint8],
    plant: PlantMask,
    *,
    leaves: int = 6,
    tiles: int | None = None,
    tile_side: int = 448,
    whole: bool = True,
    px_per_mm: float | None = None,
    background: Background = "plain",
    longest: int | None = None,
) -> list[LeafCrop]:
    """Find and cut in one call, for an image that is in memory at full size; arguments as in `find_crops` and `cut_crop`."""
    plans = find_crops(image, plant, leaves=leaves, tiles=tiles, tile_side=tile_side, whole=whole, px_per_mm=px_per_mm)
    return [cut_crop(image, plan, background=background, longest=longest) for plan in plans]


@dataclass(frozen=True)
class _Search:
    plant: PlantMask
    detail: NDArray[np.float32]
    scale: float  # pixels of the original per pixel of the mask
    px_per_mm: float | None

    def whole(self) -> CropPlan:
        mask = self.plant.reduced
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        margin = round(MARGIN / 2 * max(w, h))
        return self._upright(CropKind.WHOLE, x - margin, y - margin, w + 2 * margin, h + 2 * margin)

    def leaves(self) -> list[CropPlan]:
        plans = []
        for region in separate_leaves(self.plant.reduced):
            if np.sqrt(region.area) * self.scale < SHORTEST_LEAF:
                continue
            x, y, w, h = region.window
            margin = round(MARGIN * max(w, h)) + 2
            window = self._clip(x - margin, y - margin, w + 2 * margin, h + 2 * margin)
            shape = _placed(region.shape, region.window, window)
            others = self._part(window) & ~shape
            orientation = orient_leaf(region)
            quality = CropQuality(
                size=float(np.sqrt(region.area)) * self.scale,
                wholeness=region.wholeness,
                solidity=region.solidity,
                fullness=region.fullness,
                sharpness=self._sharpness(window, shape),
            )
            plans.append(self._plan(CropKind.LEAF, window, shape, others, quality, orientation))
        return sorted(plans, key=lambda plan: -plan.quality.score)

    def tiles(self, count: int, side: int) -> list[CropPlan]:
        """Squares of `side` original pixels that hold most plant, none overlapping another by more than half its side."""
        height, width = self.plant.reduced.shape
        small = min(round(side / self.scale), height, width)
        if count < 1 or small < 4:
            return []
        cover = cv2.integral(self.plant.reduced.astype(np.uint8))
        filled = (
            cover[small:, small:] - cover[:-small, small:] - cover[small:, :-small] + cover[:-small, :-small]
        ).astype(np.float32) / (small * small)
        plans: list[CropPlan] = []
        while len(plans) < count:
            y, x = (int(value) for value in np.unravel_index(int(filled.argmax()), filled.shape))
            if filled[y, x] < 0.15 and plans:
                break
            plans.append(self._upright(CropKind.TILE, x, y, small, small))
            half = max(1, small // 2)
            filled[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1] = -1
            if filled.max() < 0:
                break
        return plans

    def _upright(self, kind: CropKind, x: int, y: int, width: int, height: int) -> CropPlan:
        window = self._clip(x, y, width, height)
        shape = self._part(window)
        quality = CropQuality(
            size=float(np.sqrt(shape.sum())) * self.scale,
            wholeness=float(shape.mean()),
            solidity=1.0,
            fullness=1.0,
            sharpness=self._sharpness(window, shape),
        )
        return self._plan(kind, window, shape, np.zeros_like(shape), quality, Orientation(0.0, False, False))

    def _plan(
        self,
        kind: CropKind,
        window: tuple[int, int, int, int],
        shape: NDArray[np.bool_],
        others: NDArray[np.bool_],
        quality: CropQuality,
        orientation: Orientation,
    ) -> CropPlan:
        x, y, w, h = window
        right, bottom = self.plant.size
        vertical = bottom / self.plant.reduced.shape[0]
        box = (
            round(x * self.scale),
            round(y * vertical),
            min(right, round((x + w) * self.scale)),
            min(bottom, round((y + h) * vertical)),
        )
        return CropPlan(
            kind=kind,
            box=box,
            angle=orientation.angle if orientation.axis_clear else 0.0,
            axis_clear=orientation.axis_clear,
            apex_clear=orientation.apex_clear,
            shape=shape,
            others=others,
            quality=quality,
            px_per_mm=self.px_per_mm,
        )

    def _clip(self, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int]:
        bottom, right = self.plant.reduced.shape
        x0, y0 = max(0, x), max(0, y)
        return x0, y0, min(right, x + width) - x0, min(bottom, y + height) - y0

    def _part(self, window: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        x, y, w, h = window
        return self.plant.reduced[y : y + h, x : x + w]

    def _sharpness(self, window: tuple[int, int, int, int], shape: NDArray[np.bool_]) -> float:
        x, y, w, h = window
        inner = cv2.erode(shape.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        values = self.detail[y : y + h, x : x + w][inner]
        return float(np.median(values)) if values.size else 0.0


def _placed(
    shape: NDArray[np.bool_], inner: tuple[int, int, int, int], outer: tuple[int, int, int, int]
) -> NDArray[np.bool_]:
    """Copy a shape known in one window into a larger window of the same mask."""
    placed = np.zeros((outer[3], outer[2]), np.bool_)
    x, y = inner[0] - outer[0], inner[1] - outer[1]
    placed[y : y + inner[3], x : x + inner[2]] = shape
    return placed


def _refine(
    pixels: NDArray[np.uint8], shape: NDArray[np.bool_], others: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Bring a mask from the search's resolution to the original's, so that teeth and tips follow the leaf's real edge.

    Near the enlarged outline each pixel goes to the nearer of two mean colours, that of the plant and that of the background;
    elsewhere the enlarged mask stands. A cut against another leaf stays as it is.
    """
    height, width = pixels.shape[:2]
    enlarged = cv2.resize(shape.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
    factor = width / shape.shape[1]
    if factor < 1.5:
        return np.asarray(enlarged)
    band = 2 * round(1.5 * factor) + 1
    plant = shape | others
    whole = (cv2.resize(plant.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5).astype(np.uint8)
    kernel = np.ones((band, band), np.uint8)
    inside, outside = cv2.erode(whole, kernel) > 0, cv2.dilate(whole, kernel) == 0
    inside &= enlarged
    if inside.sum() < 50 or outside.sum() < 50:
        return np.asarray(enlarged)
    near = cv2.dilate(enlarged.astype(np.uint8), kernel) > 0
    undecided = near & ~inside & ~outside
    if others.any():
        foreign = cv2.resize(others.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        undecided &= cv2.dilate(foreign.astype(np.uint8), kernel) == 0
    colours = pixels[undecided].astype(np.float32)
    mean_inside, mean_outside = pixels[inside].mean(axis=0), pixels[outside].mean(axis=0)
    to_plant = ((colours - mean_inside) ** 2).sum(axis=1) < ((colours - mean_outside) ** 2).sum(axis=1)
    refined = enlarged.copy()
    refined[undecided] = to_plant
    return np.asarray(refined)


def _turn(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_], angle: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Turn counter-clockwise by `angle` degrees on a canvas that holds all of it; new corners repeat the edge."""
    if angle == 0:
        return pixels, mask
    height, width = mask.shape
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    new_width, new_height = round(height * sine + width * cosine), round(height * cosine + width * sine)
    matrix[0, 2] += (new_width - width) / 2
    matrix[1, 2] += (new_height - height) / 2
    size = (new_width, new_height)
    turned = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    turned_mask = cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, size, flags=cv2.INTER_LINEAR) > 127
    return np.asarray(turned, dtype=np.uint8), np.asarray(turned_mask)


def _close_cut(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Cut to the mask's bounding box with the margin."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    margin = round(MARGIN * max(w, h))
    view = np.s_[max(0, y - margin) : y + h + margin, max(0, x - margin) : x + w + margin]
    return np.ascontiguousarray(pixels[view]), np.ascontiguousarray(mask[view])
