"""Cross-validation folds: single gatherings, or blocks of a series.

Gatherings are left out one by one where they are known to be apart. A probe that has seen a seventh less is far less
certain than the final one, so that its temperature would make all probabilities too low (docs/results.md).

In a series of photos, neighbours may show the same leaf or be taken on the same day, so such folds give optimistic
results. A fold then holds one contiguous block of each taxon's gatherings, in the order of the split. Where the order
carries no information, a block is as good as a random part.

Roberts et al. 2017, Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
structure, Ecography 40.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FOLDS = 4
"""Folds of a series: each leaves a gap of a quarter, about as wide as a test set."""

MIN_SERIES = 16
"""Photos per taxon from which they count as a series, of which blocks are left out."""

MAX_FOLDS = 8
"""Upper limit of blocks; each costs a fit."""

MAX_LEFT_OUT = 100
"""Upper limit of folds of single gatherings, for up to ``CHEAP_IMAGES``. With more gatherings a fold holds several, of
different taxa where possible. Forty folds of 168 images give nearly the same temperature as 168."""

CHEAP_IMAGES = 1000
"""Images to which a probe is fitted within a second. The time grows with the cube of their number."""

NOT_FITTED = -1
"""Fold of the images that no head is fitted to: they are held out anyway."""


def held_out_folds(
    labels: NDArray[np.int64], gatherings: Sequence[str], domains: Sequence[str | None], *, blocks: int | None = None
) -> NDArray[np.int64]:
    """Assign images to folds whose held-out predictions are as certain as those of the final probe for new images.

    Args:
        labels: (N,), in the order of the series.
        gatherings: gathering of each of the N images.
        domains: of the N images. A sheet (``specimen``) is a gathering of its own; other images can be a series.
        blocks: of a series; see ``blocked_folds``.

    Returns:
        Fold of each image (N,), from 0: blocks where taxa have ``MIN_SERIES`` photos or more, otherwise single
        gatherings.
    """
    names = np.asarray(gatherings, dtype=str)
    is_photo = np.array([domain != "specimen" for domain in domains], dtype=bool)
    if is_photo.any() and _median_gatherings(labels[is_photo], names[is_photo]) >= MIN_SERIES:
        return blocked_folds(labels, gatherings, blocks)
    folds = int(np.clip(MAX_LEFT_OUT * (CHEAP_IMAGES / len(labels)) ** 3, MAX_FOLDS, MAX_LEFT_OUT))
    by_taxon = dict.fromkeys(names[np.argsort(labels, kind="stable")].tolist())
    fold_of = {name: index % folds for index, name in enumerate(by_taxon)}
    return np.array([fold_of[name] for name in names.tolist()], dtype=np.int64)


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
        median = _median_gatherings(labels, names)
        folds = FOLDS if median >= MIN_SERIES else min(max(median, FOLDS), MAX_FOLDS)
    fold_of: dict[str, int] = {}
    for units in by_taxon:
        rest = [unit for unit in units if unit not in fold_of]  # a gathering may occur under two names
        fold_of |= {unit: index * folds // len(rest) for index, unit in enumerate(rest)}
    return np.array([fold_of[name] for name in names.tolist()], dtype=np.int64)


def series_stretches(
    labels: NDArray[np.int64], folds: NDArray[np.int64], gatherings: Sequence[str]
) -> list[str] | None:
    """Return the stretch of a series, a taxon and a fold, that each image (N,) is in; None: folds are no stretches."""
    stretches = [f"{label} {fold}" for label, fold in zip(labels.tolist(), folds.tolist(), strict=True)]
    return None if len(set(zip(stretches, gatherings, strict=True))) < 2 * len(set(stretches)) else stretches


def _median_gatherings(labels: NDArray[np.int64], gatherings: NDArray[np.str_]) -> int:
    """Return the median number of gatherings of a taxon."""
    return int(np.median([len(np.unique(gatherings[labels == label])) for label in np.unique(labels)]))


def has_others_outside_fold(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return a mask (N,) of the images whose taxon also has images in other folds.

    A probe fitted without the fold of any other image does not know that image's taxon. Images of fold ``NOT_FITTED``
    are no help to others.
    """
    mask = np.zeros(len(labels), dtype=bool)
    for fold in np.unique(folds):
        mask |= (folds == fold) & np.isin(labels, labels[(folds != fold) & (folds != NOT_FITTED)])
    return mask


def min_training_images(folds: NDArray[np.int64]) -> int:
    """Return how many of the fitted images remain when the largest fold is held out."""
    sizes = np.bincount(folds[folds != NOT_FITTED])
    return int(sizes.sum() - sizes.max(initial=0))
