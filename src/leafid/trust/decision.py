"""Decide the answer for an image: a taxon, a genus or family, or undetermined (selective classification)."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo
from leafid.taxonomy import Rank, Taxonomy
from leafid.trust.image_quality import ImageQuality
from leafid.trust.prediction_sets import prediction_sets


class UndeterminedReason(StrEnum):
    """Why an image that could be read was not identified. Records hold these codes."""

    TOO_SMALL = "too_small"
    """The image has fewer pixels than the network needs."""
    BLURRED = "blurred"
    """The image is far less sharp than the training images."""
    NOT_A_LEAF = "not_a_leaf"
    """No plant was found on the image."""
    UNKNOWN_TAXON = "unknown_taxon"
    """The image is out of distribution: unlike all training images."""
    AMBIGUOUS = "ambiguous"
    """The highest probability lies below the bundle's ``min_probability``, at every rank."""


@dataclass(frozen=True)
class Identification:
    """The answer for one image.

    Attributes:
        name: the taxon; None when the answer is undetermined.
        rank: rank of ``name``: that of the bundle's taxa, or genus or family when only that is certain enough.
        probability: calibrated probability of ``name``; of the first candidate when undetermined.
        candidates: every label with its calibrated probability, the most probable first.
        prediction_set: labels in the conformal prediction set, the most probable first; None before calibration.
        reason: why the answer is undetermined; None when a taxon is named.
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
) -> Identification:
    """Decide the answer for one image: check quality and OOD score first, then species, genus and family.

    Args:
        probabilities: (T,), calibrated, in label order, without NaN.
        info: the bundle's description, which holds the thresholds.
        ood_score: see ``leafid.trust.ood``; None skips this check.
        quality: of the image; None skips these checks.
    """
    order = np.argsort(-probabilities, kind="stable")
    candidates = tuple((int(label), float(probabilities[label])) for label in order)
    first, best = candidates[0]
    members = _prediction_set(probabilities, candidates, info)
    reason = _rejection_reason(info, ood_score, quality)
    if reason is not None:
        return Identification(None, None, best, candidates, members, reason)
    taxon = info.taxonomy.taxa[first]
    if best >= info.decision.min_probability:
        return Identification(taxon.scientific_name, taxon.rank, best, candidates, members, None)
    for rank in (Rank.GENUS, Rank.FAMILY):
        name, probability = _most_probable_at(rank, probabilities, info.taxonomy)
        if name is not None and probability >= info.decision.min_probability:
            return Identification(name, rank, probability, candidates, members, None)
    return Identification(None, None, best, candidates, members, UndeterminedReason.AMBIGUOUS)


def reported_ranks(taxonomy: Taxonomy) -> tuple[Rank, ...]:
    """Return the ranks among genus and family that have two or more names, and fewer names than taxa."""
    counts = {rank: len({taxon.at(rank) for taxon in taxonomy.taxa}) for rank in (Rank.GENUS, Rank.FAMILY)}
    is_known = {rank: all(taxon.at(rank) is not None for taxon in taxonomy.taxa) for rank in counts}
    return tuple(rank for rank, count in counts.items() if is_known[rank] and 1 < count < len(taxonomy))


def _most_probable_at(rank: Rank, probabilities: NDArray[np.floating], taxonomy: Taxonomy) -> tuple[str | None, float]:
    """Return the most probable name at a rank; None when all taxa share one name, which carries no information."""
    totals = taxonomy.roll_up([float(value) for value in probabilities], rank)
    if len(totals) < 2:
        return None, 0.0
    name = max(totals, key=lambda key: totals[key])
    return name, min(1.0, totals[name])


def _prediction_set(
    probabilities: NDArray[np.floating], candidates: tuple[tuple[int, float], ...], info: BundleInfo
) -> tuple[int, ...] | None:
    if info.prediction_sets is None:
        return None
    (members,) = prediction_sets(np.asarray(probabilities, dtype=np.float64)[None], info.prediction_sets)
    return tuple(label for label, _ in candidates if members[label])


def _rejection_reason(
    info: BundleInfo, ood_score: float | None, quality: ImageQuality | None
) -> UndeterminedReason | None:
    thresholds = info.decision
    if quality is not None:
        if thresholds.min_side is not None and quality.shorter_side < thresholds.min_side:
            return UndeterminedReason.TOO_SMALL
        if thresholds.min_sharpness is not None and quality.sharpness < thresholds.min_sharpness:
            return UndeterminedReason.BLURRED
        if thresholds.needs_plant and not quality.plant_found:
            return UndeterminedReason.NOT_A_LEAF
    if ood_score is not None and info.ood_detector is not None and ood_score > info.ood_detector.threshold:
        return UndeterminedReason.UNKNOWN_TAXON
    return None
