"""Pooling and head in numpy: from the features of views to logits, without torch.

Nearly all the work is that of the backbone, which a compiled engine runs. Pooling and head are small enough for numpy,
so that identification does without torch, whose import takes seconds. The calculation is that of ``AttentionPooling``
and ``MatrixSquareRoot`` in ``leafid.learning.models``; a test compares them.
"""

import math

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle
from leafid.errors import BundleError
from leafid.sheets import CropKind

KINDS = tuple(CropKind)
"""What a view shows; the index is the number of a kind, as in ``leafid.learning.Bags``."""

_ATTENTION, _WEIGHT, _BIAS = "pooling.score.weight", "head.1.weight", "head.1.bias"
_ITERATIONS = 12  # of Newton-Schulz, as in training
_RIDGE = 1e-5  # share of the trace added to the diagonal, as in training


class PoolingHead:
    """Pools the features of an image's views into its embedding, and applies the linear head.

    Args:
        bundle: the weights of its pooling and head are read.

    Raises:
        BundleError: the weights lack pooling or head, or do not fit the bundle's taxa.
    """

    def __init__(self, bundle: Bundle) -> None:
        arrays = bundle.arrays(_ATTENTION, _WEIGHT, _BIAS)
        attention, weight, bias = (arrays[name].astype(np.float32) for name in (_ATTENTION, _WEIGHT, _BIAS))
        taxa, features = weight.shape
        if taxa != len(bundle.info.taxonomy) or attention.shape != (1, features) or bias.shape != (taxa,):
            raise BundleError(
                f"{bundle.folder} is damaged: its head is for {taxa} taxa and its taxonomy has "
                f"{len(bundle.info.taxonomy)}. Copy the bundle again."
            )
        self.features = features
        """F, the number of features of a view."""
        self._attention, self._weight, self._bias = attention[0], weight, bias
        self._square_root = MatrixSquareRoot(features) if bundle.info.network.pooling == "covariance" else None

    def __call__(
        self, features: NDArray[np.float32], image_index: NDArray[np.int64], kinds: NDArray[np.int64], images: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return logits (N, T) and embeddings (N, F), float32.

        Args:
            features: (V, F), float32: of all views.
            image_index: (V,), the image of each view, 0..N-1.
            kinds: (V,), what each view shows: an index into ``KINDS``.
            images: N; each has at least one view.
        """
        group = image_index * len(KINDS) + kinds  # (V,), one number for each kind of view of each image
        group_size = np.bincount(group)[group]
        scores = features @ self._attention
        # Softmax over the views of an image; its largest score is subtracted first, so that exp does not overflow.
        largest = np.full(images, -np.inf, dtype=np.float32)
        np.maximum.at(largest, image_index, scores)
        exponentials = np.exp(scores - largest[image_index]) / group_size
        weights = exponentials / np.bincount(image_index, exponentials, images)[image_index]
        by_image = np.zeros((images, len(features)), dtype=np.float32)  # (N, V), so that pooling is a matrix product
        by_image[image_index, np.arange(len(features))] = weights
        embeddings: NDArray[np.float32] = by_image @ features
        if self._square_root is not None:
            embeddings = self._square_root(embeddings)
        logits: NDArray[np.float32] = embeddings @ self._weight.T + self._bias
        return logits, embeddings


class MatrixSquareRoot:
    """Turns triangles of second moments into triangles of their matrix square root (iSQRT-COV; Li et al. 2018, CVPR).

    Args:
        features: F, length of a triangle.
    """

    def __init__(self, features: int) -> None:
        side = (math.isqrt(8 * features + 1) - 1) // 2
        self._rows, self._columns = np.triu_indices(side)
        self._index = np.zeros((side, side), dtype=np.int64)
        self._index[self._rows, self._columns] = self._index[self._columns, self._rows] = np.arange(features)
        # An element off the diagonal represents two of the matrix; see leafid.learning.models.covariance_pooling.
        self._sqrt2_off_diagonal = np.where(self._rows == self._columns, 1.0, math.sqrt(2)).astype(np.float32)

    def __call__(self, triangles: NDArray[np.float32]) -> NDArray[np.float32]:
        """Turn triangles (N, F) into triangles (N, F), float32."""
        matrices = triangles[:, self._index]  # (N, C, C)
        unit = np.eye(matrices.shape[1], dtype=np.float32)
        trace = np.trace(matrices, axis1=1, axis2=2)[:, None, None]
        # Newton-Schulz converges for matrices of norm below 1, hence the division by the trace. A blank view has
        # trace 0; the lower limit avoids NaN.
        root = matrices / np.maximum(trace, np.float32(1e-30)) + np.float32(_RIDGE) * unit
        inverse = np.broadcast_to(unit, root.shape)
        for _ in range(_ITERATIONS):
            step = np.float32(1.5) * unit - np.float32(0.5) * inverse @ root
            root, inverse = root @ step, step @ inverse
        return np.asarray(root[:, self._rows, self._columns] * self._sqrt2_off_diagonal, dtype=np.float32)
