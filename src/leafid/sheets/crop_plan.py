"""What a crop is: found on the reduced image, cut from the original, never without the place it came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leafid.jobs import Preprocessing

Background = Literal["plain", "kept"]

MARGIN = 0.06  # of the longer side of a leaf, on each side


class CropKind(StrEnum):
    """What a crop or view shows."""

    IMAGE = "image"
    PLANT = "plant"
    LEAF = "leaf"
    TILE = "tile"
    VEINS = "veins"

    @property
    def is_overview(self) -> bool:
        """Whether all of the plant is in the view, and not a part of it."""
        return self in (CropKind.IMAGE, CropKind.PLANT)


def view_side(kind: CropKind, preprocessing: Preprocessing) -> int:
    """Return the side of the square in which the network sees a view of this kind."""
    return (kind.is_overview and preprocessing.overview_size) or preprocessing.size


@dataclass(frozen=True)
class CropQuality:
    """Why a crop was ranked where it is.

    Attributes:
        size: Square root of the plant's area in the crop, pixels of the original.
        completeness: Share of the outline that is the leaf's own, 0..1; for tiles and whole plants the share covered by
            plant.
        solidity: Share of its convex hull the leaf fills, 0..1; 1 for tiles and whole plants.
        fill_ratio: Share of plant inside the outline, holes counted, 0..1; 1 for tiles and whole plants.
        sharpness: Median absolute second difference of lightness over the plant in 0..255 levels, at the size of the
        search image.
    """

    size: float
    completeness: float
    solidity: float
    fill_ratio: float
    sharpness: float

    @property
    def score(self) -> float:
        """One number to rank by: size, times completeness, solidity and fill_ratio squared, times the root of sharpness."""
        shape = self.completeness * self.solidity * self.fill_ratio
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
