"""How far one gets without the plant: simple classifiers on vectors of single regions, honestly tested."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.curation.draw_splits import draw_folds

FOLDS = 5
RESAMPLES = 1000
"""Bootstrap resamples of gatherings behind each interval."""
SHUFFLES = 200
"""Shufflings of names behind each shuffled score."""
SHRINKAGE = 0.2
"""Share of the spherical part in the covariance of the linear discriminant, 0 to 1."""

Labels = NDArray[np.int64]
Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Guessed:
    """A balanced accuracy with its 95 % interval; ``shuffled``: see ``ShortcutResult``."""

    score: float
    low: float
    high: float
    shuffled: float
    images: int


@dataclass(frozen=True)
class Question:
    """Which of ``labels`` (0 to n - 1, one per image) is guessed; ``gatherings``: one number per image."""

    labels: Labels
    gatherings: Labels
    seed: int

    @property
    def categories(self) -> int:
        """Number of categories."""
        return int(self.labels.max()) + 1


def crossvalidated(vectors: Vectors, question: Question) -> dict[str, Guessed]:
    """Guess every image once from five folds by gathering, with each classifier.

    Args:
        vectors: one row per image.
        question: what is guessed.

    Returns:
        Scores by ``nearest_neighbour`` and ``linear``.
    """
    folds = _folds(question)
    parts = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(FOLDS)]
    return _guessed(vectors, question, parts)


def on_split(vectors: Vectors, question: Question, train: Labels, test: Labels) -> dict[str, Guessed]:
    """Train on the images ``train`` and guess the images ``test`` (indices), with each classifier."""
    return _guessed(vectors, question, [(train, test)])


def _guessed(vectors: Vectors, question: Question, parts: list[tuple[Labels, Labels]]) -> dict[str, Guessed]:
    tested = np.concatenate([test for train, test in parts if len(train) and len(test)])
    parts = [(train, test) for train, test in parts if len(train) and len(test)]
    neighbours = np.concatenate([train[_nearest(vectors[train], vectors[test])] for train, test in parts])
    linear = np.concatenate([_linear(vectors[train], question.labels[train], vectors[test]) for train, test in parts])
    return {
        "nearest_neighbour": _measured(question, tested, question.labels[neighbours]),
        "linear": _measured(question, tested, linear),
    }


def _folds(question: Question) -> Labels:
    """The fold of each image: whole gatherings, as many of each category in each."""
    units_of: Mapping[str, list[str]] = {
        str(label): [str(unit) for unit in np.unique(question.gatherings[question.labels == label])]
        for label in range(question.categories)
    }
    drawn = draw_folds(units_of, folds=FOLDS, seed=question.seed)
    return np.array([drawn[str(unit)] for unit in question.gatherings], dtype=np.int64)


def _scaled(train: Vectors, test: Vectors) -> tuple[Vectors, Vectors]:
    """Zero mean and unit variance by the training rows; columns that do not vary there are left out."""
    spread = train.std(axis=0)
    informative = spread > 1e-6
    mean = train[:, informative].mean(axis=0)
    spread = spread[informative]
    return (train[:, informative] - mean) / spread, (test[:, informative] - mean) / spread


def _nearest(train: Vectors, test: Vectors) -> Labels:
    """For each test row the index of the nearest training row; without informative columns, any."""
    train, test = _scaled(train, test)
    if not train.shape[1]:
        return np.zeros(len(test), dtype=np.int64)
    distances = (train**2).sum(axis=1)[None, :] - 2 * (test @ train.T)
    return np.asarray(distances.argmin(axis=1), dtype=np.int64)


def _linear(train: Vectors, labels: Labels, test: Vectors) -> Labels:
    """Linear discriminant with equal priors; the pooled covariance is shrunk towards its diagonal.

    Written out, since scikit-learn's wants two training rows of every category.
    """
    train, test = _scaled(train, test)
    present, place = np.unique(labels, return_inverse=True)
    if not train.shape[1]:
        return np.full(len(test), present[0], dtype=np.int64)
    centres = np.stack([train[labels == label].mean(axis=0) for label in present]).astype(np.float64)
    within = train - centres[place]
    covariance = within.T @ within / max(1, len(train) - len(present))
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.eye(len(covariance)) * np.trace(covariance) / len(
        covariance
    )
    covariance += 1e-6 * np.eye(len(covariance))
    weights = np.linalg.solve(covariance, centres.T)
    scores = test @ weights - 0.5 * (centres.T * weights).sum(axis=0)
    return np.asarray(present[scores.argmax(axis=1)], dtype=np.int64)


def _measured(question: Question, tested: Labels, guesses: Labels) -> Guessed:
    """Balanced accuracy over the categories tested; gatherings are resampled, not images."""
    truth = question.labels[tested]
    _, unit = np.unique(question.gatherings[tested], return_inverse=True)
    units = int(unit.max()) + 1
    images = np.zeros((units, question.categories))
    right = np.zeros((units, question.categories))
    np.add.at(images, (unit, truth), 1)
    np.add.at(right, (unit, truth), guesses == truth)
    generator = np.random.default_rng(question.seed)
    weights = generator.multinomial(units, np.full(units, 1 / units), size=RESAMPLES)
    scores = _balanced(weights @ right, weights @ images)
    score = _balanced(right.sum(axis=0, keepdims=True), images.sum(axis=0, keepdims=True))[0]
    low, high = np.quantile(scores, [0.025, 0.975])
    return Guessed(float(score), float(low), float(high), _shuffled(question, tested, guesses), len(tested))


def _balanced(right: NDArray[np.float64], images: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean recall over the categories that have images; rows are resamples."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.nanmean(np.where(images > 0, right / images, np.nan), axis=1))


def _shuffled(question: Question, tested: Labels, guesses: Labels) -> float:
    """The 95 % quantile of the score when the true names are shuffled among the tested gatherings.

    Gatherings keep their images, so that what one gathering's images share gives no advantage here either.
    """
    generator = np.random.default_rng(question.seed)
    _, first, unit = np.unique(question.gatherings[tested], return_index=True, return_inverse=True)
    names = question.labels[tested][first]
    scores = []
    for _ in range(SHUFFLES):
        truth = generator.permutation(names)[unit]
        right = np.bincount(truth[truth == guesses], minlength=question.categories).astype(np.float64)
        images = np.bincount(truth, minlength=question.categories).astype(np.float64)
        scores.append(_balanced(right[None, :], images[None, :])[0])
    return float(np.quantile(scores, 0.95))
