"""How many secondary veins a side has.

Secondaries of one side are about evenly spaced: distances change little from one to the next. So the set of possible
departures is chosen that is best as a whole, by dynamic programming over pairs of neighbours. The short ones that
crowd at apex and base are no secondaries, as in counts by eye.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.reading import Departure, Side

_LIKELY = 0.55  # probability from which a departure is rather a vein than not, chosen on leaves counted by eye
_UNEVEN = 0.5  # cost of a distance that is e times, or one e-th, of the one before; in units of log odds
_SHORTEST = 0.2  # reach of the shortest secondary across the leaf, as a share of that of the longest of its side
_MOST_UNEVEN = 6.0  # a vein lost to damage costs no more than this

Values = NDArray[np.float64]


def counted(side: Side) -> tuple[Departure, ...]:
    """The departures of a side that count as secondary veins, from the base upwards."""
    reaches = np.array([_reach(departure.course) for departure in side.departures])
    likely = np.array([departure.chance >= _LIKELY for departure in side.departures], bool)
    least = _SHORTEST * float(reaches[likely].max(initial=0))
    departures = [departure for departure, reach in zip(side.departures, reaches, strict=True) if reach >= least]
    if not departures:
        return ()
    worth = _odds(np.array([departure.chance for departure in departures])) - _odds(np.array(_LIKELY))
    sets = _best_sets(worth, -np.array([departure.row for departure in departures]))
    return tuple(departures[index] for index in max(sets)[1])


def long_enough(lines: Sequence[Values]) -> int:
    """Number of secondaries of one side, lines [N, 2] in a view, that are not too short to be counted."""
    reaches = [_reach(line) for line in lines]
    return sum(reach >= _SHORTEST * max(reaches) for reach in reaches)


def _reach(line: Values) -> float:
    """How far a line goes across the view, in pixels."""
    return float(np.ptp(line[:, 0]))


def _odds(chance: Values) -> Values:
    clipped = np.clip(chance, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)))


def _best_sets(worth: Values, place: Values) -> list[tuple[float, list[int]]]:
    """The best set of each number of departures and its worth; `place` [N] rises."""
    first = int(worth.argmax())
    sets: list[tuple[float, list[int]]] = [(0.0, []), (float(worth[first]), [first])]
    follows = place[None] > place[:, None] + 1e-9
    distance = np.log(np.maximum(place[None] - place[:, None], 1e-3))
    # uneven[h, i, j]: cost of the distance from i to j after that from h to i
    uneven = np.minimum(_UNEVEN * (distance[:, :, None] - distance[None]) ** 2, _MOST_UNEVEN)
    total = np.where(follows, worth[:, None] + worth[None], -np.inf)  # [i, j]: best set that ends with i, j
    before: list[NDArray[np.int64]] = []
    for _ in range(2, len(worth) + 1):
        if not np.isfinite(total.max()):
            break
        sets.append((float(total.max()), _recovered(total, before)))
        extended = np.where(follows[None], total[:, :, None] - uneven, -np.inf)
        before.append(extended.argmax(axis=0))
        total = np.where(follows, extended.max(axis=0) + worth[None], -np.inf)
    return sets


def _recovered(total: Values, before: list[NDArray[np.int64]]) -> list[int]:
    second, last = (int(index) for index in np.unravel_index(int(total.argmax()), total.shape))
    chosen = [last, second]
    for came in reversed(before):
        second, last = int(came[second, last]), second
        chosen.append(second)
    return chosen[::-1]


def expected_number(side: Side) -> tuple[float, float]:
    """The expected number of veins of a side, and its standard deviation, were the departures independent."""
    chances = np.array([departure.chance for departure in side.departures], np.float64)
    return float(chances.sum()), float(np.sqrt((chances * (1 - chances)).sum()))
