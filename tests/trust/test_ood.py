"""OOD scores are low for known taxa and high for an unknown one; thresholds accept the given share."""

from typing import get_args

import numpy as np
import pytest

from leafid.bundle import Calibration, OodDetector
from leafid.jobs import OodScore
from leafid.learning.linear_probe.folds import blocked_folds, held_out_folds, series_stretches
from leafid.trust.calibration import CalibrationSet
from leafid.trust.nuisance import principal_directions
from leafid.trust.ood import (
    COMBINED,
    acceptance_threshold,
    fit_ood_detector,
    ood_scores,
    out_of_fold_part_scores,
    part_scores,
    parts_of,
)
from leafid.trust.training_features import Gaussians, TrainingFeatures

TAXA, SIDE = 4, 40
CENTRES = np.random.default_rng(7).normal(0, 1, (TAXA + 1, SIDE))
"""Directions of the features of four known taxa and one unknown."""


def _images(label: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    features = CENTRES[label] + np.random.default_rng(seed).normal(0, 0.4, (count, SIDE))
    return 0.2 * features @ CENTRES[:TAXA].T, features


def _training() -> TrainingFeatures:
    return TrainingFeatures.of(
        np.concatenate([_images(label, 30, label)[1] for label in range(TAXA)]), np.repeat(np.arange(TAXA), 30)
    )


def _fitted(score: OodScore) -> OodDetector:
    logits, features = _images(1, 60, 200)
    known = CalibrationSet(logits, np.ones(60, dtype=np.int64), [str(n) for n in range(60)], "val")
    return fit_ood_detector(score, part_scores(parts_of(score), logits, features, _training()), known, 0.95)


@pytest.mark.parametrize("score", get_args(OodScore))
def test_a_fitted_threshold_rejects_an_unknown_taxon(score: OodScore) -> None:
    detector, training = _fitted(score), _training()
    known, unknown = (
        ood_scores(detector, Calibration(), *_images(label, 60, 100 + label), training) for label in (1, TAXA)
    )
    assert 0.85 < (known <= detector.threshold).mean() <= 1
    assert (unknown <= detector.threshold).mean() < 0.1
    assert bool(detector.parts) == (score == "combined")


def test_a_combined_score_rises_with_each_of_its_parts() -> None:
    detector, training = _fitted("combined"), _training()
    assert tuple(part.score for part in detector.parts) == COMBINED
    logits, features = _images(1, 20, 300)
    other = np.random.default_rng(0).normal(0, 1, features.shape)
    usual, unlike = (ood_scores(detector, Calibration(), logits, each, training) for each in (features, other))
    assert (unlike > usual).all()
    parts = part_scores(COMBINED, logits, features, training)
    by_hand = sum((parts[one.score] - one.centre) / one.scale for one in detector.parts)
    assert usual == pytest.approx(by_hand)


def test_a_bundle_keeps_the_parts_that_it_was_calibrated_with() -> None:
    training, (logits, features) = _training(), _images(1, 20, 300)
    parts = part_scores(("relative_mahalanobis", "nearest_neighbour"), logits, features, training)
    known = CalibrationSet(logits, np.ones(20, dtype=np.int64), [str(n) for n in range(20)], "val")
    earlier = fit_ood_detector("combined", parts, known, 0.95)
    expected = sum((parts[one.score] - one.centre) / one.scale for one in earlier.parts)
    assert ood_scores(earlier, Calibration(), logits, features, training) == pytest.approx(expected)


def test_the_ratio_of_distances_is_low_near_one_taxon_and_high_between_two_or_far_from_all() -> None:
    training, features = _training(), _images(2, 3, 55)[1]
    fitted = training.gaussians
    inverse = fitted.within.astype(float) @ fitted.within.T
    points = (features / np.linalg.norm(features, axis=1, keepdims=True) - fitted.centre) @ fitted.axes
    offsets = points[:, None] - fitted.means
    distances = np.sort(np.einsum("ntd,de,nte->nt", offsets, inverse, offsets), axis=1)
    assert training.mahalanobis_ratio(features) == pytest.approx(distances[:, 0] / distances[:, 1], rel=1e-3)
    between, unknown = CENTRES[:1] + CENTRES[1:2], CENTRES[TAXA:]
    assert training.mahalanobis_ratio(features).max() < 0.5
    assert min(training.mahalanobis_ratio(each).min() for each in (between, unknown)) > 0.7


def test_with_one_taxon_the_ratio_of_distances_says_nothing() -> None:
    features = _images(0, 30, 0)[1]
    training = TrainingFeatures.of(features, np.zeros(30, dtype=np.int64))
    assert (training.mahalanobis_ratio(10 * features) == 0).all()


def test_logits_are_divided_by_the_temperature() -> None:
    logits, features = _images(1, 5, 300)
    hot = ood_scores(_fitted("max_probability"), Calibration(temperature=4.0), 4 * logits, features, _training())
    assert hot == pytest.approx(ood_scores(_fitted("max_probability"), Calibration(), logits, features, _training()))


def test_a_training_image_is_its_own_neighbour() -> None:
    training = _training()
    assert training.nearest_similarity(training.features[:5] * 7) == pytest.approx([1] * 5, abs=1e-5)


def test_mahalanobis_distances_agree_with_scipy() -> None:
    from scipy.spatial.distance import mahalanobis

    training = _training()
    _, features = _images(2, 3, 55)
    fitted = training.gaussians
    points = (features / np.linalg.norm(features, axis=1, keepdims=True) - fitted.centre) @ fitted.axes
    inverse = fitted.within.astype(float) @ fitted.within.T
    expected = [min(mahalanobis(point, mean, inverse) ** 2 for mean in fitted.means) for point in points]
    assert training.mahalanobis(features, relative=False) == pytest.approx(expected, rel=1e-4)


def test_distances_do_not_depend_on_nuisance_directions() -> None:
    training, features = _training(), _images(2, 3, 55)[1]
    random = np.random.default_rng(0)
    directions = random.normal(size=(2, features.shape[1]))
    moves = random.normal(size=(12, 2)) @ directions
    nuisance = principal_directions(moves)
    assert nuisance.shape == (features.shape[1], 2) and np.allclose(nuisance.T @ nuisance, np.eye(2), atol=1e-5)
    fitted = Gaussians.fit(training.features, training.labels, nuisance)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    moved = unit + 0.3 * np.sign(random.normal(size=(len(unit), 1))) * nuisance[:, 0]
    for relative in (False, True):
        here, there = (fitted.mahalanobis(each.astype(np.float32), relative=relative) for each in (unit, moved))
        assert there == pytest.approx(here, rel=1e-3, abs=1e-2)
        assert np.abs(training.gaussians.mahalanobis(moved.astype(np.float32), relative=relative) - here).min() > 1


def test_the_threshold_accepts_the_given_share_of_gatherings() -> None:
    values = np.arange(100.0)
    assert acceptance_threshold(values, [str(n) for n in range(100)], 0.95) == 94.0
    # Fifty images of one plant count as one gathering.
    assert acceptance_threshold(values, [str(n) for n in range(50)] + ["plant"] * 50, 0.9) < 94


def test_a_bound_keeps_its_promise_for_new_days_more_often_than_the_share_of_known_ones() -> None:
    days, names = np.repeat(np.arange(28), 20), [str(n) for n in range(28 * 20)]
    kept = {"share": 0, "bound": 0}
    for seed in range(60):
        random = np.random.default_rng(seed)
        known, new = (random.normal(0, 1, len(days)) + random.normal(0, 1, 28)[days] for _ in range(2))
        limits = {
            "share": acceptance_threshold(known, names, 0.95),
            "bound": acceptance_threshold(known, names, 0.95, stretches=[f"day {day}" for day in days]),
        }
        for name, limit in limits.items():
            kept[name] += bool((new > limit).mean() <= 0.05)
    assert kept["share"] < 40 and kept["bound"] > 44


def test_photos_of_a_series_are_in_stretches_and_sheets_are_not() -> None:
    labels, names = np.repeat(np.arange(3), 20), [str(n) for n in range(60)]
    for domain, stretches in ((None, 6), ("specimen", None)):
        folds = held_out_folds(labels, names, [domain] * 60, blocks=2)
        found = series_stretches(labels, folds, names)
        assert stretches == (found and len(set(found)))


def test_an_image_is_compared_with_other_folds_only() -> None:
    random = np.random.default_rng(0)
    leaves = np.repeat(random.normal(size=(4, 20)), 5, axis=0)  # four leaves, five images each
    series = leaves + random.normal(0, 0.05, (20, 20))
    labels = np.zeros(20, dtype=np.int64)
    folds = blocked_folds(labels, [str(n) for n in range(20)])
    scores, by_random_folds = (
        out_of_fold_part_scores("nearest_neighbour", np.zeros((20, 1)), series, labels, each)["nearest_neighbour"]
        for each in (folds, np.arange(20) % 4)
    )
    assert scores.min() > 0.2 > by_random_folds.max()
    others = TrainingFeatures.of(series[5:], labels[5:])
    assert np.allclose(scores[:5], 1 - others.nearest_similarity(series[:5]))
