"""OOD scores are low for known taxa and high for an unknown one; thresholds accept the given share."""

from typing import get_args

import numpy as np
import pytest

from leafid.jobs import OodScore
from leafid.learning.linear_probe.folds import blocked_folds
from leafid.trust.calibration import CalibrationSet
from leafid.trust.ood import (
    TrainingFeatures,
    acceptance_threshold,
    fit_ood_detector,
    ood_scores,
    out_of_fold_ood_scores,
)

TAXA, SIDE = 4, 40
CENTRES = np.random.default_rng(7).normal(0, 1, (TAXA + 1, SIDE))
"""Directions of the features of four known taxa and one unknown."""


def _images(label: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    features = CENTRES[label] + np.random.default_rng(seed).normal(0, 0.4, (count, SIDE))
    return features @ CENTRES[:TAXA].T, features


def _training() -> TrainingFeatures:
    return TrainingFeatures.of(
        np.concatenate([_images(label, 30, label)[1] for label in range(TAXA)]), np.repeat(np.arange(TAXA), 30)
    )


@pytest.mark.parametrize("score", get_args(OodScore))
def test_an_unknown_taxon_has_higher_ood_scores(score: OodScore) -> None:
    training = _training()
    known = ood_scores(score, *_images(1, 50, 100), training)
    unknown = ood_scores(score, *_images(TAXA, 50, 101), training)
    assert np.median(unknown) > np.quantile(known, 0.95)


def test_a_training_image_is_its_own_neighbour() -> None:
    training = _training()
    assert training.nearest_similarity(training.features[:5] * 7) == pytest.approx([1] * 5, abs=1e-5)


def test_mahalanobis_distances_agree_with_scipy() -> None:
    from scipy.spatial.distance import mahalanobis

    training = _training()
    _, features = _images(2, 3, 55)
    axes, centres, within, _ = training._gaussians
    points = (features / np.linalg.norm(features, axis=1, keepdims=True) - training.features.mean(axis=0)) @ axes
    inverse = within @ within.T
    expected = [min(mahalanobis(point, centre, inverse) ** 2 for centre in centres) for point in points]
    assert training.mahalanobis(features, relative=False) == pytest.approx(expected, rel=1e-4)


def test_the_threshold_accepts_the_given_share_of_gatherings() -> None:
    values = np.arange(100.0)
    assert acceptance_threshold(values, [str(n) for n in range(100)], 0.95) == 94.0
    # Fifty images of one plant count as one gathering.
    assert acceptance_threshold(values, [str(n) for n in range(50)] + ["plant"] * 50, 0.9) < 94


def test_a_fitted_threshold_rejects_an_unknown_taxon() -> None:
    training = _training()
    logits, features = _images(0, 60, 200)
    values = ood_scores("nearest_neighbour", logits, features, training)
    known = CalibrationSet(logits, np.zeros(60, dtype=np.int64), [str(n) for n in range(60)], "val")
    fitted = fit_ood_detector("nearest_neighbour", values, known, 0.95)
    assert (values <= fitted.threshold).mean() == pytest.approx(0.95, abs=0.01)
    unknown = ood_scores("nearest_neighbour", *_images(TAXA, 60, 201), training)
    assert (unknown <= fitted.threshold).mean() < 0.05


def test_an_image_is_compared_with_other_folds_only() -> None:
    random = np.random.default_rng(0)
    leaves = np.repeat(random.normal(size=(4, 20)), 5, axis=0)  # four leaves, five images each
    series = leaves + random.normal(0, 0.05, (20, 20))
    labels = np.zeros(20, dtype=np.int64)
    folds = blocked_folds(labels, [str(n) for n in range(20)])
    scores = out_of_fold_ood_scores("nearest_neighbour", np.zeros((20, 1)), series, labels, folds)
    by_random_folds = out_of_fold_ood_scores("nearest_neighbour", np.zeros((20, 1)), series, labels, np.arange(20) % 4)
    assert scores.min() > 0.2 > by_random_folds.max()
    others = TrainingFeatures.of(series[5:], labels[5:])
    assert np.allclose(scores[:5], 1 - others.nearest_similarity(series[:5]))
