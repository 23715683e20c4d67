"""One number of secondary veins from two independent readers: paths of ridges, and the leaf parser's network.

Both err, and seldom on the same leaf: on leaves counted by eye their mean is right within 1 more often than either, and
the more often the better they agree. So a number is given only where they agree, and its quality says how well.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from leafid.characters.vein_count import VeinCount
from leafid.sheets import ParsedLeaf

MAX_DIFFERENCE = 2
"""Most veins by which the two may differ on a side."""
_QUALITY = (0.9, 0.9, 0.8)
"""Share of numbers right within 1, by the larger difference of both sides; see scripts/measure_characters.py."""


@dataclass(frozen=True)
class AgreedCount:
    """The secondary veins on which both readers agree.

    Attributes:
        veins: the best veins of the agreed numbers.
        quality: how often such numbers are right within 1.
        uncertainty: standard deviation of the number of a side.
    """

    veins: VeinCount
    quality: float
    uncertainty: float


def agreed_count(veins: VeinCount, leaf: ParsedLeaf) -> AgreedCount | None:
    """Return the mean numbers, rounded up, where both readers agree on both sides; else None.

    Args:
        veins: read from ridges on the straightened blade.
        leaf: as the parser read it.
    """
    by_ridges = (len(veins.left), len(veins.right))
    by_network = (leaf.count_left.number, leaf.count_right.number)
    apart = max(abs(one - other) for one, other in zip(by_ridges, by_network, strict=True))
    if apart > MAX_DIFFERENCE:
        return None
    left, right = ((one + other + 1) // 2 for one, other in zip(by_ridges, by_network, strict=True))
    return AgreedCount(veins.of(left, right), _QUALITY[apart], math.hypot(0.7, apart / 2))
