"""Decide the answer for an image: a taxon, a genus or family, or undetermined (selective classification)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import BundleInfo, Decision, OodDetector
from leafid.sheets import GOOD
from leafid.taxonomy import Rank, Taxonomy
from leafid.trust.image_quality import MIN_BRIGHTNESS, ImageQuality
from leafid.trust.prediction_sets import prediction_sets

_EXCLUDED = 0.95
"""Probability of all taxa that were not asked for from which none is named: at the usual level of significance the
plant is not among those asked for."""


TINY_LEAF = 0.06
"""Length of a leaf, as a share of the image's side, up to which the input gate calls it small."""

UNSURE_GOOD = 0.01
"""Probability of a suitable photo from which the input gate is not sure that the image shows no leaf."""
WELL_KNOWN = 0.75
"""Share of the way from the usual OOD score of known taxa to the threshold, up to which an image is well inside."""


class UndeterminedReason(StrEnum):
    """Why an image that could be read was not identified. Records hold these codes."""

    TOO_SMALL = "too_small"
    """The image, or the leaf in it, has fewer pixels than the network needs."""
    TOO_DARK = "too_dark"
    """The image is nearly black."""
    BLURRED = "blurred"
    """The image is not sharp: veins cannot be seen, whatever the leaf is like."""
    NOT_A_LEAF = "not_a_leaf"
    """The image shows no leaf."""
    SEVERAL_PLANTS = "several_plants"
    """Leaves of clearly different form lie in the image."""
    CUT_OFF = "cut_off"
    """The image's edge cuts off most of the leaf."""
    UNKNOWN_TAXON = "unknown_taxon"
    """The image is out of distribution: unlike all training images."""
    EXCLUDED_TAXON = "excluded_taxon"
    """Almost certainly a taxon that the question left out; see ``decide``."""
    AMBIGUOUS = "ambiguous"
    """The highest probability lies below the bundle's ``min_probability``, at every rank."""


@dataclass(frozen=True)
class Identification:
    """The answer for one image.

    Attributes:
        name: the taxon; None when the answer is undetermined.
        rank: rank of ``name``: that of the bundle's taxa, or genus or family when only that is certain enough.
        probability: calibrated probability of ``name``; of the first candidate when undetermined.
        candidates: every label that was asked for with its calibrated probability, the most probable first.
        prediction_set: labels in the conformal prediction set, the most probable first; None before calibration.
        reason: why the answer is undetermined; None when a taxon is named.
        excluded: labels that were not asked for with their probabilities among all labels, the most probable first.
    """

    name: str | None
    rank: Rank | None
    probability: float
    candidates: tuple[tuple[int, float], ...]
    prediction_set: tuple[int, ...] | None
    reason: UndeterminedReason | None
    excluded: tuple[tuple[int, float], ...] = ()

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
    asked: Collection[int] | None = None,
) -> Identification:
    """Decide the answer for one image: check quality and OOD score first, then species, genus and family.

    Args:
        probabilities: (T,), calibrated, in label order, without NaN.
        info: the bundle's description, which holds the thresholds.
        ood_score: see ``leafid.trust.ood``; None skips this check.
        quality: of the image; None skips these checks.
        asked: labels among which the answer lies for certain, such as the taxa of a country; None: all. Probabilities
            are those given that it does (Bayes' rule: divided by their sum).
    """
    ranked = _ranked(probabilities)
    members = _prediction_set(probabilities, ranked, info)
    excluded: tuple[tuple[int, float], ...] = ()
    if asked is not None:
        excluded = tuple(one for one in ranked if one[0] not in asked)
        # The set of all labels holds the true one at its rate, so its part that was asked for does so as well.
        members = members and tuple(label for label in members if label in asked)
        probabilities = _given(probabilities, asked)
        ranked = tuple(one for one in _ranked(probabilities) if one[0] in asked)
    first, best = ranked[0]
    if members == ():
        members = (first,)

    def answer(
        name: str | None, rank: Rank | None, probability: float, reason: UndeterminedReason | None = None
    ) -> Identification:
        return Identification(name, rank, probability, ranked, members, reason, excluded)

    reason = _rejection_reason(info, ood_score, quality)
    if reason is None and sum(probability for _, probability in excluded) > _EXCLUDED:
        reason = UndeterminedReason.EXCLUDED_TAXON
    if reason is not None:
        return answer(None, None, best, reason)
    taxon = info.taxonomy.taxa[first]
    if best >= info.decision.min_probability:
        return answer(taxon.scientific_name, taxon.rank, best)
    for rank in (Rank.GENUS, Rank.FAMILY):
        name, probability = _most_probable_at(rank, probabilities, info.taxonomy)
        if name is not None and probability >= info.decision.min_probability:
            return answer(name, rank, probability)
    return answer(None, None, best, UndeterminedReason.AMBIGUOUS)


def _ranked(probabilities: NDArray[np.floating]) -> tuple[tuple[int, float], ...]:
    return tuple((int(label), float(probabilities[label])) for label in np.argsort(-probabilities, kind="stable"))


def _given(probabilities: NDArray[np.floating], asked: Collection[int]) -> NDArray[np.float64]:
    """Return (T,) probabilities given that the label is among ``asked``; those of the others are 0."""
    among = np.zeros(len(probabilities))
    labels = list(asked)
    # The least normal number keeps the order of labels whose probabilities are all nearly 0.
    among[labels] = np.maximum(np.asarray(probabilities, dtype=np.float64)[labels], np.finfo(np.float64).tiny)
    return np.asarray(among / among.sum())


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


def quality_reason(
    limits: Decision,
    quality: ImageQuality | None,
    *,
    detector: OodDetector | None = None,
    ood_score: float | None = None,
) -> UndeterminedReason | None:
    """Return why an image is unsuitable whatever plant it shows: small, dark, blurred and so on; else None.

    Args:
        limits: the bundle's.
        quality: of the image; None, where it was not measured, gives None.
        detector: the bundle's. What is well inside the known taxa to it is a leaf, where the input gate is not sure.
        ood_score: of the image; None: the input gate alone decides.
    """
    if quality is None:
        return None
    if limits.min_side is not None and quality.shorter_side < limits.min_side:
        return UndeterminedReason.TOO_SMALL
    if quality.brightness < MIN_BRIGHTNESS:
        return UndeterminedReason.TOO_DARK
    if limits.min_good is not None and quality.answers is not None:
        reason = _gate_reason(quality.answers, limits.min_good, quality.shorter_side, limits.min_side)
        doubted = reason is UndeterminedReason.NOT_A_LEAF and quality.answers[GOOD] >= UNSURE_GOOD
        return None if doubted and _is_well_known(detector, ood_score) else reason
    return None


def _is_well_known(detector: OodDetector | None, ood_score: float | None) -> bool:
    """Return whether an image is well inside the known taxa; only the parts of a score tell what is usual: 0."""
    if detector is None or not detector.parts or ood_score is None:
        return False
    return ood_score <= WELL_KNOWN * detector.threshold


def _gate_reason(
    answers: Mapping[str, float], min_good: float, shorter_side: int, min_side: int | None
) -> UndeterminedReason | None:
    """Return the most probable reason of the input gate, or None where a suitable photo is probable enough."""
    reasons = {UndeterminedReason(name): value for name, value in answers.items() if name != GOOD}
    good = answers[GOOD]
    if min_side is None or TINY_LEAF * shorter_side >= min_side:
        good += reasons.pop(UndeterminedReason.TOO_SMALL)  # small in the frame, but there are pixels enough
    return max(reasons, key=lambda reason: reasons[reason]) if good < min_good else None


def _rejection_reason(
    info: BundleInfo, ood_score: float | None, quality: ImageQuality | None
) -> UndeterminedReason | None:
    reason = quality_reason(info.decision, quality, detector=info.ood_detector, ood_score=ood_score)
    if reason is not None:
        return reason
    if ood_score is not None and info.ood_detector is not None and ood_score > info.ood_detector.threshold:
        return UndeterminedReason.UNKNOWN_TAXON
    return None
