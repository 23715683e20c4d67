"""Trace candidate secondary veins: paths from the midrib half-way to the margin.

The coordinates on each side of the straightened blade are the row and the share of the way from midrib to margin. From
every row of the midrib, dynamic programming finds the best outward path through the oriented vein scores. A secondary
vein may depart from a row whose path is stronger than the paths beside it. Of two paths along the same vein only the
stronger is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FIRST, LAST = 0.10, 0.56  # where paths begin and end, as shares of the way from midrib to margin
STEPS = 16  # points of a path
_ELEVATIONS = np.radians([75.0, 60, 45, 30, 15, 0, -15, -30])  # above the perpendicular to the midrib
_CHANNELS = (7, 8, 9, 10, 11, 0, 1, 2)  # vein scores of these elevations on the right side; twelve cover 180 degrees
_TURN_COST = 0.03  # of a turn to the next direction
_MIN_STRENGTH = 0.03  # mean score; weaker paths are ignored
_MIN_DISTANCE = 0.022  # of two veins, as a share of the blade's length
_BASAL_SHARE = 0.06  # lowest share of the length, where several veins may leave the midrib together
_ANGLE_STEP = 9  # the angle of a vein is measured from its first point to this one


@dataclass(frozen=True)
class HalfBlade:
    """One side of a straightened blade, midrib on the left, apex up.

    Attributes:
        scores: float32 (T, H, W), W columns outwards from the midrib.
        breadth: float64 (H,), columns from midrib to margin; 0 beyond the blade.
    """

    scores: NDArray[np.float32]
    breadth: NDArray[np.float64]


@dataclass(frozen=True)
class VeinPath:
    """A candidate secondary vein, in pixels of the straightened half blade.

    Attributes:
        start: row from which it leaves the midrib.
        strength: mean vein score along it, 0..1.
        points: [STEPS, 2] its course (columns from the midrib, row).
        elevation_deg: angle above the perpendicular to the midrib, degrees; negative where the path falls.
    """

    start: int
    strength: float
    points: NDArray[np.float64]
    elevation_deg: float

    @property
    def middle(self) -> float:
        """Row of the middle of the path."""
        return float(self.points[STEPS // 2, 1])


@dataclass(frozen=True)
class _Traces:
    """The best outward path from every row: its strength (H,), and its row at each step (STEPS, H)."""

    strength: NDArray[np.float64]
    rows: NDArray[np.float64]


def half_blades(scores: NDArray[np.float32], blade: NDArray[np.float32], column: int) -> tuple[HalfBlade, HalfBlade]:
    """Split the blade into left and right half, both with the midrib on the left."""
    mirrored = np.ascontiguousarray(scores[:, :, column::-1][[0, *range(scores.shape[0] - 1, 0, -1)]])
    right = np.ascontiguousarray(scores[:, :, column:])
    return (
        HalfBlade(mirrored, _breadth(blade[:, column::-1])),
        HalfBlade(right, _breadth(blade[:, column:])),
    )


def _breadth(half: NDArray[np.float32]) -> NDArray[np.float64]:
    """Count the columns to the outermost pixel of the blade in each row."""
    width = half.shape[1]
    filled = half > 0
    return np.where(filled.any(axis=1), width - filled[:, ::-1].argmax(axis=1), 0).astype(np.float64)


def vein_paths(half: HalfBlade, apex: int, base: int) -> list[VeinPath]:
    """Find candidate secondary veins, from the apex to the base.

    Args:
        half: one side of the blade.
        apex: row of the apex.
        base: row at which the blade begins, below `apex`.
    """
    traces = _trace(half)
    gap = _MIN_DISTANCE * (base - apex)
    kept = _separate_departures(traces, apex, base, gap)
    last = min(round(base + 0.03 * (base - apex)), len(half.breadth) - 1)
    nearby = range(max(apex, round(base - _BASAL_SHARE * (base - apex))), last + 1)
    for row in _strongest_first(traces, nearby):
        if all(abs(row - other) > 1 and _are_separate(traces, row, other, 1.6 * gap) for other in kept):
            kept.append(row)
    return [_path(half, traces, row) for row in sorted(kept)]


def _strongest_first(traces: _Traces, rows: Iterable[int]) -> list[int]:
    return sorted((row for row in rows if traces.strength[row] > _MIN_STRENGTH), key=lambda row: -traces.strength[row])


def _separate_departures(traces: _Traces, apex: int, base: int, gap: float) -> list[int]:
    """Find rows whose path is stronger than those of the rows beside them and clearly separate from stronger paths."""
    reach = max(2, int(gap / 2))
    strength = traces.strength
    peaks = (
        row for row in range(apex, base + 1) if strength[row] >= strength[max(0, row - reach) : row + reach + 1].max()
    )
    kept: list[int] = []
    for row in _strongest_first(traces, peaks):
        if all(abs(row - other) >= 0.6 * gap and _are_separate(traces, row, other, 0.8 * gap) for other in kept):
            kept.append(row)
    return kept


def _are_separate(traces: _Traces, row: int, other: int, least: float) -> bool:
    """Return whether two paths neither meet nor cross after they have left the midrib."""
    between = traces.rows[STEPS // 3 :, row] - traces.rows[STEPS // 3 :, other]
    return bool(np.abs(between).min() >= least and (np.sign(between) == np.sign(row - other)).all())


def _path(half: HalfBlade, traces: _Traces, row: int) -> VeinPath:
    rows = traces.rows[:, row]
    nearest = np.clip(np.round(rows), 0, len(half.breadth) - 1).astype(np.int64)
    columns = np.linspace(FIRST, LAST, STEPS) * half.breadth[nearest]
    run = max(1e-3, float(columns[_ANGLE_STEP] - columns[0]))
    elevation = float(np.degrees(np.arctan2(rows[0] - rows[_ANGLE_STEP], run)))
    return VeinPath(row, float(traces.strength[row]), np.stack([columns, rows], axis=1), elevation)


def _trace(half: HalfBlade) -> _Traces:
    """Find the best outward path from every row of the midrib."""
    height = len(half.breadth)
    shares = np.linspace(FIRST, LAST, STEPS)
    breadth = np.maximum(half.breadth, 1.0)
    smooth = np.asarray(cv2.GaussianBlur(breadth.reshape(-1, 1), (0, 0), 4.0), np.float64).ravel()
    opening = -np.gradient(smooth)  # growth of the breadth per row towards the apex
    score = _sample_scores(half, shares, smooth)  # [E, STEPS, H]
    rise = np.tan(_ELEVATIONS)[:, None, None]
    step = (shares[1] - shares[0]) * smooth
    # Where the margin moves outwards, a rising vein needs more rows to cover the same share of the way.
    slower = np.maximum(1 - rise * shares[1:, None] * opening, 0.3)
    rises = rise * step / slower  # [E, STEPS - 1, H]
    rows = np.arange(height, dtype=np.float64)
    value = score[:, -1].copy()  # [E, H]
    choice: list[NDArray[np.int64]] = []
    for k in range(STEPS - 2, -1, -1):
        target = np.clip(rows - rises[:, k], 0, height - 1)  # [E, H]
        low = np.minimum(target.astype(np.int64), height - 2)
        share = target - low
        onward = np.full((3, *value.shape), -np.inf)
        for turn in (-1, 0, 1):
            source = np.clip(np.arange(len(value)) + turn, 0, len(value) - 1)
            along = value[source]
            here = np.take_along_axis(along, low, 1) * (1 - share) + np.take_along_axis(along, low + 1, 1) * share
            onward[turn + 1] = here - _TURN_COST * abs(turn)
        choice.append(onward.argmax(axis=0) - 1)
        value = score[:, k] + onward.max(axis=0)
    choice.reverse()
    direction = value.argmax(axis=0)
    position = rows.copy()
    path = np.empty((STEPS, height))
    for k in range(STEPS):
        near = np.clip(np.round(position), 0, height - 1).astype(np.int64)
        path[k] = position
        if k < STEPS - 1:
            turn = choice[k][direction, near]
            position = np.clip(position - rises[direction, k, near], 0, height - 1)
            direction = np.clip(direction + turn, 0, len(rise) - 1)
    strength = np.where(half.breadth > 0, value.max(axis=0) / STEPS, 0)
    return _Traces(strength, path)


def _sample_scores(half: HalfBlade, shares: NDArray[np.float64], breadth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sample scores [E, STEPS, H] by elevation, share of the way and row; best of three neighbouring rows."""
    height = len(breadth)
    x = (shares[:, None] * breadth).astype(np.float32)
    y = np.broadcast_to(np.arange(height, dtype=np.float32), x.shape).copy()
    layers = []
    for channel in _CHANNELS:
        layer = cv2.remap(half.scores[channel], x, y, cv2.INTER_LINEAR)
        layers.append(cv2.dilate(np.asarray(layer), np.ones((1, 3), np.uint8)))
    return np.asarray(layers, np.float64)
