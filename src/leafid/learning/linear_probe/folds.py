"""Folds that take a stretch of a series away, so that images can be judged without those beside them.

A fold is one stretch of each taxon's gatherings in the order of the split, not a random part of them: neighbours in a
series of photos may show the same leaf, or the same day, and then know each other too well (leaf_remp: the limit of
familiarity is 0.948 by five random folds and 0.934 by five stretches). Where the order says nothing, a stretch is a
random part.
Roberts et al. 2017, Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
structure, Ecography 40.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FOLDS = 4
"""A fold leaves as wide a gap in a series as a test usually takes, a quarter."""

SERIES = 16
"""Gatherings of a taxon that make a series; fewer are divided into more folds, for each of them counts: a probe of
three quarters of six gatherings is less sure than one of all (*Viola*, temperature by 4 and by 6 folds of train:
negative log-likelihood of val 1.39 and 1.22)."""

MOST = 8
"""Folds at most; each costs a fit."""


def blocked_folds(labels: NDArray[np.int64], gatherings: Sequence[str]) -> NDArray[np.int64]:
    """Divide images into folds: (N,), a stretch of each taxon's gatherings in each; a gathering stays together.

    Args:
        labels: (N,), in the order of the series.
        gatherings: of the N images.
    """
    names = np.asarray(gatherings, dtype=str)
    of_taxon = [list(dict.fromkeys(names[labels == label].tolist())) for label in np.unique(labels)]
    usual = int(np.median([len(units) for units in of_taxon]))
    folds = FOLDS if usual >= SERIES else min(max(usual, FOLDS), MOST)
    fold_of: dict[str, int] = {}
    for units in of_taxon:
        rest = [unit for unit in units if unit not in fold_of]  # a gathering may lie under two names
        fold_of |= {unit: place * folds // len(rest) for place, unit in enumerate(rest)}
    return np.array([fold_of[name] for name in names.tolist()], dtype=np.int64)


def has_others_outside_fold(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say of which images (N,) the taxon has images in other folds; to the others, the taxon of the rest is unknown."""
    there = np.zeros(len(labels), dtype=bool)
    for fold in np.unique(folds):
        there |= (folds == fold) & np.isin(labels, labels[folds != fold])
    return there


def fewest_training_images(folds: NDArray[np.int64]) -> int:
    """Count the images that are left without the largest fold (N,): to no fewer will anything be fitted."""
    return len(folds) - int(np.bincount(folds).max())
