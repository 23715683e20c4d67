"""Is this like anything the network was trained on? Scores of familiarity; what is not familiar is of no known taxon.

All scores rise with familiarity. Sources: maximum logit, Hendrycks et al. 2022, Scaling out-of-distribution detection
for real-world settings, ICML; energy, Liu et al. 2020, Energy-based out-of-distribution detection, NeurIPS;
Mahalanobis distance, Lee et al. 2018, A simple unified framework, NeurIPS; the relative one, Ren et al. 2021,
arXiv:2106.09022; nearest neighbour, Sun et al. 2022, Out-of-distribution detection with deep nearest neighbors, ICML.
`scripts/measure_trust.py` compares them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle, Unknowns
from leafid.trust.calibration import Known
from leafid.trust.resampling import one_per_gathering

FamiliarityScore = Literal["max_logit", "energy", "mahalanobis", "relative_mahalanobis", "nearest_neighbour"]
FAMILIARITY_SCORES: tuple[FamiliarityScore, ...] = get_args(FamiliarityScore)

SHIPPED: FamiliarityScore = "nearest_neighbour"
"""The one that bundles use. AUROC of a probe on all views of an image: leaf_remp against 100 other species and against
four held-out taxa, then *Viola* against the same: 1.000, 0.860, 0.967, 0.629. Relative Mahalanobis: 0.996, 0.902,
0.957, 0.642; but at its limit it accepts 64 % of the other species on *Viola*, nearest neighbour 14 %. Energy: 0.671,
0.722, 0.610, 0.481 (`scripts/measure_trust.py`)."""

DIMENSIONS = 64
"""Principal components of the features in which Mahalanobis distances are taken: with fewer images than features, a
covariance of all of them says little."""

ROWS_AT_ONCE = 1024
"""Images that are compared with all training images together: 0.4 GB for 100,000 of these."""

RIDGE = 0.1
"""Share of the spherical part in a covariance."""


@dataclass(frozen=True)
class TrainingFeatures:
    """The features of the images whose taxa the network knows, train and val, to compare with.

    Attributes:
        features: (M, F), of length 1 each.
        labels: (M,).
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]

    @classmethod
    def of(cls, features: NDArray[np.floating], labels: NDArray[np.int64]) -> "TrainingFeatures":
        """Take features (M, F) of any length."""
        return cls(unit_length(features), labels)

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> "TrainingFeatures | None":
        """Load those of a bundle; None when it has none.

        Raises:
            BundleError: they are damaged.
        """
        if bundle.info.references is None:
            return None
        tensors = bundle.references()
        return cls.of(np.asarray(tensors["features"], dtype=np.float32), np.asarray(tensors["labels"], dtype=np.int64))

    @cached_property
    def _gaussians(self) -> tuple[NDArray[np.float64], ...]:
        """Axes (F, D), centres of the taxa (T, D), and the whitening within taxa and over all (D, D)."""
        centred = self.features - self.features.mean(axis=0)
        _, _, axes = np.linalg.svd(centred, full_matrices=False)
        axes = np.asarray(axes[:DIMENSIONS].T, dtype=np.float64)
        points = centred @ axes
        present, place = np.unique(self.labels, return_inverse=True)
        centres = np.stack([points[place == number].mean(axis=0) for number in range(len(present))])
        return axes, centres, _whitening(points - centres[place]), _whitening(points)

    def mahalanobis(self, features: NDArray[np.floating], *, relative: bool) -> NDArray[np.float64]:
        """Return minus the squared distance to the nearest taxon (N,); relative: less that to the whole."""
        axes, centres, within, over_all = self._gaussians
        points = (unit_length(features) - self.features.mean(axis=0)) @ axes
        here, there = points @ within, centres @ within
        distances = (here**2).sum(axis=1)[:, None] - 2 * here @ there.T + (there**2).sum(axis=1)
        nearest = distances.min(axis=1)
        return np.asarray(((points @ over_all) ** 2).sum(axis=1) - nearest if relative else -nearest)

    def nearest(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the cosine of each image with the most similar training image: (N,), at most 1."""
        parts = np.array_split(features, -(-len(features) // ROWS_AT_ONCE) or 1)
        return np.concatenate([self.similarity(part).max(axis=1) for part in parts]).astype(np.float64)

    def similarity(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the cosine of each image with every training image: (N, M)."""
        return np.asarray(unit_length(features) @ self.features.T, dtype=np.float32)


def familiarity(
    score: FamiliarityScore,
    logits: NDArray[np.floating],
    features: NDArray[np.floating],
    training: TrainingFeatures,
) -> NDArray[np.float64]:
    """Return how familiar each image is: (N,), higher is more familiar.

    Args:
        score: which way.
        logits: (N, T).
        features: (N, F), those before the head.
        training: the training images.
    """
    ways: dict[str, Callable[[], NDArray[np.float64]]] = {
        "max_logit": lambda: np.asarray(logits, dtype=np.float64).max(axis=1),
        "energy": lambda: _log_sum_exp(np.asarray(logits, dtype=np.float64)),
        "mahalanobis": lambda: training.mahalanobis(features, relative=False),
        "relative_mahalanobis": lambda: training.mahalanobis(features, relative=True),
        "nearest_neighbour": lambda: training.nearest(features),
    }
    return ways[score]()


def fit_unknowns(familiarities: NDArray[np.float64], known: Known, acceptance: float) -> Unknowns:
    """Find the threshold that accepts a share of gatherings of known taxa.

    Args:
        familiarities: (N,), of the images of ``known``, compared with others.
        known: val, or train and val out of fold.
        acceptance: 0..1; a gathering weighs one.
    """
    return Unknowns(
        score=SHIPPED,
        threshold=accepting_threshold(familiarities, known.gatherings, acceptance),
        acceptance=acceptance,
        fitted_on=known.fitted_on,
    )


def accepting_threshold(familiarities: NDArray[np.float64], gatherings: Sequence[str], acceptance: float) -> float:
    """Return the highest threshold at or above which at least ``acceptance`` of the gatherings lie."""
    order = np.argsort(-familiarities, kind="stable")
    weights = one_per_gathering(gatherings)[order]
    reached = np.cumsum(weights) / weights.sum()
    return float(familiarities[order][np.flatnonzero(reached >= acceptance - 1e-12)[0]])


def familiarity_out_of_fold(
    score: FamiliarityScore,
    logits: NDArray[np.floating],
    features: NDArray[np.floating],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return how familiar each image is (N,), compared with the images of the other folds; two folds or more.

    Args:
        score: see ``familiarity``.
        logits: (N, T).
        features: (N, F).
        labels: (N,).
        folds: (N,).
    """
    familiar = np.empty(len(labels))
    for fold in np.unique(folds):
        mine = folds == fold
        others = TrainingFeatures.of(features[~mine], labels[~mine])
        familiar[mine] = familiarity(score, logits[mine], features[mine], others)
    return familiar


def unit_length(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Bring each row (N, F) to length 1; a row of zeros stays one."""
    wide = np.asarray(features, dtype=np.float32)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _whitening(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return W (D, D) with which squared lengths of ``x @ W`` are Mahalanobis distances."""
    covariance = points.T @ points / max(1, len(points) - 1)
    size = len(covariance)
    covariance = (1 - RIDGE) * covariance + RIDGE * np.trace(covariance) / size * np.eye(size)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance + 1e-12 * np.eye(size))))


def _log_sum_exp(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    top = logits.max(axis=1)
    return np.asarray(top + np.log(np.exp(logits - top[:, None]).sum(axis=1)))
