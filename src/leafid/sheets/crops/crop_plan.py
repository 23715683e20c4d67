"""Types of crops: a plan found on the reduced image, and the crop cut from the original by it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leafid.jobs import Preprocessing

Background = Literal["plain", "kept"]

MARGIN = 0.06  # on each side, as a share of the leaf's longer side


class CropKind(StrEnum):
    """What a crop or view shows."""

    IMAGE = "image"
    PLANT = "plant"
    LEAF = "leaf"
    TILE = "tile"
    VEINS = "veins"

    @property
    def is_overview(self) -> bool:
        """Whether the view shows the whole plant, not a part of it."""
        return self in (CropKind.IMAGE, CropKind.PLANT)


def view_side(kind: CropKind, preprocessing: Preprocessing) -> int:
    """Return the side of the square in which the network sees a view of this kind."""
    return (kind.is_overview and preprocessing.overview_size) or preprocessing.size


@dataclass(frozen=True)
class CropQuality:
    """Measures by which crops are ranked.

    Attributes:
        size: Square root of the plant's area in the crop, pixels of the original.
        completeness: Share of the outline that is neither covered by another leaf nor cut off, 0..1; for tiles and
            whole plants the share covered by plant.
        solidity: Share of its convex hull that the leaf fills, 0..1; 1 for tiles and whole plants.
        fill_ratio: Share of the area inside the outline that is plant and not hole, 0..1; 1 for tiles and whole plants.
        sharpness: Median absolute second difference of lightness (0..255) over the plant, at the size of the search
            image.
    """

    size: float
    completeness: float
    solidity: float
    fill_ratio: float
    sharpness: float

    @property
    def score(self) -> float:
        """Rank: size * (completeness * solidity * fill ratio)^2 * sqrt(0.5 + sharpness).

        Shape counts squared, because a piece of a leaf is worth less than a smaller whole leaf.
        """
        shape = self.completeness * self.solidity * self.fill_ratio
        return float(self.size * shape**2 * np.sqrt(0.5 + self.sharpness))


@dataclass(frozen=True)
class CropPlan:
    """A crop that is found but not yet cut.

    Attributes:
        kind: What it shows.
        box: Left, top, right, bottom in pixels of the original, right and bottom exclusive, before rotation.
        angle: Degrees to rotate counter-clockwise; 0 for tiles, whole plants, and leaves without a clear axis.
        axis_clear: Whether the midrib is certainly upright after rotation.
        apex_clear: Whether the apex certainly points up after rotation.
        shape: The leaf or plant inside the box at the resolution of the search, bool (h, w).
        others: Other leaves inside the box, bool (h, w).
        quality: Measures by which it was ranked.
    """

    kind: CropKind
    box: tuple[int, int, int, int]
    angle: float
    axis_clear: bool
    apex_clear: bool
    shape: NDArray[np.bool_]
    others: NDArray[np.bool_]
    quality: CropQuality


@dataclass(frozen=True)
class LeafCrop:
    """A crop cut from the original, never enlarged, and reduced only to `max_side` of `cut_crop`.

    Attributes:
        pixels: uint8 RGB (h, w, 3), apex up where `plan.apex_clear`.
        mask: True on the leaf (on the plant for tiles and whole plants), bool (h, w).
        plan: Its position in the original, angle and quality.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    plan: CropPlan
