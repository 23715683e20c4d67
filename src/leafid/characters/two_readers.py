"""One number of secondary veins from two independent readers: paths of ridges, and the leaf parser's network.

Both err, and seldom alike: where they agree, their mean is right more often than either. So a number is given only
where they nearly agree, and its quality says how nearly.
"""

from __future__ import annotations

from dataclasses import dataclass

from leafid.characters.vein_count import VeinCount
from leafid.sheets import ParsedLeaf

_QUALITY = (0.83, 0.83, 0.74)
"""Share of numbers right within 1 on leaves counted by eye, by the larger difference of both sides; with more, none is
given. See docs/results.md."""
_UNCERTAINTY = (0.8, 0.8, 1.0)  # standard deviation of the number of a side


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
    """Return the mean numbers, rounded up, where both readers differ by at most 2 on each side; else None.

    Args:
        veins: read from ridges on the straightened blade.
        leaf: as the parser read it.
    """
    by_ridges = (len(veins.left), len(veins.right))
    by_network = (leaf.count_left.number, leaf.count_right.number)
    apart = max(abs(one - other) for one, other in zip(by_ridges, by_network, strict=True))
    if apart >= len(_QUALITY):
        return None
    left, right = ((one + other + 1) // 2 for one, other in zip(by_ridges, by_network, strict=True))
    return AgreedCount(veins.of(left, right), _QUALITY[apart], _UNCERTAINTY[apart])
