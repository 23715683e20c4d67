"""Where a straightened blade begins and ends: which end is the apex, where the petiole ends and the blade begins."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.characters.straightening import StraightBlade

_THIN = 0.16  # breadth of a petiole, at most, as a share of the blade's greatest breadth
_LEAST_PETIOLE = 0.012  # of the length; less is the blade's own tip
_WIDENS_BY, _WIDENS_AT_LEAST = 1.4, 0.03  # the blade begins where the petiole has widened by so much
_TIP_ASIDE = 0.08  # of the length: near its end a midrib is too fine to be followed, and a tip may lie so far aside
_TIP_SLANT = 0.35  # what a point loses, as a tip, for each pixel that it lies aside
_TIP_DEPTH, _TIP_BREADTH = 0.04, 0.13  # of the length: a tip is no broader at this depth, a shoulder or lobe is
_STRETCH = (0.12, 0.75)  # of the way to the margin: where the veins' lean is taken


@dataclass(frozen=True)
class Extent:
    """Rows of a straightened blade, apex up.

    Attributes:
        apex: row of the apex, at the midrib.
        base: row at which the petiole joins the blade; lobes of the base reach farther down.
        petiole_end: row at which the petiole ends, as far as it is seen; `base` where none is seen.
        left: (H,) columns from the midrib to the left margin, 0 where there is no blade.
        right: (H,) columns to the right margin.
        run: (H,) columns of blade or petiole that hang together across the midrib.
    """

    apex: int
    base: int
    petiole_end: int
    left: NDArray[np.float64]
    right: NDArray[np.float64]
    run: NDArray[np.float64]

    @property
    def length(self) -> int:
        """Rows from base to apex."""
        return self.base - self.apex

    @property
    def breadth(self) -> NDArray[np.float64]:
        """Columns from margin to margin, (H,)."""
        return self.left + self.right


def lean(scores: NDArray[np.float32], straight: StraightBlade) -> float:
    """How clearly the veins lean upwards, -1..1: secondary veins rise towards the apex.

    Args:
        scores: float32 (T, H, W) of `vein_scores`, T = 12.
        straight: the blade they were made from.
    """
    rising, falling = 0.0, 0.0
    column = straight.column
    for outwards, up, down in (
        (np.s_[:, column + 1 :], slice(7, 12), slice(1, 6)),
        (np.s_[:, column - 1 :: -1], slice(1, 6), slice(7, 12)),
    ):
        half = scores[(slice(None), *outwards)]
        filled = straight.blade[outwards] > 0
        breadth = filled.sum(axis=1)[:, None]
        across = np.arange(1, filled.shape[1] + 1)[None]
        counted = filled & (across > _STRETCH[0] * breadth) & (across < _STRETCH[1] * breadth)
        rising += float((half[up] ** 2).sum(axis=0)[counted].sum())
        falling += float((half[down] ** 2).sum(axis=0)[counted].sum())
    return (rising - falling) / max(rising + falling, 1e-9)


def find_extent(straight: StraightBlade) -> Extent:
    """Find apex, base and petiole of a blade whose apex is up."""
    filled = straight.blade > 0
    column = straight.column
    left = _reach(filled[:, column::-1])
    right = _reach(filled[:, column:])
    run = _run(filled[:, column::-1]) + _run(filled[:, column:])
    rows = np.flatnonzero(run > 0)
    if not len(rows):
        return Extent(straight.top, straight.bottom, straight.bottom, left, right, run)
    apex, lowest = _tip(filled, column, int(rows[0]), int(rows[-1])), int(rows[-1])
    breadth = left + right
    broadest = float(np.percentile(breadth[breadth > 0], 97))
    narrow = lowest
    while narrow > apex and run[narrow] < _THIN * broadest:
        narrow -= 1
    limit = 0.0
    if lowest - narrow >= _LEAST_PETIOLE * (lowest - apex):
        petiole = float(np.percentile(run[narrow + 1 : lowest + 1], 25))
        limit = max(_WIDENS_BY * petiole, petiole + _WIDENS_AT_LEAST * broadest)
    base = lowest
    while base > apex and run[base] < limit:
        base -= 1
    return Extent(apex, base, lowest, left, right, run)


def _tip(filled: NDArray[np.bool_], column: int, first: int, last: int) -> int:
    """Row of the apex: the midrib's first row, or that of a narrow tip which lies above and a little aside."""
    length = last - first
    reach = round(_TIP_ASIDE * length)
    near = filled[:first, max(0, column - reach) : column + reach + 1]
    rows, across = np.nonzero(near)
    if not len(rows):
        return first
    best = int(np.argmin(rows + _TIP_SLANT * np.abs(across - min(reach, column))))
    tip = int(rows[best])
    beneath = filled[min(last, tip + round(_TIP_DEPTH * length))]
    return first if np.count_nonzero(beneath) > _TIP_BREADTH * length else tip


def _reach(half: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Columns from the midrib to the outermost pixel of the blade in each row."""
    outermost = half.shape[1] - half[:, ::-1].argmax(axis=1)
    return np.where(half.any(axis=1), outermost - 0.5, 0.0)


def _run(half: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Columns from the midrib to the first pixel that is not blade; 0 where the midrib itself is not."""
    first = np.where(half.all(axis=1), half.shape[1], (~half).argmax(axis=1))
    return np.where(half[:, 0], first - 0.5, 0.0)
