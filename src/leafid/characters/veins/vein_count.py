"""Select the paths that are secondary veins: strong, evenly spaced, and of similar angle.

The secondary veins of one blade have similar distances, rise at similar angles, and are about equal in number on both
sides. So the best set of paths is chosen as a whole: for each possible number of veins by dynamic programming over
pairs of neighbouring veins, then over the numbers of both sides together. All costs below are in units of the
strength of a path relative to the strongest veins, and were chosen on leaves counted by eye and on drawn leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.characters.veins.vein_paths import VeinPath

MAX_VEINS = 26  # per side
_MIN_RELATIVE_STRENGTH = 0.4  # strength, relative to the strongest veins, above which a path counts as a vein
_UNEVEN_COST = 0.3  # of a distance that is e times, or one e-th, of the previous one
_MAX_UNEVEN_COST = 1.0  # limit, so that a gap left by damage does not exclude the whole set
_ANGLE_COST = 0.1  # of each 15 degrees of difference from the angle of the strong paths, after the first 15
_FLAT_COST = 0.35  # of a path perpendicular to the midrib, as tertiary veins and creases are
_MIN_ELEVATION = 12.0  # degrees above the perpendicular from which `_FLAT_COST` does not apply
_SIDE_DIFFERENCE_COST = 0.12  # of a difference of one between left and right; grows with its square
_TEMPERATURE = 0.22  # difference of score at which one number of veins is e times as likely as another


@dataclass(frozen=True)
class VeinCount:
    """The secondary veins of a blade: those on the left and on the right, each from the apex to the base."""

    left: tuple[VeinPath, ...]
    right: tuple[VeinPath, ...]


@dataclass(frozen=True)
class VeinSets:
    """The best set of paths of each possible number, and how likely each number is.

    Attributes:
        left: sets of 0, 1, 2, ... paths on the left, each from the apex to the base.
        right: the same on the right.
        likely: float64 [len(left), len(right)], probability of each pair of numbers; sums to 1.
    """

    left: tuple[tuple[VeinPath, ...], ...]
    right: tuple[tuple[VeinPath, ...], ...]
    likely: NDArray[np.float64]

    def expected(self) -> NDArray[np.float64]:
        """Expected numbers [2] on the left and on the right."""
        return np.array([float(share @ np.arange(len(share))) for share in self._shares()])

    def deviations(self) -> NDArray[np.float64]:
        """Standard deviations [2] of both numbers."""
        means = self.expected()
        spread = [
            share @ (np.arange(len(share)) - mean) ** 2 for share, mean in zip(self._shares(), means, strict=True)
        ]
        return np.sqrt(np.array(spread, np.float64))

    def likeliest(self) -> VeinCount:
        """The veins of the likeliest numbers."""
        left, right = np.unravel_index(int(self.likely.argmax()), self.likely.shape)
        return VeinCount(self.left[left], self.right[right])

    def of(self, numbers: tuple[int, int]) -> VeinCount:
        """The veins where their numbers are known; fewer where there are not so many paths."""
        left, right = numbers
        return VeinCount(self.left[min(left, len(self.left) - 1)], self.right[min(right, len(self.right) - 1)])

    def _shares(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return self.likely.sum(axis=1), self.likely.sum(axis=0)


def vein_sets(left: Sequence[VeinPath], right: Sequence[VeinPath], length: float) -> VeinSets:
    """Select the secondary veins among the paths of both sides, for each possible number.

    Args:
        left: paths of the left side, in any order.
        right: paths of the right side.
        length: length of the blade in the same pixels.
    """
    strongest = max(_reference_strength(left), _reference_strength(right))
    rising = _typical_elevation([*left, *right])
    sides = [
        _best_sets(_by_spacing_row(side), (strongest + _reference_strength(side)) / 2, rising, length)
        for side in (left, right)
    ]
    numbers = [np.arange(len(side)) for side in sides]
    score = np.array([[a.score + b.score for b in sides[1]] for a in sides[0]])
    score -= _SIDE_DIFFERENCE_COST * np.minimum((numbers[0][:, None] - numbers[1][None]) ** 2, 9)
    likely = np.exp((score - score.max()) / _TEMPERATURE)
    paths = [tuple(each.paths for each in side) for side in sides]
    return VeinSets(paths[0], paths[1], likely / likely.sum())


@dataclass(frozen=True)
class _VeinSet:
    score: float
    paths: tuple[VeinPath, ...]


def _reference_strength(side: Sequence[VeinPath]) -> float:
    """Return the mean strength of the four strongest paths of a side."""
    return float(np.mean(sorted(path.strength for path in side)[-4:])) if side else 0.0


def _typical_elevation(paths: Sequence[VeinPath]) -> float:
    strong = sorted(paths, key=lambda path: path.strength)[len(paths) // 2 :]
    return float(np.median([path.elevation_deg for path in strong])) if strong else 0.0


def _spacing_row(path: VeinPath) -> float:
    """Return the row by which spacing is measured, half-way out: veins that leave the base together diverge later."""
    return (path.start + path.middle) / 2


def _by_spacing_row(side: Sequence[VeinPath]) -> list[VeinPath]:
    return sorted(side, key=_spacing_row)


def _path_score(path: VeinPath, reference: float, rising: float) -> float:
    relative = min(1.3, path.strength / max(reference, 1e-6))
    unlike = max(0.0, abs(path.elevation_deg - rising) - 15) / 15
    flat = max(0.0, _MIN_ELEVATION - path.elevation_deg) / _MIN_ELEVATION
    return relative - _MIN_RELATIVE_STRENGTH - _ANGLE_COST * unlike - _FLAT_COST * flat


def _best_sets(paths: list[VeinPath], reference: float, rising: float, length: float) -> list[_VeinSet]:
    """Find the best set of each number of paths, from none upwards."""
    sets = [_VeinSet(0.0, ())]
    if not paths:
        return sets
    score = np.array([_path_score(path, reference, rising) for path in paths])
    best = int(score.argmax())
    sets.append(_VeinSet(float(score[best]), (paths[best],)))
    row = np.array([_spacing_row(path) for path in paths]) / max(length, 1.0)
    follows = row[None] > row[:, None] + 1e-9
    distance = np.log(np.maximum(row[None] - row[:, None], 1e-3))
    # [h, i, j]: cost of the distance from i to j after the distance from h to i.
    uneven = np.minimum(_UNEVEN_COST * (distance[:, :, None] - distance[None]) ** 2, _MAX_UNEVEN_COST)
    total = np.where(
        follows, score[:, None] + score[None], -np.inf
    )  # [i, j]: score of the best set that ends with i, j
    predecessors: list[NDArray[np.int64]] = []
    for _ in range(2, min(MAX_VEINS, len(paths)) + 1):
        if not np.isfinite(total.max()):
            break
        sets.append(_VeinSet(float(total.max()), _trace_back(paths, total, predecessors)))
        extended = np.where(follows[None], total[:, :, None] - uneven, -np.inf)
        predecessors.append(extended.argmax(axis=0))
        total = np.where(follows, extended.max(axis=0) + score[None], -np.inf)
    return sets


def _trace_back(
    paths: list[VeinPath], total: NDArray[np.float64], predecessors: list[NDArray[np.int64]]
) -> tuple[VeinPath, ...]:
    second, last = (int(index) for index in np.unravel_index(int(total.argmax()), total.shape))
    chosen = [last, second]
    for predecessor in reversed(predecessors):
        second, last = int(predecessor[second, last]), second
        chosen.append(second)
    return tuple(paths[index] for index in reversed(chosen))
