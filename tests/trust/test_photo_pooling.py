"""Photos of one plant are pooled so that the probabilities stay honest."""

import numpy as np
import pytest
from numpy.typing import NDArray

from leafid.bundle import Calibration
from leafid.trust.calibration import CalibrationSet
from leafid.trust.photo_pooling import (
    DEFAULT_CORRELATION,
    MIN_PLANTS,
    fit_photo_pooling,
    photo_correlation,
    pool_photos,
    pooling_temperature,
)

ROW = np.array([0.6, 0.3, 0.1])


def test_one_photo_keeps_its_probabilities() -> None:
    assert (pool_photos(ROW[None], 0.3) == ROW).all()


def test_the_same_photo_twice_says_little_more_the_more_photos_are_correlated() -> None:
    twice = np.stack([ROW, ROW])
    best = [pool_photos(twice, correlation)[0] for correlation in (0.0, 0.5, 1.0)]
    assert best[0] > best[1] > best[2]
    assert best[2] == pytest.approx(ROW[0], abs=0.01)  # the geometric mean, but for the share of mistaken photos
    assert best[0] == pytest.approx(0.36 / (0.36 + 0.09 + 0.01), abs=0.02)  # independent: the product
    assert [pooling_temperature(5, correlation) for correlation in (0.0, 0.5, 1.0)] == [1, 3, 5]


def test_one_wrong_photo_does_not_exclude_what_four_others_show() -> None:
    right, wrong = np.array([0.98, 0.01, 0.01]), np.array([1e-12, 1 - 2e-12, 1e-12])
    assert pool_photos(np.stack([right] * 4 + [wrong]), 0.5).argmax() == 0


def _plants(shared: float, *, plants: int = 150, photos: int = 4, seed: int = 0) -> CalibrationSet:
    """Draw calibrated photos whose evidence consists of a part that is shared within a plant, and one that is not."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, plants)
    logits: list[NDArray[np.float64]] = []
    for label in truth:
        common = rng.normal(0, np.sqrt(shared), 3)
        for _ in range(photos):
            evidence = 1.5 * np.eye(3)[label] + common + rng.normal(0, np.sqrt(1 - shared), 3)
            logits.append(1.5 * evidence)  # the log-likelihood ratio of a normal evidence with this mean
    gatherings = [f"g{plant}" for plant in range(plants) for _ in range(photos)]
    return CalibrationSet(np.array(logits), np.repeat(truth, photos), gatherings, "val")


def test_the_correlation_of_the_photos_is_found() -> None:
    fits = {}
    for shared in (0.0, 0.5, 1.0):
        fitted = fit_photo_pooling(_plants(shared), Calibration())
        assert fitted is not None and fitted.fitted_on.gatherings == 150 and fitted.fitted_on.images == 600
        fits[shared] = fitted.correlation
    assert fits[0.0] < 0.2 and fits[0.5] == pytest.approx(0.5, abs=0.2) and fits[1.0] > 0.8
    assert fitted is not None and photo_correlation(fitted) == fitted.correlation


def test_without_plants_of_several_photos_nothing_is_fitted() -> None:
    assert fit_photo_pooling(_plants(0.5, photos=1), Calibration()) is None
    assert fit_photo_pooling(_plants(0.5, plants=MIN_PLANTS - 1), Calibration()) is None
    assert photo_correlation(None) == DEFAULT_CORRELATION
