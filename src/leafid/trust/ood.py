"""Out-of-distribution (OOD) detection: does an image belong to none of the known taxa?

An OOD score is higher the less an image resembles the training images. Sources: maximum logit, Hendrycks et al. 2022,
Scaling out-of-distribution detection for real-world settings, ICML; energy, Liu et al. 2020, Energy-based
out-of-distribution detection, NeurIPS; Mahalanobis distance, Lee et al. 2018, A simple unified framework for detecting
out-of-distribution samples and adversarial attacks, NeurIPS; relative Mahalanobis distance, Ren et al. 2021,
arXiv:2106.09022; nearest neighbour, Sun et al. 2022, Out-of-distribution detection with deep nearest neighbors, ICML.
``scripts/measure_ood_scores.py`` compares them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle, OodDetector
from leafid.jobs import OodScore
from leafid.trust.calibration import CalibrationSet
from leafid.trust.intervals import gathering_weights

PCA_COMPONENTS = 64
"""Principal components of the features kept for Mahalanobis distances.

With fewer images than features, the full covariance is singular.
"""

CHUNK_ROWS = 1024
"""Images compared with all training images in one matrix product; it bounds memory."""

SHRINKAGE = 0.1
"""Weight of the scaled identity matrix in the shrunk covariance, 0 to 1."""


@dataclass(frozen=True)
class TrainingFeatures:
    """Features of the train and val images, with which OOD detection compares an image.

    Attributes:
        features: (M, F), of length 1 each.
        labels: (M,).
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, features: NDArray[np.floating], labels: NDArray[np.int64]) -> "TrainingFeatures":
        """Normalise features (M, F) to unit length."""
        return cls(l2_normalise(features), labels)

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> "TrainingFeatures | None":
        """Load the features of a bundle; None before calibration.

        Raises:
            BundleError: they are damaged.
        """
        if bundle.info.references is None:
            return None
        tensors = bundle.references()
        return cls.of(np.asarray(tensors["features"], dtype=np.float32), np.asarray(tensors["labels"], dtype=np.int64))

    @cached_property
    def _gaussians(self) -> tuple[NDArray[np.float64], ...]:
        """Principal axes (F, D), class means (T, D), and whitening matrices within classes and over all (D, D)."""
        centred = self.features - self.features.mean(axis=0)
        _, _, axes = np.linalg.svd(centred, full_matrices=False)
        axes = np.asarray(axes[:PCA_COMPONENTS].T, dtype=np.float64)
        points = centred @ axes
        present, index = np.unique(self.labels, return_inverse=True)
        means = np.stack([points[index == taxon].mean(axis=0) for taxon in range(len(present))])
        return axes, means, _whitening(points - means[index]), _whitening(points)

    def mahalanobis(self, features: NDArray[np.floating], *, relative: bool) -> NDArray[np.float64]:
        """Return the squared Mahalanobis distance to the nearest class mean: (N,).

        Relative: minus the squared distance to the mean of all images, under the covariance of all images.
        """
        axes, means, within, overall = self._gaussians
        points = (l2_normalise(features) - self.features.mean(axis=0)) @ axes
        whitened, whitened_means = points @ within, means @ within
        # (N, T), by |a - b|^2 = |a|^2 - 2 a.b + |b|^2: one matrix product, without an array of (N, T, D).
        distances = (
            (whitened**2).sum(axis=1)[:, None] - 2 * whitened @ whitened_means.T + (whitened_means**2).sum(axis=1)
        )
        nearest = distances.min(axis=1)
        return np.asarray(nearest - ((points @ overall) ** 2).sum(axis=1) if relative else nearest)

    def nearest_similarity(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the cosine similarity of each image with the most similar training image: (N,), at most 1."""
        parts = np.array_split(features, -(-len(features) // CHUNK_ROWS) or 1)
        return np.concatenate([self.similarity(part).max(axis=1) for part in parts]).astype(np.float64)

    def similarity(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the cosine similarity of each image with every training image: (N, M)."""
        return np.asarray(l2_normalise(features) @ self.features.T, dtype=np.float32)


def ood_scores(
    score: OodScore,
    logits: NDArray[np.floating],
    features: NDArray[np.floating],
    training: TrainingFeatures,
) -> NDArray[np.float64]:
    """Return the OOD score of each image: (N,), higher for images less like the training images.

    Args:
        score: which score; see ``trust.ood_score`` of a job.
        logits: (N, T).
        features: (N, F), the embeddings before the head.
        training: features of the training images.
    """
    functions: dict[OodScore, Callable[[], NDArray[np.float64]]] = {
        "max_logit": lambda: -np.asarray(logits, dtype=np.float64).max(axis=1),
        "energy": lambda: -_log_sum_exp(np.asarray(logits, dtype=np.float64)),
        "mahalanobis": lambda: training.mahalanobis(features, relative=False),
        "relative_mahalanobis": lambda: training.mahalanobis(features, relative=True),
        "nearest_neighbour": lambda: 1 - training.nearest_similarity(features),
    }
    return functions[score]()


def fit_ood_detector(
    score: OodScore, scores: NDArray[np.float64], fitting: CalibrationSet, id_acceptance_rate: float
) -> OodDetector:
    """Fit the threshold that accepts a share of the gatherings of known taxa.

    Args:
        score: which score.
        scores: (N,), OOD scores of the images of ``fitting``, none compared with itself.
        fitting: val, or train and val out of fold.
        id_acceptance_rate: 0..1; each gathering has weight 1.
    """
    return OodDetector(
        score=score,
        threshold=acceptance_threshold(scores, fitting.gatherings, id_acceptance_rate),
        id_acceptance_rate=id_acceptance_rate,
        fitted_on=fitting.fitted_on,
    )


def acceptance_threshold(scores: NDArray[np.float64], gatherings: Sequence[str], id_acceptance_rate: float) -> float:
    """Return the lowest threshold that at least ``id_acceptance_rate`` of the gatherings do not exceed."""
    order = np.argsort(scores, kind="stable")
    weights = gathering_weights(gatherings)[order]
    accepted = np.cumsum(weights) / weights.sum()
    # The tolerance makes a share such as 19/20 count as 0.95 despite rounding.
    return float(scores[order][np.flatnonzero(accepted >= id_acceptance_rate - 1e-12)[0]])


def out_of_fold_ood_scores(
    score: OodScore,
    logits: NDArray[np.floating],
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the OOD score of each image compared with the images of the other folds: (N,); needs two folds or more.

    Args:
        score: see ``ood_scores``.
        logits: (N, T).
        features: (N, F).
        labels: (N,).
        folds: (N,).
    """
    scores = np.empty(len(labels))
    for fold in np.unique(folds):
        held_out = folds == fold
        others = TrainingFeatures.of(features[~held_out], labels[~held_out])
        scores[held_out] = ood_scores(score, logits[held_out], features[held_out], others)
    return scores


def l2_normalise(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Divide each row (N, F) by its Euclidean norm; a row of zeros stays zero."""
    rows = np.asarray(features, dtype=np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _whitening(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return W (D, D), so that the squared norm of ``x @ W`` is the squared Mahalanobis distance of x from 0.

    The covariance is shrunk towards a scaled identity matrix: taxa with few images leave it ill-conditioned.
    """
    covariance = points.T @ points / max(1, len(points) - 1)
    size = len(covariance)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance + 1e-12 * np.eye(size))))


def _log_sum_exp(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    largest = logits.max(axis=1)  # subtracted so that exp cannot overflow
    return np.asarray(largest + np.log(np.exp(logits - largest[:, None]).sum(axis=1)))
