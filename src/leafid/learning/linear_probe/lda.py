"""Linear discriminant analysis with a shrunk covariance, for any shrinkage from one eigendecomposition.

Each taxon is represented by its mean embedding; distances are weighted by the inverse covariance within taxa. With few
sheets per taxon this classifier was more accurate than logistic regression and cosine prototypes (docs/results.md).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leafid.learning.linear_probe.embeddings import LabelledEmbeddings

EXCLUDED_LOGIT = -1e6
"""Bias of a taxon that must never be predicted; finite, so that losses stay finite."""


class LinearHead(NamedTuple):
    """Weights (T, F) and biases (T,)."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def logits(self, embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the logits (N, T) of embeddings (N, F)."""
        logits: NDArray[np.float64] = embeddings @ self.weight.T + self.bias
        return logits

    def scaled(self, factor: float) -> "LinearHead":
        """Return a head whose logits are those of this one times a factor."""
        return LinearHead(self.weight * factor, self.bias * factor)


class ShrunkLda:
    """Linear discriminant analysis whose covariance within taxa is shrunk towards a multiple of the identity.

    Equal to scikit-learn's ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage=...)``. That class inverts the
    covariance again for each shrinkage; here one eigendecomposition serves all shrinkages.

    Args:
        images: the training images.
        taxa: T. A taxon without a training image is never predicted.
        balanced: give all taxa the same prior; otherwise their frequency among the images.
        copies: augmented copies of the images, to which the analysis is fitted, too.
        features: F of the embeddings before ``rotate``; None: they were not rotated.

    Attributes:
        known: (T,), whether a taxon has training images.
        sizes: (T,), training images of each taxon without their copies.
    """

    def __init__(
        self,
        images: LabelledEmbeddings,
        taxa: int,
        *,
        balanced: bool,
        copies: LabelledEmbeddings | None = None,
        features: int | None = None,
    ) -> None:
        self.sizes = np.bincount(images.labels, minlength=taxa)
        images = images.concatenate(copies)
        values, labels = images.embeddings.astype(np.float64), images.labels
        counts = np.bincount(labels, minlength=taxa)
        self.known = counts > 0
        self.means = np.zeros((taxa, values.shape[1]))
        np.add.at(self.means, labels, values)
        self.means[self.known] /= counts[self.known, None]
        self.priors = self.known / self.known.sum() if balanced else counts / counts.sum()
        # The covariance is the mean of the taxa's covariances weighted by their priors, as in scikit-learn.
        weights = np.sqrt((self.priors / np.maximum(counts, 1))[labels])
        self.variances, self.axes = _principal_axes((values - self.means[labels]) * weights[:, None])
        self.mean_variance = self.variances.sum() / (features or values.shape[1])

    def head(self, shrinkage: float, *, scatter: float = 0.0) -> LinearHead:
        """Return the head for a shrinkage between 0 (exclusive) and 1.

        The mean of n images lies at a squared distance of ``scatter / n`` from the true mean of its taxon, so that a
        taxon of few images seems farther away than it is. Half of this is added to its logit.
        Huang, Tong & Zhao 2010, Bias-corrected diagonal discriminant rules for high-dimensional classification,
        Biometrics 66.

        Its rows and biases have mean 0 over the known taxa. All rows of a solved head share a component many times as
        large as their differences. Softmax ignores it, but in 16-bit floats its rounding errors exceed the differences.
        """
        isotropic = shrinkage * self.mean_variance
        projected = self.means @ self.axes.T  # (T, R)
        # Inverse covariance: 1 / isotropic outside the R principal axes, 1 / (shrunk variance) along them.
        correction = projected * (1 / ((1 - shrinkage) * self.variances + isotropic) - 1 / isotropic)
        weight = self.means / isotropic + correction @ self.axes
        with np.errstate(divide="ignore"):
            bias = -0.5 * (weight * self.means).sum(axis=1) + np.log(self.priors)
        bias += 0.5 * scatter / np.maximum(self.sizes, 1)
        weight, bias = weight - weight[self.known].mean(axis=0), bias - bias[self.known].mean()
        bias[~self.known] = EXCLUDED_LOGIT
        return LinearHead(weight, bias)

    def scatter(self, images: LabelledEmbeddings, shrinkage: float) -> NDArray[np.float64]:
        """Estimate from each image, to which the analysis was not fitted, the scatter of images around true means.

        Args:
            images: N images of known taxa.
            shrinkage: see ``head``.

        Returns:
            (N,), the squared distance from the mean of the image's taxon under the shrunk covariance, less the part
            that comes from the error of the mean itself.
        """
        isotropic = shrinkage * self.mean_variance
        centred = images.embeddings - self.means[images.labels]
        along = (centred @ self.axes.T) ** 2
        inside = along @ (1 / ((1 - shrinkage) * self.variances + isotropic))
        outside = ((centred**2).sum(axis=1) - along.sum(axis=1)) / isotropic
        return np.asarray((inside + outside) / (1 + 1 / self.sizes[images.labels]))


def rotate(
    images: LabelledEmbeddings, copies: LabelledEmbeddings | None
) -> tuple[LabelledEmbeddings, LabelledEmbeddings | None]:
    """Return images (N) and their copies (M) by their coordinates along N + M axes, if these are fewer than features.

    Distances stay the same, so that many analyses of parts of the images become faster.
    """
    both = images.concatenate(copies)
    if len(both) >= both.embeddings.shape[1]:
        return images, copies
    centred = both.embeddings - both.embeddings.mean(axis=0, dtype=np.float64)
    variances, vectors = np.linalg.eigh(centred @ centred.T)
    coordinates = (vectors * np.sqrt(np.maximum(variances, 0))).astype(np.float32)
    parts = [
        type(part)(rows, part.labels)
        for part, rows in zip((images, copies), np.split(coordinates, [len(images)]), strict=True)
        if part is not None
    ]
    return parts[0], parts[1] if copies is not None else None


def lda_head(embeddings: NDArray[np.float32], labels: NDArray[np.int64], taxa: int, *, shrinkage: float) -> LinearHead:
    """Return the LDA head of images with equal priors.

    Args:
        embeddings: (N, F).
        labels: (N,); at least one taxon has two images or more.
        taxa: T. A taxon without an image is never predicted.
        shrinkage: of the covariance.
    """
    return ShrunkLda(LabelledEmbeddings(embeddings, labels), taxa, balanced=True).head(shrinkage)


def _principal_axes(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return variances (R,) and axes (R, F) of rows (N, F) around 0; directions without variance are left out.

    Decomposes the smaller of the two products of the rows: (N, N) or (F, F). This is much faster than a singular value
    decomposition of thousands of rows with thousands of columns.
    """
    wide = len(rows) <= rows.shape[1]
    variances, vectors = np.linalg.eigh(rows @ rows.T if wide else rows.T @ rows)
    positive = variances > 1e-12 * variances[-1]  # below this, rounding errors of float64
    variances, vectors = variances[positive], vectors[:, positive]
    return variances, (vectors / np.sqrt(variances)).T @ rows if wide else vectors.T
