"""The one place where probabilities become an answer, or "I cannot tell"."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo


class UndeterminedReason(StrEnum):
    """Why an image that could be read was not identified. These codes stand in records."""

    AMBIGUOUS = "ambiguous"
    """No taxon stands out: the best score lies below the bundle's ``min_score``."""


@dataclass(frozen=True)
class Verdict:
    """The answer for one image.

    Attributes:
        label: the taxon that is named, or None where the answer is "I cannot tell".
        score: calibrated probability of the first candidate, 0..1.
        candidates: every label with its calibrated probability, the most probable first.
        reason: why no taxon is named; None where one is.
    """

    label: int | None
    score: float
    candidates: tuple[tuple[int, float], ...]
    reason: UndeterminedReason | None

    @property
    def identified(self) -> bool:
        """Whether a taxon is named."""
        return self.label is not None


def decide(probabilities: NDArray[np.floating], info: BundleInfo) -> Verdict:
    """Answer for one image.

    Args:
        probabilities: (T,), calibrated, in label order, without NaN.
        info: the bundle's description, which holds the limits.
    """
    order = np.argsort(-probabilities, kind="stable")
    candidates = tuple((int(label), float(probabilities[label])) for label in order)
    first, score = candidates[0]
    if score < info.decision.min_score:
        return Verdict(None, score, candidates, UndeterminedReason.AMBIGUOUS)
    return Verdict(first, score, candidates, None)
