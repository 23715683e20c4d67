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

    The likelihood is that of N images and one more that is confused with the most probable wrong taxon: images that are
    all classified correctly do not show that no other ever will be wrong. Platt 1999, Probabilistic outputs for support
    vector machines, Advances in Large Margin Classifiers.

    Args:
        logits: (N, T).
        labels: (N,).
        lowest: limit of the temperature.
    """
    from scipy.optimize import minimize_scalar

    rows = np.arange(len(labels))
    others = np.array(logits, dtype=np.float64)
    others[rows, labels] = -np.inf
    # (N,), how much less likely the most probable wrong taxon is than the true one; with one taxon there is none.
    deficit = logits[rows, labels] - others.max(axis=1) if logits.shape[1] > 1 else np.zeros(len(labels))

    def loss(log_temperature: float) -> float:
        temperature = np.exp(log_temperature)
        losses = negative_log_likelihoods(logits / temperature, labels)
        return float((losses + deficit / temperature / (len(labels) + 2)).mean())

    found = minimize_scalar(loss, bounds=(np.log(lowest), 10.0), method="bounded")
    temperature = float(np.exp(found.x))
    return temperature, float(negative_log_likelihoods(logits / temperature, labels).mean())
