"""Which paths are secondary veins: the strong, evenly spaced ones that rise alike.

Veins of one blade are alike: their distances change little from one to the next, they rise at about the same angle,
and there are about as many on the left as on the right. So the set of paths is chosen that is best as a whole, by
dynamic programming over pairs of neighbouring veins for each possible number, then over both numbers together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.characters.vein_paths import VeinPath

MOST_VEINS = 26  # per side
_WORTH = 0.4  # strength, relative to the strongest veins, from which a path is rather a vein than not
_UNEVEN = 0.3  # cost of a distance that is e times, or one e-th, of the one before
_MOST_UNEVEN = 1.0  # a vein lost to damage costs no more than this
_UNLIKE = 0.1  # cost of each 15 degrees by which a path rises otherwise than the strong ones, beyond the first 15
_FLAT = 0.35  # cost of a path that runs perpendicular to the midrib, as tertiary veins and creases do
_RISING = 12.0  # degrees above the perpendicular from which a path is not flat
_UNEQUAL = 0.12  # cost of a difference of one between left and right; grows with its square
_DOUBT = 0.22  # difference of worth between two numbers at which one is e times as likely as the other


@dataclass(frozen=True)
class VeinCount:
    """The secondary veins of a blade.

    Attributes:
        left: those on the left, from the apex to the base.
        right: those on the right.
        left_doubt: standard deviation of the number on the left, as far as the choice between paths is in doubt.
        right_doubt: the same on the right.
    """

    left: tuple[VeinPath, ...]
    right: tuple[VeinPath, ...]
    left_doubt: float
    right_doubt: float


def count_veins(left: Sequence[VeinPath], right: Sequence[VeinPath], length: float) -> VeinCount:
    """Choose the secondary veins among the paths of both sides.

    Args:
        left: paths of the left side, in any order.
        right: paths of the right side.
        length: length of the blade in the same pixels.
    """
    strongest = max(_reference(left), _reference(right))
    rising = _usual_elevation([*left, *right])
    sides = [_best_sets(_by_place(side), (strongest + _reference(side)) / 2, rising, length) for side in (left, right)]
    numbers = [np.array([number for number, _ in enumerate(side)]) for side in sides]
    worth = np.array([[a.worth + b.worth for b in sides[1]] for a in sides[0]])
    worth -= _UNEQUAL * np.minimum((numbers[0][:, None] - numbers[1][None]) ** 2, 9)
    best = np.unravel_index(int(worth.argmax()), worth.shape)
    likely = np.exp((worth - worth.max()) / _DOUBT)
    doubts = [_deviation(likely.sum(axis=1 - axis), numbers[axis]) for axis in (0, 1)]
    return VeinCount(sides[0][best[0]].paths, sides[1][best[1]].paths, *doubts)


@dataclass(frozen=True)
class _Set:
    worth: float
    paths: tuple[VeinPath, ...]


def _reference(side: Sequence[VeinPath]) -> float:
    """Strength of a side's clearest veins."""
    return float(np.mean(sorted(path.strength for path in side)[-4:])) if side else 0.0


def _usual_elevation(paths: Sequence[VeinPath]) -> float:
    strong = sorted(paths, key=lambda path: path.strength)[len(paths) // 2 :]
    return float(np.median([path.elevation_deg for path in strong])) if strong else 0.0


def _place(path: VeinPath) -> float:
    """Row by which distances are taken: veins that leave the base together are apart farther out."""
    return (path.start + path.middle) / 2


def _by_place(side: Sequence[VeinPath]) -> list[VeinPath]:
    return sorted(side, key=_place)


def _worth(path: VeinPath, reference: float, rising: float) -> float:
    relative = min(1.3, path.strength / max(reference, 1e-6))
    unlike = max(0.0, abs(path.elevation_deg - rising) - 15) / 15
    flat = max(0.0, _RISING - path.elevation_deg) / _RISING
    return relative - _WORTH - _UNLIKE * unlike - _FLAT * flat


def _best_sets(paths: list[VeinPath], reference: float, rising: float, length: float) -> list[_Set]:
    """The best set of each number of paths, from none upwards."""
    sets = [_Set(0.0, ())]
    if not paths:
        return sets
    worth = np.array([_worth(path, reference, rising) for path in paths])
    first = int(worth.argmax())
    sets.append(_Set(float(worth[first]), (paths[first],)))
    place = np.array([_place(path) for path in paths]) / max(length, 1.0)
    follows = place[None] > place[:, None] + 1e-9
    distance = np.log(np.maximum(place[None] - place[:, None], 1e-3))
    # uneven[h, i, j]: cost of the distance from i to j after that from h to i.
    uneven = np.minimum(_UNEVEN * (distance[:, :, None] - distance[None]) ** 2, _MOST_UNEVEN)
    total = np.where(follows, worth[:, None] + worth[None], -np.inf)  # [i, j]: best set that ends with i, j
    before: list[NDArray[np.int64]] = []
    for _ in range(2, min(MOST_VEINS, len(paths)) + 1):
        if not np.isfinite(total.max()):
            break
        sets.append(_Set(float(total.max()), _recovered(paths, total, before)))
        extended = np.where(follows[None], total[:, :, None] - uneven, -np.inf)
        before.append(extended.argmax(axis=0))
        total = np.where(follows, extended.max(axis=0) + worth[None], -np.inf)
    return sets


def _recovered(
    paths: list[VeinPath], total: NDArray[np.float64], before: list[NDArray[np.int64]]
) -> tuple[VeinPath, ...]:
    second, last = (int(index) for index in np.unravel_index(int(total.argmax()), total.shape))
    chosen = [last, second]
    for came in reversed(before):
        second, last = int(came[second, last]), second
        chosen.append(second)
    return tuple(paths[index] for index in reversed(chosen))


def _deviation(likely: NDArray[np.float64], numbers: NDArray[np.int64]) -> float:
    share = likely / likely.sum()
    mean = float((share * numbers).sum())
    return float(np.sqrt((share * (numbers - mean) ** 2).sum()))
