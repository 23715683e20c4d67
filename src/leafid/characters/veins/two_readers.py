"""Brings two independent readers of secondary veins together: paths of ridges, and the leaf parser's network.

Both err, and seldom alike: on leaves counted by eye the mean of both expected numbers is right within 1 more often than
either. How sure it is depends on how sure both are, and on how far they differ.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leafid.characters.values import FULL_QUALITY
from leafid.characters.veins.vein_count import VeinSets
from leafid.sheets import ParsedLeaf

MIN_QUALITY = 0.7
"""Quality of the less sure side below which no number is given."""
_MAX_DIFFERENCE = 4.0  # of the two expected numbers; beyond it the two did not read the same veins
_MOST = 0.95  # quality of the surest number: the counts by eye are no surer
_NOT_FULL = FULL_QUALITY - 0.01

# Of the quality, fitted on drawn photographs by scripts/calibrate_leaf_parser.py. Leaves counted by eye, most of them
# laid on paper or black, are right more often than drawn ones of the same evidence, so they have a constant of their
# own. A number excludes a taxon only where it is as sure by that of the drawn ones, which are of every kind.
_COUNTED_BY_EYE, _DRAWN = 8.07, 6.74
_RIDGES = -0.88  # per standard deviation of the number by ridges
_NETWORK = -3.07  # the same of the network's
_DIFFERENCE = -0.59  # per vein by which both differ


@dataclass(frozen=True)
class SideCount:
    """What both readers say about one side of a leaf.

    Attributes:
        ridges: expected number of secondary veins by ridges.
        ridges_deviation: its standard deviation.
        network: expected number by the parser's network.
        network_deviation: its standard deviation.
    """

    ridges: float
    ridges_deviation: float
    network: float
    network_deviation: float

    @property
    def number(self) -> int:
        """The mean of both, rounded."""
        return int(np.floor((self.ridges + self.network) / 2 + 0.5))

    @property
    def evidence(self) -> tuple[float, float, float]:
        """What the quality depends on: both deviations, and the difference of both numbers."""
        return self.ridges_deviation, self.network_deviation, abs(self.ridges - self.network)

    @property
    def quality(self) -> float:
        """The share of numbers with such evidence that are right within 1, 0 to 1; of laid leaves at least so many."""
        if self.evidence[-1] > _MAX_DIFFERENCE:
            return 0.0
        odds = float(np.dot((_RIDGES, _NETWORK, _DIFFERENCE), self.evidence))
        limit = _MOST if _share(odds + _DRAWN) >= FULL_QUALITY else _NOT_FULL
        return min(limit, _share(odds + _COUNTED_BY_EYE))


def _share(odds: float) -> float:
    return float(1 / (1 + np.exp(-odds)))


def both_readers(sets: VeinSets, leaf: ParsedLeaf) -> tuple[SideCount, SideCount]:
    """Return what both readers say about the left and the right side.

    Args:
        sets: read from ridges on the straightened blade.
        leaf: as the parser read it.
    """
    left, right = (
        SideCount(float(expected), float(deviation), network.expected, network.deviation)
        for expected, deviation, network in zip(
            sets.expected(), sets.deviations(), (leaf.count_left, leaf.count_right), strict=True
        )
    )
    return left, right
