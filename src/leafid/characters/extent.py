"""Find apex, base and margins of a straightened blade, and how clearly its veins rise towards the apex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.characters.veins.straightening import StraightBlade

_MAX_PETIOLE_BREADTH = 0.16  # of a petiole, as a share of the blade's greatest breadth
_MIN_PETIOLE_LENGTH = 0.012  # share of the length; a shorter one is the blade's own tip
_WIDENS_BY, _WIDENS_AT_LEAST = (
    1.4,
    0.03,
)  # widening of the petiole at which the blade begins: factor, and share of the greatest breadth
_TIP_ASIDE = 0.08  # share of the length; the end of the midrib is too fine to follow, so the tip may lie beside it
_TIP_SLANT = 0.35  # cost, in rows, of each column that a candidate for the tip lies beside the midrib
_TIP_DEPTH, _TIP_BREADTH = 0.04, 0.13  # shares of the length: below this depth a shoulder or lobe is broader, a tip not
_END_AWAY = 0.06  # share of the length by which apex and base may lie beyond the ends of the midrib
_STRETCH = (0.12, 0.75)  # part of the way to the margin on which the direction of veins is measured


@dataclass(frozen=True)
class Extent:
    """Apex, base and margins of a straightened blade, apex up.

    Attributes:
        apex: row of the apex, at the midrib.
        base: row at which the petiole joins the blade; basal lobes reach farther down.
        left: (H,) columns from the midrib to the left margin, 0 where there is no blade.
        right: (H,) columns to the right margin.
        run: (H,) number of connected columns of blade or petiole across the midrib.
    """

    apex: int
    base: int
    left: NDArray[np.float64]
    right: NDArray[np.float64]
    run: NDArray[np.float64]

    @property
    def length(self) -> int:
        """Number of rows from base to apex."""
        return self.base - self.apex

    @property
    def breadth(self) -> NDArray[np.float64]:
        """Number of columns from margin to margin, (H,)."""
        return self.left + self.right


def vein_lean(scores: NDArray[np.float32], straight: StraightBlade) -> float:
    """Measure how clearly the veins rise towards the top, -1..1: secondary veins rise towards the apex.

    Args:
        scores: float32 (T, H, W) of `vein_scores`, T = 12.
        straight: the blade of these scores.
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
    """Find apex, base and margins of a blade whose apex is up, both ends near those of its midrib."""
    filled = straight.blade > 0
    column = straight.column
    left = _reach(filled[:, column::-1])
    right = _reach(filled[:, column:])
    run = _run(filled[:, column::-1]) + _run(filled[:, column:])
    reach = round(_END_AWAY * (straight.bottom - straight.top))
    rows = np.flatnonzero(run[straight.top - reach : straight.bottom + reach + 1] > 0) + straight.top - reach
    if not len(rows):
        return Extent(straight.top, straight.bottom, left, right, run)
    apex, lowest = _tip(filled, column, int(rows[0]), int(rows[-1])), int(rows[-1])
    breadth = left + right
    broadest = float(np.percentile(breadth[breadth > 0], 97))
    narrow = lowest
    while narrow > apex and run[narrow] < _MAX_PETIOLE_BREADTH * broadest:
        narrow -= 1
    limit = 0.0
    if lowest - narrow >= _MIN_PETIOLE_LENGTH * (lowest - apex):
        petiole = float(np.percentile(run[narrow + 1 : lowest + 1], 25))
        limit = max(_WIDENS_BY * petiole, petiole + _WIDENS_AT_LEAST * broadest)
    base = lowest
    while base > apex and run[base] < limit:
        base -= 1
    return Extent(apex, base, left, right, run)


def mirror_overlap(extent: Extent) -> float:
    """Measure the overlap of the blade with its mirror image about the midrib, 0..1 (intersection over union)."""
    rows = slice(extent.apex, None)
    both = np.stack([extent.left[rows], extent.right[rows]])
    return float(both.min(axis=0).sum() / max(1.0, both.max(axis=0).sum()))


def _tip(filled: NDArray[np.bool_], column: int, first: int, last: int) -> int:
    """Find the row of the apex: the first row of the midrib, or that of a narrow tip above and slightly beside it."""
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
    """Count the columns from the midrib to the outermost pixel of the blade in each row."""
    outermost = half.shape[1] - half[:, ::-1].argmax(axis=1)
    return np.where(half.any(axis=1), outermost - 0.5, 0.0)


def _run(half: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count the columns from the midrib to the first pixel outside the blade; 0 where the midrib lies outside."""
    first = np.where(half.all(axis=1), half.shape[1], (~half).argmax(axis=1))
    return np.where(half[:, 0], first - 0.5, 0.0)
