"""Confidence intervals over gatherings, since images of one gathering are dependent.

Means get percentile intervals by cluster bootstrap: gatherings are drawn with replacement. Macro-F1 gets a jackknife
interval: a resample lacks about an eighth of the taxa that have two gatherings, and its macro-F1 is too low, so that
bootstrap intervals of macro-F1 lie too low (docs/results.md compares the coverage of several methods).
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Interval

RESAMPLES = 1000
"""Bootstrap resamples for each interval."""

NORMAL_95 = 1.96
"""Quantile of the normal distribution for an interval of 95 %."""


def gathering_codes(gatherings: Sequence[object]) -> NDArray[np.int64]:
    """Number the gatherings of images from 0 on: (N,)."""
    return np.asarray(np.unique(np.asarray(gatherings, dtype=str), return_inverse=True)[1], dtype=np.int64).reshape(-1)


def gathering_weights(gatherings: Sequence[object]) -> NDArray[np.float64]:
    """Return a weight for each image, so that every gathering weighs one: (N,)."""
    codes = gathering_codes(gatherings)
    return np.asarray(1 / np.bincount(codes)[codes]) if len(codes) else np.zeros(0)


def bootstrap_weights(
    gatherings: Sequence[object], *, resamples: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """Draw gatherings with replacement; return how often each image is drawn: (resamples, N).

    Args:
        gatherings: the gathering of each of the N images.
        resamples: number of bootstrap resamples.
        seed: of the random generator.
    """
    codes = gathering_codes(gatherings)
    count = int(codes.max()) + 1 if len(codes) else 0
    if not count:
        return np.zeros((resamples, 0))
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
    return np.asarray(drawn[:, codes], dtype=np.float64)


def percentile_interval(values: NDArray[np.float64]) -> Interval | None:
    """Return the 2.5 % and 97.5 % quantile of values (resamples,); None when fewer than 90 % of them are defined."""
    defined = values[np.isfinite(values)]
    if len(defined) < 0.9 * len(values) or not len(defined):
        return None
    low, high = np.quantile(defined, [0.025, 0.975])
    return float(low), float(high)


def mean_interval(values: NDArray[np.floating], weights: NDArray[np.float64]) -> Interval | None:
    """Return the interval of the mean of ``values`` (N,), given bootstrap weights (resamples, N)."""
    if not len(values):
        return None
    with np.errstate(invalid="ignore"):
        return percentile_interval(weights @ values / weights.sum(axis=1))


def jackknife_interval(estimate: float, without_each: NDArray[np.float64]) -> Interval | None:
    """Return the normal interval of a share, with the standard error of the delete-one jackknife.

    Efron & Stein 1981, "The jackknife estimate of variance", Annals of Statistics 9.

    Args:
        estimate: the share in all images, 0..1.
        without_each: (G,), the share without each gathering in turn.

    Returns:
        The interval, within 0..1; None with fewer than two gatherings.
    """
    count = len(without_each)
    if count < 2:
        return None
    error = math.sqrt((count - 1) * float(np.var(without_each)))
    return max(0.0, estimate - NORMAL_95 * error), min(1.0, estimate + NORMAL_95 * error)
