"""Whether what was found is a simple leaf with pinnate veins that can be seen: the evidence and its limits."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from leafid.characters.values import NotMeasured
from leafid.characters.vein_count import VeinCount

LEAST_SIMPLE = 0.5  # of `Evidence.simple`; bundles of leaves and compound leaves stay below
MOST_ASYMMETRY = 0.35  # of the areas of both halves; beyond it the piece is several leaves, or half of one
LEAST_LEAN = 0.15  # below this it is not clear which way the veins rise, and so which end is the apex
_LEAST_PLAUSIBLE = 2.2  # of `Evidence.plausible`; ferns, palms, flowers and torn pieces stay below
_LEAST_STRENGTH = 0.16  # mean vein score of the chosen veins; below this nobody sees them
_FEWEST = 3.5  # veins per side, as a mean; fewer are rather a few veins from the base than pinnate venation
_MOST_STEEP = 68.0  # elevation in degrees above which veins run with the midrib, as parallel ones do
_MOST_DOUBT = 2.2  # standard deviation of the number per side


@dataclass(frozen=True)
class Evidence:
    """What the decision rests on, whether veins are said to be seen.

    Attributes:
        midrib: clearness of the midrib, 0..1.
        symmetry: overlap of the outline with its mirror image about the midrib, 0..1.
        solidity: share of its convex hull that the leaf fills, 0..1.
        lean: how clearly the veins rise towards the apex, -1..1.
        strength: mean vein score of the chosen veins, 0..1.
        elevation_deg: their median rise above the perpendicular to the midrib.
        doubt: standard deviation of their number per side.
    """

    midrib: float
    symmetry: float
    solidity: float
    lean: float = 0.0
    strength: float = 0.0
    elevation_deg: float = 0.0
    doubt: float = 0.0

    @property
    def simple(self) -> float:
        """How much the outline is that of one simple leaf: about 0 for anything, 2 for a whole leaf."""
        return (self.symmetry - 0.6) / 0.2 + (self.solidity - 0.8) / 0.1

    @property
    def plausible(self) -> float:
        """How much it is a simple leaf with veins that rise towards its apex: about 0 for anything, 4 for one."""
        return self.simple + (self.lean - 0.2) / 0.2

    def with_veins(self, veins: VeinCount, leaning: float) -> Evidence:
        """The same with what was found of veins."""
        chosen = [*veins.left, *veins.right]
        return replace(
            self,
            lean=leaning,
            strength=float(np.mean([path.strength for path in chosen])) if chosen else 0.0,
            elevation_deg=float(np.median([path.elevation_deg for path in chosen])) if chosen else 0.0,
            doubt=max(veins.left_doubt, veins.right_doubt),
        )


def why_no_veins(evidence: Evidence, veins: VeinCount) -> NotMeasured | None:
    """Why the veins that were found are not believed; None where they are."""
    if evidence.strength < _LEAST_STRENGTH or evidence.doubt > _MOST_DOUBT:
        return NotMeasured.VEINS_NOT_VISIBLE
    parallel = evidence.elevation_deg > _MOST_STEEP or evidence.lean < LEAST_LEAN
    if parallel or len(veins.left) + len(veins.right) < 2 * _FEWEST or evidence.plausible < _LEAST_PLAUSIBLE:
        return NotMeasured.NOT_PINNATE
    return None
