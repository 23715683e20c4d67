"""What 0.8 means: temperature scaling, and how far scores are from the shares of right answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration, FittedOn
from leafid.trust.bootstrap import bootstrap_weights, gathering_weights, interval
from leafid.trust.metric_types import CalibrationResult, ReliabilityBin

BINS = 15
"""Equally wide bins of the score, as in Guo et al. 2017."""

LOG_TEMPERATURES = (np.log(0.05), np.log(200.0))
"""Range in which a temperature is sought. The probe of a frozen network may be dozens of times too certain."""

PRIOR_SPREAD = np.log(2.0)
"""A temperature is expected within a factor of two of 1: one gathering's worth of evidence, which keeps it finite where
every answer on few validation images is right."""

REFITS = 200
"""Bootstrap resamples behind the interval of a temperature."""


@dataclass(frozen=True)
class CalibrationSet:
    """What the network says about images whose taxon is known.

    Attributes:
        logits: (N, T), without NaN.
        truth: (N,) labels.
        gatherings: the gathering of each image.
        split: where the images come from, and whether the network had seen them, such as ``val``.
    """

    logits: NDArray[np.floating]
    truth: NDArray[np.int64]
    gatherings: Sequence[str]
    split: str

    @property
    def fitted_on(self) -> FittedOn:
        """Return what stands in a bundle about them."""
        return FittedOn(split=self.split, images=len(self.truth), gatherings=len(set(self.gatherings)))


def calibrated_probabilities(logits: NDArray[np.floating], calibration: Calibration) -> NDArray[np.float64]:
    """Return ``softmax(logits / temperature)`` for each row.

    Temperature scaling: Guo et al. 2017, On calibration of modern neural networks, ICML.

    Args:
        logits: (N, T), one column per taxon in label order; a row of NaN stays NaN.
        calibration: the bundle's.

    Returns:
        (N, T), each row sums to 1.
    """
    scaled = np.asarray(logits, dtype=np.float64) / calibration.temperature
    powers = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_calibration(known: CalibrationSet, *, seed: int = 0) -> Calibration:
    """Find the temperature at which the true taxa are most probable; every gathering weighs one.

    Guo et al. 2017, On calibration of modern neural networks, ICML; here with a weak prior (``PRIOR_SPREAD``).

    Args:
        known: images with the logits of a network that was not fitted to them: val, or out of fold; never test.
        seed: of the bootstrap.
    """
    each = gathering_weights(known.gatherings)
    drawn = bootstrap_weights(known.gatherings, resamples=REFITS, seed=seed) * each
    refitted = np.array([_temperature(known, weights) for weights in drawn])
    return Calibration(temperature=_temperature(known, each), interval=interval(refitted), fitted_on=known.fitted_on)


def _temperature(known: CalibrationSet, weights: NDArray[np.float64]) -> float:
    from scipy.optimize import minimize_scalar

    used = weights > 0
    logits, weights = np.asarray(known.logits[used], dtype=np.float64), weights[used]
    truth = known.truth[used]

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        top = scaled.max(axis=1)
        normaliser = top + np.log(np.exp(scaled - top[:, None]).sum(axis=1))
        wrong = normaliser - scaled[np.arange(len(truth)), truth]
        return float(weights @ wrong + 0.5 * (log_temperature / PRIOR_SPREAD) ** 2)

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURES, method="bounded").x))


def calibration_results(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], gatherings: Sequence[str], *, seed: int = 0
) -> CalibrationResult:
    """Measure how far probabilities are from the truth.

    Args:
        probabilities: (N, T), without NaN; at least one row.
        truth: (N,) labels.
        gatherings: the gathering of each image.
        seed: of the bootstrap.
    """
    rows = np.arange(len(truth))
    log_loss = -np.log(np.maximum(probabilities[rows, truth], 1e-12))
    brier = (probabilities**2).sum(axis=1) - 2 * probabilities[rows, truth] + 1
    first, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    members = _members(first)  # (N, BINS)
    gap = members * (first - right)[:, None]
    drawn = bootstrap_weights(gatherings, seed=seed)
    errors = np.abs(drawn @ gap).sum(axis=1) / drawn.sum(axis=1)
    return CalibrationResult(
        nll=float(log_loss.mean()),
        brier=float(brier.mean()),
        ece=float(np.abs(gap.sum(axis=0)).sum() / len(truth)),
        ece_interval=interval(errors),
    )


def reliability(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> tuple[ReliabilityBin, ...]:
    """Return for each bin of the first candidate's score the mean score and the share of right answers.

    Args:
        probabilities: (N, T), without NaN.
        truth: (N,) labels.
    """
    first, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    members = _members(first).astype(bool)
    return tuple(
        ReliabilityBin(
            low=number / BINS,
            high=(number + 1) / BINS,
            images=int(members[:, number].sum()),
            mean_score=float(first[members[:, number]].mean()) if members[:, number].any() else None,
            right=float(right[members[:, number]].mean()) if members[:, number].any() else None,
        )
        for number in range(BINS)
    )


def _members(first: NDArray[np.float64]) -> NDArray[np.float64]:
    """Say in which bin a score lies: (N, BINS), one 1 in each row; bins are open below and closed above."""
    place = np.clip(np.ceil(first * BINS).astype(int) - 1, 0, BINS - 1)
    return np.asarray(np.eye(BINS)[place])
