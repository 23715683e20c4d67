"""Cross-validate simple classifiers on features of single image regions, by gathering."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.curation.draw_splits import draw_folds

FOLDS = 5
RESAMPLES = 1000
"""Bootstrap resamples of gatherings for each interval."""
PERMUTATIONS = 200
"""Permutations of names for each score of permuted names."""
SHRINKAGE = 0.2
"""Shrinkage of the covariance of the linear discriminant towards a multiple of the identity, 0 to 1."""

Labels = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class ClassifierScore:
    """Balanced accuracy with its 95 % interval; for ``shuffled`` see ``ShortcutResult``."""

    score: float
    low: float
    high: float
    shuffled: float
    images: int


@dataclass(frozen=True)
class GroupedLabels:
    """The labels to predict (0 to n - 1, one per image), and a gathering number per image."""

    labels: Labels
    gatherings: Labels
    seed: int

    @property
    def categories(self) -> int:
        """Number of categories."""
        return int(self.labels.max()) + 1


def cross_validate(vectors: Vectors, grouped_labels: GroupedLabels) -> dict[str, ClassifierScore]:
    """Predict every image once by five-fold cross-validation over gatherings, with each classifier.

    Args:
        vectors: features, one row per image.
        grouped_labels: labels and gatherings of the images.

    Returns:
        Scores by ``nearest_neighbour`` and ``linear``.
    """
    folds = _folds(grouped_labels)
    parts = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)]
    return _evaluate(vectors, grouped_labels, parts)


def evaluate_on_split(
    vectors: Vectors, grouped_labels: GroupedLabels, train: Labels, test: Labels
) -> dict[str, ClassifierScore]:
    """Train on the images ``train`` and predict the images ``test`` (indices), with each classifier."""
    return _evaluate(vectors, grouped_labels, [(train, test)])


def _evaluate(
    vectors: Vectors, grouped_labels: GroupedLabels, parts: list[tuple[Labels, Labels]]
) -> dict[str, ClassifierScore]:
    tested = np.concatenate([test for train, test in parts if len(train) and len(test)])
    parts = [(train, test) for train, test in parts if len(train) and len(test)]
    neighbours = np.concatenate([train[_nearest_neighbour(vectors[train], vectors[test])] for train, test in parts])
    linear = np.concatenate(
        [_linear_discriminant(vectors[train], grouped_labels.labels[train], vectors[test]) for train, test in parts]
    )
    return {
        "nearest_neighbour": _score(grouped_labels, tested, grouped_labels.labels[neighbours]),
        "linear": _score(grouped_labels, tested, linear),
    }


def _folds(grouped_labels: GroupedLabels) -> Labels:
    """Draw the fold of each image: whole gatherings, stratified by category."""
    units_of: Mapping[str, list[str]] = {
        str(label): [str(unit) for unit in np.unique(grouped_labels.gatherings[grouped_labels.labels == label])]
        for label in range(grouped_labels.categories)
    }
    drawn = draw_folds(units_of, folds=FOLDS, seed=grouped_labels.seed)
    return np.array([drawn[str(unit)] for unit in grouped_labels.gatherings], dtype=np.int64)


def _standardised(train: Vectors, test: Vectors) -> tuple[Vectors, Vectors]:
    """Scale to zero mean and unit variance of the training rows; drop columns that are constant there."""
    spread = train.std(axis=0)
    informative = spread > 1e-6
    mean = train[:, informative].mean(axis=0)
    spread = spread[informative]
    return (train[:, informative] - mean) / spread, (test[:, informative] - mean) / spread


def _nearest_neighbour(train: Vectors, test: Vectors) -> Labels:
    """Return for each test row the index of the nearest training row; 0 without informative columns."""
    train, test = _standardised(train, test)
    if not train.shape[1]:
        return np.zeros(len(test), dtype=np.int64)
    distances = (train**2).sum(axis=1)[None, :] - 2 * (test @ train.T)
    return np.asarray(distances.argmin(axis=1), dtype=np.int64)


def _linear_discriminant(train: Vectors, labels: Labels, test: Vectors) -> Labels:
    """Predict by linear discriminant analysis with equal priors and a shrunk pooled covariance.

    Implemented here because scikit-learn's LDA needs at least two training rows of every category.
    """
    train, test = _standardised(train, test)
    present, index = np.unique(labels, return_inverse=True)
    if not train.shape[1]:
        return np.full(len(test), present[0], dtype=np.int64)
    centres = np.stack([train[labels == label].mean(axis=0) for label in present]).astype(np.float64)
    within = train - centres[index]
    covariance = within.T @ within / max(1, len(train) - len(present))
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.eye(len(covariance)) * np.trace(covariance) / len(
        covariance
    )
    covariance += 1e-6 * np.eye(len(covariance))  # keeps it invertible if all rows equal their centre
    weights = np.linalg.solve(covariance, centres.T)
    scores = test @ weights - 0.5 * (centres.T * weights).sum(axis=0)
    return np.asarray(present[scores.argmax(axis=1)], dtype=np.int64)


def _score(grouped_labels: GroupedLabels, tested: Labels, predictions: Labels) -> ClassifierScore:
    """Compute balanced accuracy with a bootstrap over gatherings, since images of one gathering are not independent."""
    truth = grouped_labels.labels[tested]
    _, unit = np.unique(grouped_labels.gatherings[tested], return_inverse=True)
    units = int(unit.max()) + 1
    images = np.zeros((units, grouped_labels.categories))
    right = np.zeros((units, grouped_labels.categories))
    np.add.at(images, (unit, truth), 1)
    np.add.at(right, (unit, truth), predictions == truth)
    generator = np.random.default_rng(grouped_labels.seed)
    weights = generator.multinomial(units, np.full(units, 1 / units), size=RESAMPLES)
    scores = _balanced_accuracy(weights @ right, weights @ images)
    score = _balanced_accuracy(right.sum(axis=0, keepdims=True), images.sum(axis=0, keepdims=True))[0]
    low, high = np.quantile(scores, [0.025, 0.975])
    return ClassifierScore(
        float(score), float(low), float(high), _permuted_score(grouped_labels, tested, predictions), len(tested)
    )


def _balanced_accuracy(right: NDArray[np.float64], images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean recall over the categories with images; rows are resamples."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nanmean(np.where(images > 0, right / images, np.nan), axis=1))


def _permuted_score(grouped_labels: GroupedLabels, tested: Labels, predictions: Labels) -> float:
    """Return the 95 % quantile of the score when the true names are permuted among the tested gatherings.

    Images of a gathering keep a common name, so that their similarity has the same effect as in the score itself.
    """
    generator = np.random.default_rng(grouped_labels.seed)
    _, first, unit = np.unique(grouped_labels.gatherings[tested], return_index=True, return_inverse=True)
    names = grouped_labels.labels[tested][first]
    scores = []
    for _ in range(PERMUTATIONS):
        truth = generator.permutation(names)[unit]
        right = np.bincount(truth[truth == predictions], minlength=grouped_labels.categories).astype(np.float64)
        images = np.bincount(truth, minlength=grouped_labels.categories).astype(np.float64)
        scores.append(_balanced_accuracy(right[None, :], images[None, :])[0])
    return float(np.quantile(scores, 0.95))
