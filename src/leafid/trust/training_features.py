"""Features of the training images, with which other images are compared."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle
from leafid.errors import BundleError

COMPONENTS = 256
"""Principal components of the features kept for Mahalanobis distances.

With fewer images than features, the full covariance is singular.
"""

SHRINKAGE = 0.1
"""Weight of the scaled identity matrix in the shrunk covariance, 0 to 1."""

CHUNK_ROWS = 1024
"""Images compared with all training images in one matrix product; it bounds memory."""

_PREFIX = "gaussians."


@dataclass(frozen=True)
class Gaussians:
    """One normal distribution for each taxon, with a covariance that they share, and one for all images together.

    Attributes:
        centre: (F,), mean of all images.
        axes: (F, D), principal axes.
        means: (T, D), means of the taxa that have images.
        within: (D, D), so that the squared norm of ``x @ within`` is a squared distance under the covariance of taxa.
        overall: (D, D), the same under the covariance of all images.
    """

    centre: NDArray[np.float32]
    axes: NDArray[np.float32]
    means: NDArray[np.float32]
    within: NDArray[np.float32]
    overall: NDArray[np.float32]

    @classmethod
    def fit(
        cls, features: NDArray[np.float32], labels: NDArray[np.int64], nuisance: NDArray[np.float32] | None = None
    ) -> Self:
        """Fit them to features (M, F) of length 1 and their labels (M,).

        ``nuisance``: orthonormal directions (F, K) to which all axes are perpendicular, so that distances do not depend
        on them; see ``leafid.trust.nuisance``.
        """
        centre = features.mean(axis=0, dtype=np.float64)
        centred = features - centre
        if nuisance is not None:
            centred -= (centred @ nuisance) @ nuisance.T
        axes = _principal_axes(centred)
        points = (features - centre) @ axes
        present, index = np.unique(labels, return_inverse=True)
        means = np.stack([points[index == taxon].mean(axis=0) for taxon in range(len(present))])
        fitted = (centre, axes, means, _whitening(points - means[index]), _whitening(points))
        return cls(*(np.asarray(array, dtype=np.float32) for array in fitted))

    def mahalanobis(self, features: NDArray[np.float32], *, relative: bool) -> NDArray[np.float64]:
        """Return the squared Mahalanobis distance of features (N, F) of length 1 to the nearest taxon's mean: (N,).

        Relative: minus the squared distance to the mean of all images, under the covariance of all images.
        """
        points = self._points(features)
        nearest = self._squared_distances(points).min(axis=1)
        return np.asarray(nearest - ((points @ self.overall) ** 2).sum(axis=1) if relative else nearest)

    def mahalanobis_ratio(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the squared distance to the nearest taxon's mean divided by that to the second nearest: (N,), 0 to 1.

        It is 0 for all features (N, F) where there is only one taxon.
        """
        distances = np.maximum(self._squared_distances(self._points(features)), 0)  # rounding makes tiny ones negative
        if distances.shape[1] < 2:
            return np.zeros(len(distances))
        nearest, second = np.partition(distances, 1, axis=1)[:, :2].T
        return np.asarray(nearest / np.maximum(second, np.finfo(np.float64).tiny))

    def _points(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        return np.asarray((features - self.centre) @ self.axes, dtype=np.float64)

    def _squared_distances(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the squared distances (N, T) of points (N, D) to the taxa's means, under the covariance of taxa."""
        whitened, whitened_means = points @ self.within, self.means.astype(np.float64) @ self.within
        # |a - b|^2 = |a|^2 - 2 a.b + |b|^2: one matrix product, without an array of (N, T, D).
        return np.asarray(
            (whitened**2).sum(axis=1)[:, None] - 2 * whitened @ whitened_means.T + (whitened_means**2).sum(axis=1)
        )


@dataclass(frozen=True)
class TrainingFeatures:
    """Features of the train and val images, with which OOD detection compares an image.

    Attributes:
        features: (M, F), of length 1 each.
        labels: (M,).
        nuisance: (F, K), directions that distributions fitted here leave out.
        stored: the distributions that calibration has fitted to them, if the bundle's OOD score needs any.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    nuisance: NDArray[np.float32] | None = None
    stored: Gaussians | None = None

    @classmethod
    def of(
        cls, features: NDArray[np.floating], labels: NDArray[np.int64], nuisance: NDArray[np.float32] | None = None
    ) -> Self:
        """Normalise features (M, F) to unit length."""
        return cls(l2_normalise(features), labels, nuisance)

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self | None:
        """Load the features of a bundle; None before calibration.

        Raises:
            BundleError: they are damaged.
        """
        if bundle.info.references is None:
            return None
        arrays = bundle.references()
        features = l2_normalise(np.asarray(arrays["features"], dtype=np.float32))
        detector = bundle.info.ood_detector
        needed = detector is not None and detector.needs_gaussians
        labels = np.asarray(arrays["labels"], dtype=np.int64)
        return cls(features, labels, stored=_stored(arrays, bundle) if needed else None)

    def arrays(self, *, with_gaussians: bool) -> dict[str, NDArray[np.generic]]:
        """Return what a bundle stores. Half precision halves it; cosines change only in the fourth digit."""
        stored: dict[str, NDArray[np.generic]] = {"features": self.features.astype(np.float16), "labels": self.labels}
        if with_gaussians:
            stored |= {_PREFIX + name: np.ascontiguousarray(array) for name, array in vars(self.gaussians).items()}
        return stored

    @cached_property
    def gaussians(self) -> Gaussians:
        """The stored distributions, or those of the features."""
        return self.stored or Gaussians.fit(self.features, self.labels, self.nuisance)

    def mahalanobis(self, features: NDArray[np.floating], *, relative: bool) -> NDArray[np.float64]:
        """Return the squared Mahalanobis distance to the nearest taxon's mean: (N,); see ``Gaussians``."""
        return self.gaussians.mahalanobis(l2_normalise(features), relative=relative)

    def mahalanobis_ratio(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the squared distance to the nearest taxon divided by that to the second: (N,); see ``Gaussians``."""
        return self.gaussians.mahalanobis_ratio(l2_normalise(features))

    def nearest_similarity(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the cosine similarity of each image with the most similar training image: (N,), at most 1."""
        parts = np.array_split(features, -(-len(features) // CHUNK_ROWS) or 1)
        return np.concatenate([self.similarity(part).max(axis=1) for part in parts]).astype(np.float64)

    def similarity(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return the cosine similarity of each image with every training image: (N, M)."""
        return np.asarray(l2_normalise(features) @ self.features.T, dtype=np.float32)


def l2_normalise(features: NDArray[np.floating]) -> NDArray[np.float32]:
    """Divide each row (N, F) by its Euclidean norm; a row of zeros stays zero."""
    rows = np.asarray(features, dtype=np.float32)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12), dtype=np.float32)


def _stored(arrays: dict[str, NDArray[np.generic]], bundle: Bundle) -> Gaussians:
    """Return the distributions among the arrays of a bundle."""
    width = arrays["features"].shape[1]
    found = {
        name: np.asarray(arrays[_PREFIX + name], dtype=np.float32)
        for name in Gaussians.__dataclass_fields__
        if _PREFIX + name in arrays and arrays[_PREFIX + name].dtype.kind == "f"
    }
    side = found["axes"].shape[-1] if "axes" in found else 0
    shapes = {"centre": (width,), "axes": (width, side), "within": (side, side), "overall": (side, side)}
    if (
        len(found) < len(Gaussians.__dataclass_fields__)
        or any(found[name].shape != shape for name, shape in shapes.items())
        or found["means"].shape[1:] != (side,)
        or not all(np.isfinite(array).all() for array in found.values())
    ):
        raise BundleError(
            f"{bundle.folder} lacks the distributions of its OOD score: it is damaged, or an earlier leafid wrote it. "
            "Copy it again, or train it again."
        )
    return Gaussians(**found)


def _principal_axes(centred: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the first principal axes (F, D) of rows (M, F), by the smaller of their two products."""
    rows, width = centred.shape
    wide = rows <= width
    variances, vectors = np.linalg.eigh(centred @ centred.T if wide else centred.T @ centred)
    kept = np.flatnonzero(variances > 1e-9 * variances[-1])[::-1][:COMPONENTS]
    axes = centred.T @ (vectors[:, kept] / np.sqrt(variances[kept])) if wide else vectors[:, kept]
    return np.asarray(axes)


def _whitening(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return W (D, D), so that the squared norm of ``x @ W`` is the squared Mahalanobis distance of x from 0.

    The covariance is shrunk towards a scaled identity matrix: taxa with few images leave it ill-conditioned.
    """
    covariance = points.T @ points / max(1, len(points) - 1)
    size = len(covariance)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / max(size, 1) * np.eye(size)
    return np.asarray(np.linalg.cholesky(np.linalg.inv(covariance + 1e-12 * np.eye(size))))
