"""Intervals by bootstrap over gatherings, since images of one gathering are no independent evidence."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Interval

RESAMPLES = 1000
"""Bootstrap resamples behind each interval."""


def gathering_codes(gatherings: Sequence[object]) -> NDArray[np.int64]:
    """Number the gatherings of images from 0 on: (N,)."""
    return np.asarray(np.unique(np.asarray(gatherings, dtype=str), return_inverse=True)[1], dtype=np.int64).reshape(-1)


def gathering_weights(gatherings: Sequence[object]) -> NDArray[np.float64]:
    """Return a weight for each image, so that every gathering weighs one: (N,)."""
    numbers = gathering_codes(gatherings)
    return np.asarray(1 / np.bincount(numbers)[numbers]) if len(numbers) else np.zeros(0)


def bootstrap_weights(
    gatherings: Sequence[object], *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """Draw gatherings with replacement; return how often each image is drawn: (resamples, N).

    Args:
        gatherings: that of each image.
        resamples: how often to draw.
        seed: of the draws.
    """
    numbers = gathering_codes(gatherings)
    count = int(numbers.max()) + 1 if len(numbers) else 0
    if not count:
        return np.zeros((resamples, 0))
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.asarray(drawn[:, numbers], dtype=np.float64)


def interval(values: NDArray[np.float64]) -> Interval | None:
    """Return the 2.5 % and 97.5 % quantile of the values (resamples,); None where too few of them are defined."""
    defined = values[np.isfinite(values)]
    if len(defined) < 0.9 * len(values) or not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def mean_interval(values: NDArray[np.floating], weights: NDArray[np.float64]) -> Interval | None:
    """Return the interval of the mean of ``values`` (N,), with weights (resamples, N)."""
    if not len(values):
        return None
    with np.errstate(invalid="ignore"):
        return interval(weights @ values / weights.sum(axis=1))
