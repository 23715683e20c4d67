"""Covariance pooling: which features of a leaf occur together, not only how strong each is on average.

The veins and hairs of a blade form a texture. Textures differ less in the mean of each feature than in the features
that occur together. A view is therefore described by the mean outer product of the feature vectors of a map from the
middle of the network (second moments, not centred). The matrix square root of that mean keeps the few strongest
features from dominating all others.

Lin, RoyChowdhury & Maji 2015, Bilinear CNN models for fine-grained visual recognition, ICCV. Li, Xie, Wang & Gao 2018,
Towards faster training of global covariance pooling networks by iterative matrix square root normalization (iSQRT-COV),
CVPR.
"""

import math

import torch
from torch import Tensor, nn

MAX_CHANNELS = 96
"""Channels that enter the outer product; more are projected to so many first, or a bundle would become too large."""

_ITERATIONS = 12  # of Newton-Schulz: enough for eigenvalues down to a ten-thousandth of the trace
_RIDGE = 1e-5  # share of the trace added to the diagonal: in a blank view some features never occur (singular matrix)


class CovariancePooling(nn.Module):
    """Turns feature maps into the upper triangle of the mean outer product of their feature vectors.

    Args:
        channels: C, of the map.
    """

    mixing: Tensor | None

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kept = min(channels, MAX_CHANNELS)
        # Integer indices are not buffers: the moving average of the weights (EMA) would average and round them.
        self.rows, self.columns = torch.triu_indices(self.kept, self.kept)
        mixing = None
        if channels > self.kept:
            # A random orthonormal projection preserves distances (Johnson & Lindenstrauss); stored with the weights.
            random = torch.randn(channels, self.kept, generator=torch.Generator().manual_seed(0))
            mixing = torch.linalg.qr(random)[0].T.contiguous()
        self.register_buffer("mixing", mixing)

    @property
    def features(self) -> int:
        """Length of the triangle."""
        return self.kept * (self.kept + 1) // 2

    def forward(self, maps: Tensor) -> Tensor:
        """Turn maps (N, C, h, w) into triangles (N, F), float32."""
        with torch.autocast(maps.device.type, enabled=False):  # sums of squares need more than 16 bits
            vectors = maps.float().flatten(2)  # (N, C, h w)
            if self.mixing is not None:
                vectors = self.mixing @ vectors
            products = vectors @ vectors.transpose(1, 2) / vectors.shape[2]  # (N, C, C)
            return products[:, self.rows, self.columns]


class MatrixSquareRoot(nn.Module):
    """Turns triangles of second moments, at trace 1, into triangles of their matrix square root (iSQRT-COV).

    Applied after pooling over views: the mean of the moments of several views is the moment of all of them together.

    Args:
        features: F, length of a triangle.
    """

    sqrt2_off_diagonal: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        side = (math.isqrt(8 * features + 1) - 1) // 2
        rows, columns = torch.triu_indices(side, side)
        index = torch.zeros(side, side, dtype=torch.long)
        index[rows, columns] = index[columns, rows] = torch.arange(features)
        self.rows, self.columns, self.index = rows, columns, index  # not buffers, as above
        # An element off the diagonal represents two of the matrix: with the factor sqrt(2), the distance between two
        # triangles is the Frobenius distance between the matrices.
        self.register_buffer("sqrt2_off_diagonal", torch.where(rows == columns, 1.0, math.sqrt(2)), persistent=False)

    def forward(self, triangles: Tensor) -> Tensor:
        """Turn triangles (N, F) into triangles (N, F), float32."""
        with torch.autocast(triangles.device.type, enabled=False):
            matrices = triangles.float()[:, self.index]  # (N, C, C)
            unit = torch.eye(matrices.shape[1], device=matrices.device)
            trace = matrices.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None]
            # Newton-Schulz converges for matrices of norm below 1, hence the division by the trace. A blank view has
            # trace 0; the lower limit avoids NaN.
            root, inverse = matrices / trace.clamp(min=1e-30) + _RIDGE * unit, unit.expand_as(matrices)
            for _ in range(_ITERATIONS):
                step = 1.5 * unit - 0.5 * inverse @ root
                root, inverse = root @ step, step @ inverse
            return root[:, self.rows, self.columns] * self.sqrt2_off_diagonal
