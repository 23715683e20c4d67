"""The one place where probabilities become an answer, or "I cannot tell"."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo
from leafid.taxonomy import Rank, Taxonomy
from leafid.trust.image_quality import ImageQuality
from leafid.trust.prediction_sets import prediction_sets


class UndeterminedReason(StrEnum):
    """Why an image that could be read was not identified. These codes stand in records."""

    TOO_SMALL = "too_small"
    """The image has fewer pixels than the network needs."""
    BLURRED = "blurred"
    """It is far less sharp than the images the network was validated with."""
    NOT_A_LEAF = "not_a_leaf"
    """No plant was found on it."""
    UNKNOWN_TAXON = "unknown_taxon"
    """It is like nothing the network was trained on."""
    AMBIGUOUS = "ambiguous"
    """No taxon stands out: the highest probability lies below the bundle's ``min_probability``, at every rank."""


@dataclass(frozen=True)
class Verdict:
    """The answer for one image.

    Attributes:
        name: the taxon that is named, or None where the answer is "I cannot tell".
        rank: its rank: that of the taxa the network knows, or a wider one where only that is certain.
        probability: calibrated probability of what is named; of the first candidate where nothing is.
        candidates: every label with its calibrated probability, the most probable first.
        prediction_set: the labels that cannot be excluded, the most probable first; None before sets were fitted.
        reason: why no taxon is named; None where one is.
    """

    name: str | None
    rank: Rank | None
    probability: float
    candidates: tuple[tuple[int, float], ...]
    prediction_set: tuple[int, ...] | None
    reason: UndeterminedReason | None

    @property
    def identified(self) -> bool:
        """Whether a taxon is named."""
        return self.name is not None


def decide(
    probabilities: NDArray[np.floating],
    info: BundleInfo,
    *,
    ood_score: float | None = None,
    quality: ImageQuality | None = None,
) -> Verdict:
    """Answer for one image.

    Args:
        probabilities: (T,), calibrated, in label order, without NaN.
        info: the bundle's description, which holds the limits.
        ood_score: see ``leafid.trust.ood``; None: not measured, and not judged.
        quality: of the image; None: not measured, and not judged.
    """
    order = np.argsort(-probabilities, kind="stable")
    candidates = tuple((int(label), float(probabilities[label])) for label in order)
    first, best = candidates[0]
    members = _set(probabilities, candidates, info)
    reason = _refused(info, ood_score, quality)
    if reason is not None:
        return Verdict(None, None, best, candidates, members, reason)
    taxon = info.taxonomy.taxa[first]
    if best >= info.decision.min_probability:
        return Verdict(taxon.scientific_name, taxon.rank, best, candidates, members, None)
    for rank in (Rank.GENUS, Rank.FAMILY):
        name, probability = _at(rank, probabilities, info.taxonomy)
        if name is not None and probability >= info.decision.min_probability:
            return Verdict(name, rank, probability, candidates, members, None)
    return Verdict(None, None, best, candidates, members, UndeterminedReason.AMBIGUOUS)


def reported_ranks(taxonomy: Taxonomy) -> tuple[Rank, ...]:
    """Return the wider ranks at which there is something to tell: two or more names, and fewer than taxa."""
    counts = {rank: len({taxon.at(rank) for taxon in taxonomy.taxa}) for rank in (Rank.GENUS, Rank.FAMILY)}
    known = {rank: all(taxon.at(rank) is not None for taxon in taxonomy.taxa) for rank in counts}
    return tuple(rank for rank, count in counts.items() if known[rank] and 1 < count < len(taxonomy))


def _at(rank: Rank, probabilities: NDArray[np.floating], taxonomy: Taxonomy) -> tuple[str | None, float]:
    """The most probable name at a rank; none where all taxa share one, since nothing else could have come out."""
    totals = taxonomy.roll_up([float(value) for value in probabilities], rank)
    if len(totals) < 2:
        return None, 0.0
    name = max(totals, key=lambda key: totals[key])
    return name, min(1.0, totals[name])


def _set(
    probabilities: NDArray[np.floating], candidates: tuple[tuple[int, float], ...], info: BundleInfo
) -> tuple[int, ...] | None:
    if info.prediction_sets is None:
        return None
    (members,) = prediction_sets(np.asarray(probabilities, dtype=np.float64)[None], info.prediction_sets)
    return tuple(label for label, _ in candidates if members[label])


def _refused(info: BundleInfo, ood_score: float | None, quality: ImageQuality | None) -> UndeterminedReason | None:
    limits = info.decision
    if quality is not None:
        if limits.min_side is not None and quality.shorter_side < limits.min_side:
            return UndeterminedReason.TOO_SMALL
        if limits.min_sharpness is not None and quality.sharpness < limits.min_sharpness:
            return UndeterminedReason.BLURRED
        if limits.needs_plant and not quality.plant:
            return UndeterminedReason.NOT_A_LEAF
    if ood_score is not None and info.ood_detector is not None and ood_score > info.ood_detector.threshold:
        return UndeterminedReason.UNKNOWN_TAXON
    return None
