"""What the leaf parser finds: leaves with their masks, ends, veins, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Face = Literal["adaxial", "abaxial"]


class NotWhole(StrEnum):
    """Why a leaf is not seen whole."""

    CUT_BY_FRAME = "cut by the image's edge"
    OVERLAPPED = "overlapped"
    FOLDED = "folded"


@dataclass(frozen=True)
class SecondaryCount:
    """Number of secondary veins of one side.

    Attributes:
        number: veins that are likelier than not, without short ones at apex and base.
        expected: the number to be expected: the sum of the probabilities of all veins that may be there.
        deviation: its standard deviation.
        seen: from where to where along the midrib (0 base, 1 apex) veins can be seen.
    """

    number: int
    expected: float
    deviation: float
    seen: tuple[float, float]


@dataclass(frozen=True)
class ParsedLeaf:
    """One leaf of a picture. Points are (column, row) in its pixels; the first pixel's centre is (0.5, 0.5).

    Attributes:
        box: left, top, right, bottom in whole pixels.
        mask: bool [bottom - top, right - left], the visible blade without petiole.
        base: [2] where petiole and blade meet; outside the picture where the leaf is cut there.
        apex: [2] tip of the blade.
        midrib: [M, 2] from base to apex.
        petiole: [P, 2] from the base away, the part near the leaf; None where there is none.
        left: secondaries of the left side (apex up), each from the midrib outward, the lowest first.
        right: those of the right side.
        count_left: their number.
        count_right: the same for the right side.
        veins_visible: how well the secondaries stand out, 0 to 1.
        reasons: why the leaf is not seen whole; empty for a whole leaf.
        face: the side that is seen.
        score: how sure it is that this is a leaf, 0 to 1.
    """

    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    base: Points
    apex: Points
    midrib: Points
    petiole: Points | None
    left: tuple[Points, ...]
    right: tuple[Points, ...]
    count_left: SecondaryCount
    count_right: SecondaryCount
    veins_visible: float
    reasons: tuple[NotWhole, ...]
    face: Face
    score: float

    @classmethod
    def exact(cls, mask: NDArray[np.bool_], midrib: Points, numbers: tuple[int, int] = (0, 0)) -> ParsedLeaf:
        """Return a known whole leaf as a parser without errors would.

        Args:
            mask: bool (H, W), the blade in the picture.
            midrib: [M, 2] from base to apex.
            numbers: secondary veins on the left and on the right.
        """
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        left, top, right, bottom = int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
        counts = [SecondaryCount(number, float(number), 0.0, (0.0, 1.0)) for number in numbers]
        return cls(
            box=(left, top, right, bottom),
            mask=np.ascontiguousarray(mask[top:bottom, left:right]),
            base=midrib[0],
            apex=midrib[-1],
            midrib=midrib,
            petiole=None,
            left=(),
            right=(),
            count_left=counts[0],
            count_right=counts[1],
            veins_visible=1.0,
            reasons=(),
            face="adaxial",
            score=1.0,
        )

    @property
    def length(self) -> float:
        """Length of the midrib in pixels."""
        return float(np.hypot(*np.diff(self.midrib, axis=0).T).sum())

    @property
    def width(self) -> float:
        """Largest width of the visible blade across the line from base to apex, in pixels."""
        rows, columns = np.nonzero(self.mask)
        places = np.stack([columns + self.box[0], rows + self.box[1]], axis=1) + 0.5
        axis = (self.apex - self.base) / max(float(np.hypot(*(self.apex - self.base))), 1e-6)
        along = ((places - self.base) @ axis).astype(int)
        across = (places - self.base) @ np.array([axis[1], -axis[0]])
        along -= along.min()
        low, high = np.full(along.max() + 1, np.inf), np.full(along.max() + 1, -np.inf)
        np.minimum.at(low, along, across)
        np.maximum.at(high, along, across)
        return float((high - low).max()) + 1.0

    def full_mask(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """The mask in a picture of this height and width."""
        full = np.zeros(shape, np.bool_)
        left, top, right, bottom = self.box
        full[top:bottom, left:right] = self.mask
        return full
