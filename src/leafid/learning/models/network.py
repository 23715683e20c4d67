"""The network: 8-bit pixels in, logits out. Normalisation is part of the network, so a caller cannot forget it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from leafid.bundle import Bundle, NetworkSpec
from leafid.errors import BundleError
from leafid.learning.data.bags import Bags
from leafid.learning.models.attention_pooling import AttentionPooling
from leafid.learning.models.backbones import blocks, find_backbone, normalized, truncated, without_classifier
from leafid.learning.models.covariance_pooling import CovariancePooling, MatrixSquareRoot

MAX_PIXELS_PER_CHUNK_CPU, MAX_PIXELS_PER_CHUNK_GPU = 4 * 224**2, 64 * 512**2
"""Pixels per forward pass without gradients. Small chunks are faster on a CPU: their feature maps fit into memory that
is reused and need not be cleared again."""


@dataclass(frozen=True)
class NetworkOutput:
    """Output of the network for N images.

    Attributes:
        logits: (N, T), one column per taxon in label order.
        embeddings: (N, F): the features of an image's views, pooled.
        weights: for each size of ``Bags``, the attention weight of each view (V,); those of an image sum to 1.
    """

    logits: Tensor
    embeddings: Tensor
    weights: tuple[Tensor, ...]


class Network(nn.Module):
    """A backbone that turns views into features, attention pooling over the views of an image, and a linear head.

    With covariance pooling the backbone gives feature maps; the features of a view are then their covariance.

    Works in channels-last memory order, which is faster on CPUs, and on GPUs with mixed precision.

    Pooling and head calculate in float32, also under autocast: a solved head multiplies small differences of features
    by large weights, so that 16-bit floats would change its predictions.

    Args:
        backbone: from pixels (N, 3, S, S) to features (N, F) or, with covariance pooling, maps (N, C, h, w).
        features: F.
        taxa: T.
        spec: the description stored in the bundle.
        covariance: pools maps into features; None: the backbone gives features.

    Attributes:
        draws_one_scale: in training, whether each call sees one scale, drawn at random, instead of all.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        backbone: nn.Module,
        features: int,
        taxa: int,
        spec: NetworkSpec,
        covariance: CovariancePooling | None = None,
    ) -> None:
        super().__init__()
        self.spec = spec
        self.taxa = taxa
        self.backbone = backbone
        self.summary = covariance or nn.Identity()  # the attribute's name is part of the weights' names in bundles
        self.pooling = AttentionPooling(features, MatrixSquareRoot(features) if covariance else None)
        self.draws_one_scale = False
        self.head = nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(features, taxa))
        # Not part of the state: they come from the spec, which the bundle stores beside the weights.
        self.register_buffer("mean", _per_channel(spec.mean), persistent=False)
        self.register_buffer("std", _per_channel(spec.std), persistent=False)
        self.to(memory_format=torch.channels_last)

    @property
    def last_linear(self) -> nn.Linear:
        """The layer that gives the logits."""
        layer: nn.Linear = self.head[1]  # type: ignore[assignment]
        return layer

    def features(self, pixels: Tensor, scales: Sequence[float] | None = None) -> Tensor:
        """Return the features (N, F) of pixels (N, 3, S, S), uint8 RGB, averaged over scales.

        Args:
            pixels: the views.
            scales: relative sizes; None: those of the network.
        """
        images = normalized(pixels, self.mean, self.std)
        sizes = list(enumerate(scales or self.spec.scales))
        if self.training and self.draws_one_scale and len(sizes) > 1:
            sizes = [sizes[int(torch.randint(len(sizes), ()))]]
        by_scale: list[Tensor] = []
        for index, scale in sizes:
            resized = _resized(images, scale)
            # Every second scale is turned by a quarter: veins run in any direction.
            by_scale.append(self.summary(self.backbone(resized.transpose(2, 3).flip(2) if index % 2 else resized)))
        return by_scale[0] if len(by_scale) == 1 else torch.stack(by_scale).mean(dim=0)

    def forward(self, bags: Bags) -> NetworkOutput:
        """Classify each image of the bags by all its views."""
        features = [self.features_in_chunks(pixels) for pixels in bags.pixels]
        logits, embeddings, weights = self._pooled(
            torch.cat(features), torch.cat(bags.image_index), torch.cat(bags.kinds), bags.images
        )
        parts = torch.split(weights, [len(part) for part in features])
        return NetworkOutput(logits, embeddings, parts)

    def logits_of_views(self, pixels: Tensor, scales: Sequence[float] | None = None) -> Tensor:
        """Return the logits (N, T) of views (N, 3, S, S), each as the only view of an image."""
        bags = Bags.of_single_views(pixels)
        return self._pooled(self.features(pixels, scales), bags.image_index[0], bags.kinds[0], bags.images)[0]

    def _pooled(
        self, features: Tensor, image_index: Tensor, kinds: Tensor, images: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits, embeddings and attention weights from the features of views, calculated in float32."""
        with torch.autocast(features.device.type, enabled=False):
            embeddings, weights = self.pooling(features.float(), image_index, kinds, images)
            return self.head(embeddings), embeddings, weights

    def features_in_chunks(self, pixels: Tensor) -> Tensor:
        """Return the features as ``features`` does; without gradients, a few views at a time."""
        if torch.is_grad_enabled():
            return self.features(pixels)
        most = MAX_PIXELS_PER_CHUNK_CPU if pixels.device.type == "cpu" else MAX_PIXELS_PER_CHUNK_GPU
        views = max(1, most // (pixels.shape[2] * pixels.shape[3]))
        return torch.cat([self.features(part) for part in torch.split(pixels, views)])

    def blocks(self) -> list[nn.Module]:
        """Return the backbone's blocks from input to output."""
        return blocks(self.backbone)


def head_logits(network: Network, embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits (N, T) that the head of a network on the CPU gives to embeddings (N, F)."""
    with torch.inference_mode():
        logits: NDArray[np.float32] = network.last_linear(torch.from_numpy(embeddings)).numpy()
    return logits


def build_network(spec: NetworkSpec, taxa: int) -> Network:
    """Build a network with random weights for ``taxa`` taxa.

    Raises:
        UsageError: the library of the backbone is not installed, or the backbone does not allow covariance pooling.
    """
    model = find_backbone(spec.backbone).build()
    if spec.pooling == "covariance":
        backbone, channels = truncated(model)
        covariance = CovariancePooling(channels)
        return Network(backbone, covariance.features, taxa, spec, covariance)
    backbone, features = without_classifier(model)
    return Network(backbone, features, taxa, spec)


def load_network(bundle: Bundle) -> Network:
    """Build the network of a bundle with its weights, ready to use (eval mode, on the CPU).

    Raises:
        BundleError: the weights do not fit the network that the bundle describes.
    """
    spec = bundle.info.network
    try:
        find_backbone(spec.backbone)
    except ValueError as error:
        raise BundleError(f"{bundle.folder}: its backbone {spec.backbone!r} {error}. Update leafid.") from None
    network = build_network(spec, len(bundle.info.taxonomy))
    try:
        network.load_state_dict(bundle.tensors(), strict=True)
    except RuntimeError as error:
        raise BundleError(
            f"{bundle.folder} is damaged: its weights do not fit the network that it describes "
            f"({spec.backbone}, {len(bundle.info.taxonomy)} taxa). Copy the bundle again, or train again. {error}"
        ) from None
    return network.eval()


def _resized(values: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return values
    side = round(int(values.shape[2]) * scale)
    return functional.interpolate(values, size=(side, side), mode="bilinear", align_corners=False)


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
