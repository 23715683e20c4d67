"""From logits to calibrated probabilities."""

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Calibration


def probabilities(logits: NDArray[np.floating], calibration: Calibration) -> NDArray[np.float64]:
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
