"""Every taxon that cannot be excluded: conformal prediction sets.

The set of an image holds the true taxon in at least ``coverage`` of all cases, whatever the network is worth, if the
gatherings by which the threshold was fitted and the new ones are exchangeable: drawn in the same way from the same
flora, herbaria and cameras. A photo of another kind, or of a taxon that the network does not know, has no such promise.

Where the network is a probe, the threshold is fitted on all gatherings of train and val, each scored by a probe without
its fold, as in cross-conformal prediction (Vovk 2015, Annals of Mathematics and Artificial Intelligence 74). Proven is
then a coverage of 1 - 2 (1 - ``coverage``), not more (Barber et al. 2021, Predictive inference with the jackknife+,
Annals of Statistics 49); what is measured lies near ``coverage`` all the same.

Scores are those of adaptive prediction sets (Romano, Sesia & Candès 2020, Classification with valid and adaptive
coverage, NeurIPS) in their form without chance: the probability of all taxa that are more probable. The first
candidate has 0, so no set is empty, the same image always gets the same set, and where the network is right more often
than ``coverage`` asks, sets of one taxon cover more than that. ``penalty`` for late ranks: Angelopoulos et al. 2021,
Uncertainty sets for image classifiers using conformal prediction, ICLR (RAPS). Gatherings of several images count as
in Lee, Barber & Willett 2023, Distribution-free inference with hierarchical data, arXiv:2306.06342.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import PredictionSets, SetLevel
from leafid.trust.bootstrap import bootstrap_weights, gathering_weights, mean_interval
from leafid.trust.calibration import CalibrationSet
from leafid.trust.metric_types import PredictionSetResult

REPORTED = (0.90, 0.95)
"""Coverages that are measured beside that of the job."""

OWN_THRESHOLD = 50
"""Gatherings of a taxon from which on it gets a threshold of its own: a share of 0.95 among so many is known to within
0.03 (standard error)."""


def nonconformity(probabilities: NDArray[np.float64], *, penalty: float = 0.0, k_reg: int = 1) -> NDArray[np.float64]:
    """Return how badly each taxon conforms with each image: (N, T), 0 for the first candidate, rising with the rank.

    Args:
        probabilities: (N, T), calibrated.
        penalty: added for every rank beyond ``k_reg``.
        k_reg: ranks without penalty.
    """
    order = np.argsort(-probabilities, axis=1, kind="stable")
    ranked = np.take_along_axis(probabilities, order, axis=1)
    before = np.cumsum(ranked, axis=1) - ranked
    before[:, 0] = 0.0
    before += penalty * np.maximum(0, np.arange(probabilities.shape[1]) + 1 - k_reg)
    scores = np.empty_like(before)
    np.put_along_axis(scores, order, before, axis=1)
    return scores


def conformal_threshold(scores: NDArray[np.float64], gatherings: Sequence[str], coverage: float) -> float:
    """Return the smallest threshold that covers a new gathering with probability ``coverage``; infinite with too few.

    With one image for each of n gatherings that is the ``ceil((n + 1) * coverage)``-th smallest score.

    Args:
        scores: (N,) of the true taxa.
        gatherings: the gathering of each image; each weighs one, and so does the new one.
        coverage: 0..1.
    """
    order = np.argsort(scores, kind="stable")
    weights = gathering_weights(gatherings)[order]
    reached = np.cumsum(weights) / (weights.sum() + 1)
    enough = np.flatnonzero(reached >= coverage - 1e-12)
    return float(scores[order][enough[0]]) if len(enough) else float("inf")


def fit_prediction_sets(
    probabilities: NDArray[np.float64],
    known: CalibrationSet,
    coverage: float,
    *,
    penalty: float = 0.0,
    k_reg: int = 1,
) -> PredictionSets:
    """Find the thresholds on images that the network, or the probe that scored them, was not fitted to.

    Args:
        probabilities: (N, T), calibrated, of the images of ``known``.
        known: the images.
        coverage: what the job asks for.
        penalty: see ``nonconformity``.
        k_reg: see ``nonconformity``.
    """
    every = nonconformity(probabilities, penalty=penalty, k_reg=k_reg)
    scores = every[np.arange(len(known.truth)), known.truth]
    names = np.asarray(known.gatherings, dtype=str)
    levels = []
    for level in sorted({*REPORTED, coverage}):
        own = {}
        for label in np.unique(known.truth):
            mine = known.truth == label
            if len(set(names[mine])) >= OWN_THRESHOLD:
                own[int(label)] = conformal_threshold(scores[mine], list(names[mine]), level)
        # A threshold that covers everything is written as a number that JSON has.
        threshold = min(conformal_threshold(scores, known.gatherings, level), float(every.max(initial=1.0)) + 1.0)
        levels.append(SetLevel(coverage=level, threshold=threshold, by_taxon=own))
    return PredictionSets(
        coverage=coverage, levels=tuple(levels), penalty=penalty, k_reg=k_reg, fitted_on=known.fitted_on
    )


def prediction_sets(
    probabilities: NDArray[np.float64], fitted: PredictionSets, level: SetLevel | None = None
) -> NDArray[np.bool_]:
    """Say which taxa are in the set of each image: (N, T); the first candidate always is.

    Args:
        probabilities: (N, T), calibrated.
        fitted: the bundle's.
        level: by default that of the job.
    """
    level = level or fitted.level
    thresholds = np.full(probabilities.shape[1], level.threshold)
    for label, threshold in level.by_taxon.items():
        thresholds[label] = threshold
    scores = nonconformity(probabilities, penalty=fitted.penalty, k_reg=fitted.k_reg)
    return np.asarray((scores <= thresholds) | (scores == 0))


def prediction_set_results(
    probabilities: NDArray[np.float64],
    truth: NDArray[np.int64],
    gatherings: Sequence[str],
    fitted: PredictionSets,
    *,
    seed: int = 0,
) -> tuple[PredictionSetResult, ...]:
    """Measure the sets at each level on images that had no part in the fitting.

    Args:
        probabilities: (N, T), calibrated; at least one row.
        truth: (N,) labels.
        gatherings: the gathering of each image.
        fitted: the bundle's.
        seed: of the bootstrap.
    """
    drawn = bootstrap_weights(gatherings, seed=seed)
    figures = []
    for level in fitted.levels:
        sets = prediction_sets(probabilities, fitted, level)
        covered, sizes = sets[np.arange(len(truth)), truth].astype(float), sets.sum(axis=1)
        figures.append(
            PredictionSetResult(
                nominal=level.coverage,
                coverage=float(covered.mean()),
                coverage_interval=mean_interval(covered, drawn),
                mean_size=float(sizes.mean()),
                median_size=float(np.median(sizes)),
                single=float((sizes == 1).mean()),
            )
        )
    return tuple(figures)
