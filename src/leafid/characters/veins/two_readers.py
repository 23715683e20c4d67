"""Whether two independent readers of secondary veins agree: paths of ridges, and the leaf parser's network.

Both err, and seldom alike: where they agree, the paths are right more often than either reader is on the whole. So a
number is given only there.
"""

from __future__ import annotations

from leafid.characters.veins.vein_count import VeinCount
from leafid.sheets import ParsedLeaf

MAX_DIFFERENCE = 1
"""Veins by which the two may differ on a side. With 2, fewer than 85 % of the numbers are right within 1."""
QUALITY = 0.85
"""Share of the numbers given that are right within 1 on leaves counted by eye; see docs/results.md."""
UNCERTAINTY = 0.8
"""Standard deviation of the number of a side."""


def readers_agree(veins: VeinCount, leaf: ParsedLeaf) -> bool:
    """Return whether both readers nearly agree on both sides.

    Args:
        veins: read from ridges on the straightened blade.
        leaf: as the parser read it.
    """
    by_ridges = (len(veins.left), len(veins.right))
    by_network = (leaf.count_left.number, leaf.count_right.number)
    return all(abs(one - other) <= MAX_DIFFERENCE for one, other in zip(by_ridges, by_network, strict=True))
