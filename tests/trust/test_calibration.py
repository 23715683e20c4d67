"""Temperature scaling recovers a known temperature; calibration errors agree with torchmetrics."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchmetrics.functional.classification import multiclass_calibration_error

from leafid.trust.calibration import (
    CalibrationSet,
    calibrated_probabilities,
    calibration_results,
    fit_calibration,
    reliability,
)


def _calibration_set(temperature: float, *, images: int = 3000, seed: int = 0) -> CalibrationSet:
    """Images whose labels are drawn from softmax(logits / temperature)."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 3, (images, 5))
    powers = np.exp(logits / temperature)
    shares = powers / powers.sum(axis=1, keepdims=True)
    truth = (shares.cumsum(axis=1) < random.random((images, 1))).sum(axis=1)
    return CalibrationSet(logits, truth, [str(number) for number in range(images)], "val")


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_generated_the_labels_is_recovered(temperature: float) -> None:
    fitted = fit_calibration(_calibration_set(temperature))
    assert fitted.temperature == pytest.approx(temperature, rel=0.1)
    assert fitted.interval is not None and fitted.interval[0] < fitted.temperature < fitted.interval[1]
    assert fitted.fitted_on is not None and fitted.fitted_on.gatherings == 3000


def test_calibration_lowers_the_error_of_overconfident_probabilities() -> None:
    train, test = _calibration_set(3.0), _calibration_set(3.0, seed=1)
    before, after = (
        calibration_results(calibrated_probabilities(test.logits, one), test.truth, test.gatherings)
        for one in (type(fit_calibration(train))(), fit_calibration(train))
    )
    assert before.ece > 0.1 and after.ece < before.ece / 3
    assert after.nll < before.nll and after.brier < before.brier


def test_a_gathering_weighs_one_however_many_images_it_has() -> None:
    """A thousand misclassified photos of one leaf do not outweigh the rest."""
    known = _calibration_set(1.0, images=400)
    logits = np.concatenate([known.logits, np.repeat([[9.0, 0, 0, 0, 0]], 1000, axis=0)])
    truth = np.concatenate([known.truth, np.ones(1000, dtype=np.int64)])
    together = fit_calibration(CalibrationSet(logits, truth, [*known.gatherings, *["leaf"] * 1000], "val"))
    assert together.temperature == pytest.approx(fit_calibration(known).temperature, rel=0.15)


def test_a_few_correct_images_give_a_plausible_temperature() -> None:
    logits = np.eye(3)[[0, 1, 2, 0, 1, 2]] * 5
    fitted = fit_calibration(CalibrationSet(logits, np.array([0, 1, 2, 0, 1, 2]), list("abcdef"), "val"))
    assert 0.3 < fitted.temperature < 1.1


@given(st.integers(1, 60), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_the_calibration_error_is_that_of_torchmetrics(images: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    scores = random.dirichlet(np.full(4, 0.4), size=images)
    truth = random.integers(0, 4, images)
    ours = calibration_results(scores, truth, [str(number) for number in range(images)])
    theirs = multiclass_calibration_error(
        torch.from_numpy(scores), torch.from_numpy(truth), num_classes=4, n_bins=15, norm="l1"
    )
    assert ours.ece == pytest.approx(float(theirs), abs=1e-5)


def test_reliability_bins_hold_all_images_with_their_confidence_and_accuracy() -> None:
    scores: NDArray[np.float64] = np.array([[0.9, 0.1], [0.95, 0.05], [0.4, 0.6]])
    bins = reliability(scores, np.array([0, 1, 1]))
    assert sum(one.images for one in bins) == 3 and len(bins) == 15
    (confident,) = [one for one in bins if one.low < 0.9 <= one.high]
    assert (confident.images, confident.accuracy, confident.mean_confidence) == (1, 1.0, 0.9)
    assert bins[0].accuracy is None
