"""One number of secondary veins from two independent readers: paths of ridges, and the leaf parser's network.

Both err, and seldom alike: where they agree, their mean is right more often than either. So a number is given only
where they nearly agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from leafid.characters.vein_count import VeinCount
from leafid.sheets import ParsedLeaf

MAX_DIFFERENCE = 1
"""Veins by which the two may differ on a side. With 2, fewer than 85 % of the numbers are right within 1."""
QUALITY = 0.8
"""Share of the numbers given that are right within 1 on leaves counted by eye; see docs/results.md."""
_UNCERTAINTY = 0.8  # standard deviation of such a number


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
    """Return the mean numbers, rounded up, where both readers nearly agree on both sides; else None.

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
    return AgreedCount(veins.of(left, right), QUALITY, _UNCERTAINTY)
