"""Blocked cross-validation folds: an image is predicted without its neighbours in the series.

A fold holds one contiguous block of each taxon's gatherings, in the order of the split, instead of a random part.
Neighbours in a series of photos may show the same leaf or be taken on the same day, so random folds give optimistic
results (see docs/results.md). Where the order carries no information, a block is as good as a random part.

Roberts et al. 2017, Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
structure, Ecography 40.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FOLDS = 4
"""Folds of a series: each leaves a gap of a quarter, about as wide as a test set."""

MIN_SERIES = 16
"""Gatherings per taxon from which ``FOLDS`` folds are used. With fewer gatherings there are more folds, because a probe
of three quarters of six gatherings is less confident than the final one and biases the temperature."""

MAX_FOLDS = 8
"""Upper limit of folds; each costs a fit."""


def blocked_folds(labels: NDArray[np.int64], gatherings: Sequence[str], folds: int | None = None) -> NDArray[np.int64]:
    """Assign images to folds of contiguous gatherings; a gathering is never divided.

    Args:
        labels: (N,), in the order of the series.
        gatherings: gathering of each of the N images.
        folds: their number; None: between ``FOLDS`` and ``MAX_FOLDS``, by the number of gatherings per taxon.

    Returns:
        Fold of each image (N,), from 0.
    """
    names = np.asarray(gatherings, dtype=str)
    by_taxon = [list(dict.fromkeys(names[labels == label].tolist())) for label in np.unique(labels)]
    if folds is None:
        median = int(np.median([len(units) for units in by_taxon]))
        folds = FOLDS if median >= MIN_SERIES else min(max(median, FOLDS), MAX_FOLDS)
    fold_of: dict[str, int] = {}
    for units in by_taxon:
        rest = [unit for unit in units if unit not in fold_of]  # a gathering may occur under two names
        fold_of |= {unit: index * folds // len(rest) for index, unit in enumerate(rest)}
    return np.array([fold_of[name] for name in names.tolist()], dtype=np.int64)


def has_others_outside_fold(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask (N,) of the images whose taxon also has images in other folds.

    A probe fitted without the fold of any other image does not know that image's taxon.
    """
    mask = np.zeros(len(labels), dtype=bool)
    for fold in np.unique(folds):
        mask |= (folds == fold) & np.isin(labels, labels[folds != fold])
    return mask


def min_training_images(folds: NDArray[np.int64]) -> int:
    """Return how many of the images (N,) remain when the largest fold is held out."""
    return len(folds) - int(np.bincount(folds).max())
