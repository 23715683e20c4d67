"""Second-order pooling: which features of a leaf occur together, not only how strong each is on average.

The veins and hairs of a blade are a texture, and textures differ less in how much of each feature they show than in
which features meet at a place. A view is therefore described by the mean outer product of the features at its places,
those of the middle of the network, where a place is 16 pixels wide; its matrix square root keeps the few strongest
features from drowning all others.
Lin, RoyChowdhury & Maji 2015, Bilinear CNN models for fine-grained visual recognition, ICCV. Li, Xie, Wang & Gao 2018,
Towards faster training of global covariance pooling networks by iterative matrix square root normalization, CVPR.
"""

import math

import torch
from torch import Tensor, nn

CHANNELS = 96
"""Features at a place that are paired; more are first mixed into so many, or a bundle would become too large."""

_STEPS = 12  # of Newton and Schulz: features a ten-thousandth as strong as all together are still seen
_LEAST = 1e-5  # of the trace, added to the diagonal: a plain view has features that never occur


class CovariancePooling(nn.Module):
    """From maps of features to the upper triangle of the mean outer product of the features at a place.

    Args:
        channels: C, of the map.
    """

    mixing: Tensor | None

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.kept = min(channels, CHANNELS)
        # Whole numbers are no buffers: the running average of the weights would average them, too, and round.
        self.rows, self.columns = torch.triu_indices(self.kept, self.kept)
        mixing = None
        if channels > self.kept:  # random directions keep distances (Johnson & Lindenstrauss); stored with the weights
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
            places = maps.float().flatten(2)
            if self.mixing is not None:
                places = self.mixing @ places
            products = places @ places.transpose(1, 2) / places.shape[2]
            return products[:, self.rows, self.columns]


class MatrixSquareRoot(nn.Module):
    """From triangles of second moments to those of their matrix square root, at trace 1.

    The root belongs after the pooling over views: the mean of the moments of several views is that of all their places.

    Args:
        features: F, length of a triangle.
    """

    twice: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        side = (math.isqrt(8 * features + 1) - 1) // 2
        rows, columns = torch.triu_indices(side, side)
        places = torch.zeros(side, side, dtype=torch.long)
        places[rows, columns] = places[columns, rows] = torch.arange(features)
        self.rows, self.columns, self.places = rows, columns, places  # no buffers, as above
        # An element beside the diagonal stands for two, so that distances are those of the whole matrices.
        self.register_buffer("twice", torch.where(rows == columns, 1.0, math.sqrt(2)), persistent=False)

    def forward(self, triangles: Tensor) -> Tensor:
        """Turn triangles (N, F) into triangles (N, F), float32."""
        with torch.autocast(triangles.device.type, enabled=False):
            matrices = triangles.float()[:, self.places]
            unit = torch.eye(matrices.shape[1], device=matrices.device)
            trace = matrices.diagonal(dim1=1, dim2=2).sum(dim=1)[:, None, None]
            root, inverse = matrices / trace.clamp(min=1e-30) + _LEAST * unit, unit.expand_as(matrices)
            for _ in range(_STEPS):
                step = 1.5 * unit - 0.5 * inverse @ root
                root, inverse = root @ step, step @ inverse
            return root[:, self.rows, self.columns] * self.twice
