"""Temperature scaling of probabilities, and measures of calibration: ECE, Brier score, NLL, reliability diagram."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration, FittedOn
from leafid.trust.intervals import bootstrap_weights, gathering_weights, percentile_interval

if TYPE_CHECKING:
    from leafid.trust.metric_schemas import CalibrationResult, ReliabilityBin

BINS = 15
"""Bins of equal width over the confidence, as in Guo et al. 2017."""

LOG_TEMPERATURE_BOUNDS = (np.log(0.05), np.log(200.0))
"""Search range of the temperature. It is wide because the probe of a frozen network can be extremely overconfident."""

LOG_TEMPERATURE_PRIOR_STD = np.log(2.0)
"""Standard deviation of a normal prior on the log temperature, a factor of two around temperature 1.

It weighs as much as one gathering. It keeps the temperature above 0 when all predictions on few images are correct.
"""

TEMPERATURE_RESAMPLES = 200
"""Bootstrap resamples for the interval of a temperature; each refits it."""


@dataclass(frozen=True)
class CalibrationSet:
    """Labelled images with logits of a network that was not fitted to them.

    Attributes:
        logits: (N, T), without NaN.
        truth: (N,) labels.
        gatherings: the gathering of each image.
        split: name of the set, as the bundle records it, such as ``val``.
    """

    logits: NDArray[np.floating]
    truth: NDArray[np.int64]
    gatherings: Sequence[str]
    split: str

    @property
    def fitted_on(self) -> FittedOn:
        """The description of the set that a bundle records."""
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


def fit_calibration(fitting: CalibrationSet, *, seed: int = 0) -> Calibration:
    """Fit the temperature that minimises the negative log-likelihood of the true taxa; each gathering has weight 1.

    Guo et al. 2017, On calibration of modern neural networks, ICML; here with a weak prior
    (``LOG_TEMPERATURE_PRIOR_STD``).

    Args:
        fitting: val, or train and val out of fold; never test.
        seed: of the bootstrap.
    """
    weights = gathering_weights(fitting.gatherings)
    resamples = bootstrap_weights(fitting.gatherings, resamples=TEMPERATURE_RESAMPLES, seed=seed) * weights
    refitted = np.array([_fit_temperature(fitting, resample) for resample in resamples])
    return Calibration(
        temperature=_fit_temperature(fitting, weights),
        interval=percentile_interval(refitted),
        fitted_on=fitting.fitted_on,
    )


def _fit_temperature(fitting: CalibrationSet, weights: NDArray[np.float64]) -> float:
    from scipy.optimize import minimize_scalar

    used = weights > 0
    logits, weights = np.asarray(fitting.logits[used], dtype=np.float64), weights[used]
    truth = fitting.truth[used]

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        largest = scaled.max(axis=1)  # subtracted so that exp cannot overflow
        log_normaliser = largest + np.log(np.exp(scaled - largest[:, None]).sum(axis=1))
        nll = log_normaliser - scaled[np.arange(len(truth)), truth]
        return float(weights @ nll + 0.5 * (log_temperature / LOG_TEMPERATURE_PRIOR_STD) ** 2)

    return float(np.exp(minimize_scalar(loss, bounds=LOG_TEMPERATURE_BOUNDS, method="bounded").x))


def calibration_results(
    probabilities: NDArray[np.float64], truth: NDArray[np.int64], gatherings: Sequence[str], *, seed: int = 0
) -> "CalibrationResult":
    """Measure calibration: negative log-likelihood, Brier score, expected calibration error (ECE).

    Args:
        probabilities: (N, T), without NaN; at least one row.
        truth: (N,) labels.
        gatherings: the gathering of each image.
        seed: of the bootstrap.
    """
    from leafid.trust.metric_schemas import CalibrationResult

    rows = np.arange(len(truth))
    nll = -np.log(np.maximum(probabilities[rows, truth], 1e-12))  # the floor keeps a probability of 0 finite
    brier = (probabilities**2).sum(axis=1) - 2 * probabilities[rows, truth] + 1
    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    gap = _bin_membership(confidence) * (confidence - correct)[:, None]  # (N, BINS)
    resamples = bootstrap_weights(gatherings, seed=seed)
    resampled_ece = np.abs(resamples @ gap).sum(axis=1) / resamples.sum(axis=1)
    return CalibrationResult(
        nll=float(nll.mean()),
        brier=float(brier.mean()),
        ece=float(np.abs(gap.sum(axis=0)).sum() / len(truth)),
        ece_interval=percentile_interval(resampled_ece),
    )


def reliability(probabilities: NDArray[np.float64], truth: NDArray[np.int64]) -> "tuple[ReliabilityBin, ...]":
    """Return the bins of a reliability diagram: mean confidence and accuracy of the first candidate.

    Args:
        probabilities: (N, T), without NaN.
        truth: (N,) labels.
    """
    from leafid.trust.metric_schemas import ReliabilityBin

    confidence, correct = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = []
    for index, in_bin in enumerate(_bin_membership(confidence).astype(bool).T):
        bins.append(
            ReliabilityBin(
                low=index / BINS,
                high=(index + 1) / BINS,
                images=int(in_bin.sum()),
                mean_confidence=float(confidence[in_bin].mean()) if in_bin.any() else None,
                accuracy=float(correct[in_bin].mean()) if in_bin.any() else None,
            )
        )
    return tuple(bins)


def _bin_membership(confidence: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the bin of each confidence as a one-hot row: (N, BINS); a bin excludes its lower end."""
    index = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    return np.asarray(np.eye(BINS)[index])
