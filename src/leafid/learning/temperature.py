"""Temperature scaling: the number that divides logits so that softmax gives calibrated probabilities.

Guo, Pleiss, Sun & Weinberger 2017, "On calibration of modern neural networks", ICML.
"""

import numpy as np
from numpy.typing import NDArray

LOWEST_TEMPERATURE = 0.25
"""Label smoothing and mixing make a network less confident than it is accurate; a few images that are all classified
correctly would drive the temperature to 0 (certainty)."""


def negative_log_likelihoods(logits: NDArray[np.floating], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the negative log-likelihood of each image (N,), in nats, from logits (N, T)."""
    from scipy.special import log_softmax

    losses: NDArray[np.float64] = -log_softmax(logits.astype(np.float64), axis=1)[np.arange(len(labels)), labels]
    return losses


def fit_temperature(
    logits: NDArray[np.floating], labels: NDArray[np.int64], *, lowest: float = LOWEST_TEMPERATURE
) -> tuple[float, float]:
    """Return the temperature with the lowest mean negative log-likelihood, and that likelihood.

    Args:
        logits: (N, T).
        labels: (N,).
        lowest: limit of the temperature.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return float(negative_log_likelihoods(logits / np.exp(log_temperature), labels).mean())

    found = minimize_scalar(loss, bounds=(np.log(lowest), 10.0), method="bounded")
    return float(np.exp(found.x)), float(found.fun)
