"""Find crops on a plant mask: the whole plant, single leaves, and tiles of fixed size.

The search works on the reduced image. Cutting (`crop_cutting`) reads the original, and only inside the boxes found.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.crops.crop_plan import MARGIN, CropKind, CropPlan, CropQuality
from leafid.sheets.crops.leaf_orientation import Orientation, orient_leaf
from leafid.sheets.crops.leaf_separation import LeafRegion, separate_leaves
from leafid.sheets.plants import PlantMask

MIN_TILE_COVER = 0.15  # share of plant that a further tile needs
MIN_RELATIVE_COVER = 0.8  # share of plant in a tile, relative to the fullest remaining tile
MIN_LEAF_SIDE = 24  # pixels of the original; smaller leaves show no detail


def find_crops(
    image: NDArray[np.uint8],
    plant: PlantMask,
    *,
    leaves: int = 6,
    tiles: int | None = None,
    tile_side: int = 448,
    whole_plant: bool = True,
) -> list[CropPlan]:
    """Plan crops: the whole plant first, then the best leaves, then tiles.

    Args:
        image: uint8 RGB (h, w, 3), the reduced image or the original; it is used for sharpness only.
        plant: The plant mask; its `size` is that of the original.
        leaves: Maximum number of leaves, best first.
        tiles: Number of tiles; by default one for each missing leaf, so that overlapping leaves are shown too.
        tile_side: Side of a tile in pixels of the original.
        whole_plant: Start with the whole plant.

    Returns:
        Plans in that order; empty without a plant.
    """
    if not plant.reduced.any():
        return []
    height, width = plant.reduced.shape
    grey = cv2.cvtColor(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    detail = np.abs(cv2.Laplacian(grey, cv2.CV_32F, ksize=1))
    search = _CropSearch(plant, np.asarray(detail, dtype=np.float32), plant.size[0] / width)
    found = search.leaves(leaves)
    wanted_tiles = leaves - len(found) if tiles is None else tiles
    first = [search.whole_plant()] if whole_plant else []
    return first + found + search.tiles(wanted_tiles, tile_side)


@dataclass(frozen=True)
class _CropSearch:
    plant: PlantMask
    detail: NDArray[np.float32]
    scale: float  # pixels of the original per pixel of the mask

    def whole_plant(self) -> CropPlan:
        mask = self.plant.reduced
        x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
        margin = round(MARGIN / 2 * max(w, h))
        return self._unrotated_plan(CropKind.PLANT, x - margin, y - margin, w + 2 * margin, h + 2 * margin)

    def leaves(self, count: int) -> list[CropPlan]:
        if count < 1:
            return []  # separating leaves takes as long as finding the plant
        regions = [
            (self._leaf_quality(region), region)
            for region in separate_leaves(self.plant.reduced)
            if np.sqrt(region.area) * self.scale >= MIN_LEAF_SIDE
        ]
        regions.sort(key=lambda ranked: -ranked[0].score)
        return [self._leaf(region, quality) for quality, region in regions[:count]]

    def _leaf_quality(self, region: LeafRegion) -> CropQuality:
        return CropQuality(
            size=float(np.sqrt(region.area)) * self.scale,
            completeness=region.completeness,
            solidity=region.solidity,
            fill_ratio=region.fill_ratio,
            sharpness=self._sharpness(region.window, region.shape),
        )

    def _leaf(self, region: LeafRegion, quality: CropQuality) -> CropPlan:
        x, y, w, h = region.window
        margin = round(MARGIN * max(w, h)) + 2
        window = self._clip(x - margin, y - margin, w + 2 * margin, h + 2 * margin)
        shape = _copy_to_window(region.shape, region.window, window)
        return self._plan(CropKind.LEAF, window, shape, self._plant_in(window) & ~shape, quality, orient_leaf(region))

    def tiles(self, count: int, side: int) -> list[CropPlan]:
        """Plan squares of `side` original pixels, spread over the plant, that overlap by at most half a side.

        The first tile contains most plant. Each further tile is the one farthest from all previous tiles among those
        that contain nearly as much plant as the fullest remaining one. Without this rule the tiles of a dense plant
        would all lie in one corner.
        """
        height, width = self.plant.reduced.shape
        small = min(round(side / self.scale), height, width)
        if count < 1 or small < 4:
            return []
        cover = cv2.integral(self.plant.reduced.astype(np.uint8))
        filled = (
            cover[small:, small:] - cover[:-small, small:] - cover[small:, :-small] + cover[:-small, :-small]
        ).astype(np.float32) / (small * small)
        plans: list[CropPlan] = []
        rows, columns = (axis.astype(np.float32) for axis in np.ogrid[: filled.shape[0], : filled.shape[1]])
        distance = np.zeros(filled.shape, np.float32)
        while len(plans) < count:
            fullest = float(filled.max())
            if fullest < (MIN_TILE_COVER if plans else 0):
                break
            chosen = np.where(filled >= MIN_RELATIVE_COVER * fullest, distance, -1) if plans else filled
            y, x = (int(value) for value in np.unravel_index(int(chosen.argmax()), filled.shape))
            plans.append(self._unrotated_plan(CropKind.TILE, x, y, small, small))
            half = max(1, small // 2)
            filled[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1] = -1
            here = (rows - y) ** 2 + (columns - x) ** 2  # squared distance is enough for comparing
            distance = here if len(plans) == 1 else np.minimum(distance, here)
        return plans

    def _unrotated_plan(self, kind: CropKind, x: int, y: int, width: int, height: int) -> CropPlan:
        window = self._clip(x, y, width, height)
        shape = self._plant_in(window)
        quality = CropQuality(
            size=float(np.sqrt(shape.sum())) * self.scale,
            completeness=float(shape.mean()),
            solidity=1.0,
            fill_ratio=1.0,
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
        )

    def _clip(self, x: int, y: int, width: int, height: int) -> tuple[int, int, int, int]:
        bottom, right = self.plant.reduced.shape
        x0, y0 = max(0, x), max(0, y)
        return x0, y0, min(right, x + width) - x0, min(bottom, y + height) - y0

    def _plant_in(self, window: tuple[int, int, int, int]) -> NDArray[np.bool_]:
        x, y, w, h = window
        return self.plant.reduced[y : y + h, x : x + w]

    def _sharpness(self, window: tuple[int, int, int, int], shape: NDArray[np.bool_]) -> float:
        x, y, w, h = window
        inner = cv2.erode(shape.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        values = self.detail[y : y + h, x : x + w][inner]
        return float(np.median(values)) if values.size else 0.0


def _copy_to_window(
    shape: NDArray[np.bool_], inner: tuple[int, int, int, int], outer: tuple[int, int, int, int]
) -> NDArray[np.bool_]:
    """Copy a shape from its window into a larger window of the same mask."""
    copied = np.zeros((outer[3], outer[2]), np.bool_)
    x, y = inner[0] - outer[0], inner[1] - outer[1]
    copied[y : y + inner[3], x : x + inner[2]] = shape
    return copied
