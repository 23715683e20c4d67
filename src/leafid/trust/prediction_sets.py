"""Conformal prediction sets: every taxon that cannot be excluded.

The set of an image contains the true taxon with probability ``coverage`` or more, however good the network is. The
condition is exchangeability: the gatherings used for fitting and the new ones come from the same flora, herbaria and
cameras. For another kind of photo, or an unknown taxon, there is no guarantee.

For a linear probe, the threshold is fitted on all gatherings of train and val, each scored by a probe of the other
folds, as in cross-conformal prediction (Vovk 2015, Annals of Mathematics and Artificial Intelligence 74). The guarantee
is then only 1 - 2 (1 - ``coverage``) (Barber et al. 2021, Predictive inference with the jackknife+, Annals of
Statistics 49); in practice the coverage is near ``coverage``.

Nonconformity scores are those of adaptive prediction sets (APS; Romano, Sesia & Candès 2020, Classification with valid
and adaptive coverage, NeurIPS), without randomisation: the total probability of all more probable taxa. The first
candidate scores 0. So no set is empty, the same image always gets the same set, and sets of one taxon cover more than
``coverage`` when the accuracy is higher than that. ``penalty`` for late ranks: Angelopoulos et al. 2021, Uncertainty
sets for image classifiers using conformal prediction, ICLR (RAPS). Gatherings of several images are weighted as in Lee,
Barber & Willett 2023, Distribution-free inference with hierarchical data, arXiv:2306.06342.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import CoverageLevel, PredictionSets
from leafid.trust.calibration import CalibrationSet
from leafid.trust.intervals import bootstrap_weights, gathering_weights, mean_interval

if TYPE_CHECKING:
    from leafid.trust.metric_schemas import PredictionSetResult

REPORTED_COVERAGES = (0.90, 0.95)
"""Coverages that evaluation measures in addition to that of the job."""

MIN_TAXON_GATHERINGS = 50
"""A taxon with at least so many gatherings gets its own threshold (class-conditional conformal prediction).

With fewer, the standard error of a coverage of 0.95 exceeds 0.03.
"""


def nonconformity(probabilities: NDArray[np.float64], *, penalty: float = 0.0, k_reg: int = 1) -> NDArray[np.float64]:
    """Return the nonconformity score of each taxon for each image: (N, T); 0 for the first candidate, rising by rank.

    Args:
        probabilities: (N, T), calibrated.
        penalty: added for every rank beyond ``k_reg``.
        k_reg: ranks without penalty.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    ranked_scores = np.cumsum(ranked, axis=1) - ranked
    ranked_scores[:, 0] = 0.0  # exactly 0 despite rounding, so that the first candidate is in every set
    ranked_scores += penalty * np.maximum(0, np.arange(probabilities.shape[1]) + 1 - k_reg)
    scores = np.empty_like(ranked_scores)
    np.put_along_axis(scores, order, ranked_scores, axis=1)
    return scores


def conformal_threshold(scores: NDArray[np.float64], gatherings: Sequence[str], coverage: float) -> float:
    """Return the smallest threshold that covers a new gathering with probability ``coverage``.

    With one image in each of n gatherings it is the ``ceil((n + 1) * coverage)``-th smallest score. With too few
    gatherings it is infinite.

    Args:
        scores: (N,) of the true taxa.
        gatherings: the gathering of each image; each has weight 1, and so has the new one.
        coverage: 0..1.
    """
    order = np.argsort(scores, kind="stable")
    weights = gathering_weights(gatherings)[order]
    covered = np.cumsum(weights) / (weights.sum() + 1)  # + 1: the new gathering, whose score could be the highest
    sufficient = np.flatnonzero(covered >= coverage - 1e-12)  # the tolerance absorbs rounding of the sums
    return float(scores[order][sufficient[0]]) if len(sufficient) else float("inf")


def fit_prediction_sets(
    probabilities: NDArray[np.float64],
    fitting: CalibrationSet,
    coverage: float,
    *,
    penalty: float = 0.0,
    k_reg: int = 1,
) -> PredictionSets:
    """Fit the thresholds, on images to which the network, or the probe that predicted them, was not fitted.

    Args:
        probabilities: (N, T), calibrated, of the images of ``fitting``.
        fitting: the images.
        coverage: the coverage of the job.
        penalty: see ``nonconformity``.
        k_reg: see ``nonconformity``.
    """
    all_scores = nonconformity(probabilities, penalty=penalty, k_reg=k_reg)
    scores = all_scores[np.arange(len(fitting.truth)), fitting.truth]
    units = np.asarray(fitting.gatherings, dtype=str)
    levels = []
    for level in sorted({*REPORTED_COVERAGES, coverage}):
        taxon_thresholds = {}
        for label in np.unique(fitting.truth):
            of_taxon = fitting.truth == label
            if len(set(units[of_taxon])) >= MIN_TAXON_GATHERINGS:
                taxon_thresholds[int(label)] = conformal_threshold(scores[of_taxon], list(units[of_taxon]), level)
        # JSON has no infinity: an infinite threshold becomes one above every score.
        threshold = min(
            conformal_threshold(scores, fitting.gatherings, level), float(all_scores.max(initial=1.0)) + 1.0
        )
        levels.append(CoverageLevel(coverage=level, threshold=threshold, taxon_thresholds=taxon_thresholds))
    return PredictionSets(
        coverage=coverage, levels=tuple(levels), penalty=penalty, k_reg=k_reg, fitted_on=fitting.fitted_on
    )


def prediction_sets(
    probabilities: NDArray[np.float64], fitted: PredictionSets, level: CoverageLevel | None = None
) -> NDArray[np.bool_]:
    """Return which taxa are in the set of each image: (N, T).

    The first candidate always is, and so is every taxon more probable than the share of sets that may be wrong, 1 -
    coverage: where nearly all first candidates are right the threshold is 0, and a second candidate of 0.48 would be
    left out.

    Args:
        probabilities: (N, T), calibrated.
        fitted: the bundle's.
        level: by default that of the job.
    """
    level = level or fitted.level
    thresholds = np.full(probabilities.shape[1], level.threshold)
    for label, threshold in level.taxon_thresholds.items():
        thresholds[label] = threshold
    scores = nonconformity(probabilities, penalty=fitted.penalty, k_reg=fitted.k_reg)
    probable = probabilities > 1 - level.coverage + 1e-9  # 1 - 0.9 is rounded
    return np.asarray((scores <= thresholds) | (scores == 0) | probable)


def prediction_set_results(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    gatherings: Sequence[str],
    fitted: PredictionSets,
    *,
    seed: int = 0,
) -> "tuple[PredictionSetResult, ...]":
    """Measure coverage and size of the sets at each level, on images that were not used for fitting.

    Args:
        probabilities: (N, T), calibrated; at least one row.
        truth: (N,) labels.
        gatherings: the gathering of each image.
        fitted: the bundle's.
        seed: of the bootstrap.
    """
    from leafid.trust.metric_schemas import PredictionSetResult

    resamples = bootstrap_weights(gatherings, seed=seed)
    results = []
    for level in fitted.levels:
        sets = prediction_sets(probabilities, fitted, level)
        covered, sizes = sets[np.arange(len(truth)), truth].astype(float), sets.sum(axis=1)
        results.append(
            PredictionSetResult(
                nominal_coverage=level.coverage,
                coverage=float(covered.mean()),
                coverage_interval=mean_interval(covered, resamples),
                mean_size=float(sizes.mean()),
                median_size=float(np.median(sizes)),
                singleton_share=float((sizes == 1).mean()),
            )
        )
    return tuple(results)
