"""Out-of-distribution (OOD) detection: does an image belong to none of the known taxa?

An OOD score is higher the less an image resembles the training images. Sources: maximum probability, Hendrycks & Gimpel
2017, A baseline for detecting misclassified and out-of-distribution examples, ICLR; energy, Liu et al. 2020,
Energy-based out-of-distribution detection, NeurIPS; Mahalanobis distance, Lee et al. 2018, A simple unified framework
for detecting out-of-distribution samples and adversarial attacks, NeurIPS, here of features of length 1, as in Müller &
Hein 2025, Mahalanobis++, arXiv:2505.18032; relative Mahalanobis distance, Ren et al. 2021, arXiv:2106.09022; ratio of
the distances to the nearest and the second nearest taxon, after Mendes Junior et al. 2017, Nearest neighbors distance
ratio open-set classifier, Machine Learning 106; nearest neighbour, Sun et al. 2022, Out-of-distribution detection with
deep nearest neighbors, ICML.
``scripts/measure_ood_scores.py`` compares them.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration, OodDetector, OodPart
from leafid.jobs import OodScore
from leafid.trust.calibration import CalibrationSet
from leafid.trust.intervals import bootstrap_weights, gathering_weights
from leafid.trust.training_features import TrainingFeatures

COMBINED: tuple[OodScore, ...] = ("mahalanobis", "mahalanobis_ratio")
"""The scores whose standardised sum is the score ``combined``: unlike each taxon, and no more like one than another.
A photo of another day is farther from its own taxon than those at hand, but also from the others: the ratio hardly
changes."""


BOUND = 0.95
"""Confidence that the threshold accepts at least the promised share of a new series."""


def needs_distributions(score: OodScore) -> bool:
    """Return whether a score compares images with a normal distribution for each taxon."""
    return any("mahalanobis" in part for part in parts_of(score))


def parts_of(score: OodScore) -> tuple[OodScore, ...]:
    """Return the scores that a score consists of: several of ``combined``, else itself."""
    return COMBINED if score == "combined" else (score,)


def part_scores(
    parts: Sequence[OodScore],
    logits: NDArray[np.floating],
    features: NDArray[np.floating],
    training: TrainingFeatures,
) -> dict[OodScore, NDArray[np.float64]]:
    """Return scores of each image (N,).

    Args:
        parts: which, without ``combined``; see ``trust.ood_score`` of a job.
        logits: (N, T), divided by the temperature.
        features: (N, F), the embeddings before the head.
        training: features of the training images.
    """
    functions: dict[OodScore, Callable[[], NDArray[np.float64]]] = {
        "max_probability": lambda: -_max_probability(np.asarray(logits, dtype=np.float64)),
        "energy": lambda: -_log_sum_exp(np.asarray(logits, dtype=np.float64)),
        "mahalanobis": lambda: training.mahalanobis(features, relative=False),
        "relative_mahalanobis": lambda: training.mahalanobis(features, relative=True),
        "mahalanobis_ratio": lambda: training.mahalanobis_ratio(features),
        "nearest_neighbour": lambda: 1 - training.nearest_similarity(features),
    }
    return {part: functions[part]() for part in parts}


def ood_scores(
    detector: OodDetector,
    calibration: Calibration,
    logits: NDArray[np.floating],
    features: NDArray[np.floating],
    training: TrainingFeatures,
) -> NDArray[np.float64]:
    """Return the OOD score of each image: (N,), higher for images less like the training images.

    Args:
        detector: the bundle's.
        calibration: the bundle's.
        logits: (N, T), of the network.
        features: (N, F), the embeddings before the head.
        training: features of the training images.
    """
    parts = detector.scores  # not those of `combined` today: an earlier leafid may have calibrated the bundle
    return combined_scores(detector.parts, part_scores(parts, logits / calibration.temperature, features, training))


def combined_scores(parts: Sequence[OodPart], scores: Mapping[OodScore, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the sum of standardised scores (N,); a single score without parts stays as it is."""
    if not parts:
        (single,) = scores.values()
        return single
    return np.asarray(sum((scores[part.score] - part.centre) / part.scale for part in parts))


def fit_ood_detector(
    score: OodScore,
    scores: Mapping[OodScore, NDArray[np.float64]],
    fitting: CalibrationSet,
    id_acceptance_rate: float,
    *,
    stretches: Sequence[str] | None = None,
) -> OodDetector:
    """Fit the threshold that accepts a share of the gatherings of known taxa.

    Args:
        score: which score.
        scores: its parts (N,) of the images of ``fitting``, none compared with itself.
        fitting: val, or train and val out of fold.
        id_acceptance_rate: 0..1; each gathering has weight 1.
        stretches: (N,), of a series; see ``acceptance_threshold``.
    """
    parts = tuple(_standardised(part, values, fitting) for part, values in scores.items()) if len(scores) > 1 else ()
    values = combined_scores(parts, scores)
    return OodDetector(
        score=score,
        parts=parts,
        threshold=acceptance_threshold(values, fitting.gatherings, id_acceptance_rate, stretches=stretches),
        id_acceptance_rate=id_acceptance_rate,
        fitted_on=fitting.fitted_on,
    )


def _standardised(score: OodScore, values: NDArray[np.float64], fitting: CalibrationSet) -> OodPart:
    """Return median and upper spread of a score of known taxa: the tail that matters is that of the unlikely ones."""
    centre, upper = (acceptance_threshold(values, fitting.gatherings, share) for share in (0.5, 0.95))
    return OodPart(score=score, centre=centre, scale=max(upper - centre, 1e-6))


def acceptance_threshold(
    scores: NDArray[np.float64],
    gatherings: Sequence[str],
    id_acceptance_rate: float,
    *,
    stretches: Sequence[str] | None = None,
) -> float:
    """Return the lowest threshold that at least ``id_acceptance_rate`` of the gatherings do not exceed.

    Args:
        scores: (N,).
        gatherings: of the N images; each has weight 1.
        id_acceptance_rate: 0..1.
        stretches: of a series of photos, in which the N images are. Photos of another day differ from those at hand,
            and the spread between stretches is all that the images tell about it: at the share itself, of half of all
            new series more would be refused than promised. The threshold is then the upper end of its one-sided
            interval, by cluster bootstrap. None: single gatherings, which new ones are like.
    """
    order = np.argsort(scores, kind="stable")
    drawn = np.ones((1, len(scores))) if stretches is None else bootstrap_weights(stretches)
    accepted = np.cumsum((drawn * gathering_weights(gatherings))[:, order], axis=1)
    # The tolerance makes a share such as 19/20 count as 0.95 despite rounding.
    first = (accepted < (id_acceptance_rate - 1e-12) * accepted[:, -1:]).sum(axis=1)
    thresholds = scores[order][first]
    return float(thresholds[0] if stretches is None else np.quantile(thresholds, BOUND))


def out_of_fold_part_scores(
    score: OodScore,
    logits: NDArray[np.floating],
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    nuisance: NDArray[np.float32] | None = None,
) -> dict[OodScore, NDArray[np.float64]]:
    """Return the parts of the score of each image compared with the images of the other folds; needs two folds or more.

    Args:
        score: see ``trust.ood_score`` of a job.
        logits: (N, T), divided by the temperature; of heads that were not fitted to the image.
        features: (N, F).
        labels: (N,).
        folds: (N,).
        nuisance: (F, K), directions that distances leave out.
    """
    scores: dict[OodScore, NDArray[np.float64]] = {}
    for fold in np.unique(folds):
        held_out = folds == fold
        others = TrainingFeatures.of(features[~held_out], labels[~held_out], nuisance)
        for part, values in part_scores(parts_of(score), logits[held_out], features[held_out], others).items():
            scores.setdefault(part, np.empty(len(labels)))[held_out] = values
    return scores


def _max_probability(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.exp(logits.max(axis=1) - _log_sum_exp(logits)))


def _log_sum_exp(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = logits.max(axis=1)  # subtracted so that exp cannot overflow
    return np.asarray(largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1)))
