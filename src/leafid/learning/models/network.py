"""The network: plain 8-bit pixels in, logits out; the normalisation is inside, so that nobody can forget it."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from leafid.bundle import Bundle, NetworkSpec
from leafid.errors import BundleError
from leafid.jobs import BACKBONES, TIMM_PREFIX
from leafid.learning.data.bags import Bags
from leafid.learning.models.attention_pooling import AttentionPooling
from leafid.learning.models.backbones import blocks, cut_in_the_middle, headless, normalised, whole_model
from leafid.learning.models.covariance_pooling import CovariancePooling, MatrixSquareRoot

PIXELS_AT_ONCE_CPU, PIXELS_AT_ONCE_GPU = 4 * 224**2, 64 * 512**2
"""Pixels that go through the network together where nothing is learnt. On a CPU, the maps of few views stay in memory
that need not be cleared again (mobilenet_v2, 320 pixels, one thread: 21 ms a view by two, 38 by sixteen)."""


@dataclass(frozen=True)
class NetworkOutput:
    """What the network says of N images.

    Attributes:
        logits: (N, T), one column per taxon in label order.
        embeddings: (N, F): the features of an image's views, pooled.
        weights: for each size of ``Bags``, the weight of each view (V,) in the answer; those of an image sum to 1.
    """

    logits: Tensor
    embeddings: Tensor
    weights: tuple[Tensor, ...]


class Network(nn.Module):
    """A backbone that turns views into features, attention that pools them over an image, and a head for the logits.

    With second-order pooling the backbone gives maps; the features of a view are then their second moments.

    Works in channels-last memory order, which is half as fast again on a CPU and faster on a GPU with mixed precision.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, backbone: nn.Module, features: int, taxa: int, spec: NetworkSpec, moments: CovariancePooling | None = None
    ) -> None:
        super().__init__()
        self.spec = spec
        self.taxa = taxa
        self.backbone = backbone
        self.summary = moments or nn.Identity()
        self.pooling = AttentionPooling(features, MatrixSquareRoot(features) if moments else None)
        self.head = nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(features, taxa))
        # Not part of the state: they come from the spec, which stands beside the weights in the bundle.
        self.register_buffer("mean", _per_channel(spec.mean), persistent=False)
        self.register_buffer("std", _per_channel(spec.std), persistent=False)
        self.to(memory_format=torch.channels_last)

    @property
    def last_linear(self) -> nn.Linear:
        """The layer that gives the logits."""
        layer: nn.Linear = self.head[1]  # type: ignore[assignment]
        return layer

    def features(self, pixels: Tensor, scales: Sequence[float] | None = None) -> Tensor:
        """Turn pixels (N, 3, S, S), uint8 RGB, into features (N, F), at these sizes instead of those of the network.

        While it learns, the network sees views at one of its sizes, another one each time: all of them together would
        take as much more time and memory as they have pixels.
        """
        own = normalised(pixels, self.mean, self.std)
        sizes = list(enumerate(scales or self.spec.scales))
        if self.training and len(sizes) > 1:
            sizes = [sizes[int(torch.randint(len(sizes), ()))]]
        seen: list[Tensor] = []
        for place, scale in sizes:
            resized = _resized(own, scale)
            seen.append(self.summary(self.backbone(resized.transpose(2, 3).flip(2) if place % 2 else resized)))
        return seen[0] if len(seen) == 1 else torch.stack(seen).mean(dim=0)

    def forward(self, bags: Bags) -> NetworkOutput:
        """Answer for each image of the bags, by all its views."""
        features = [self.features_in_chunks(pixels) for pixels in bags.pixels]
        embeddings, weights = self.pooling(
            torch.cat(features), torch.cat(bags.owners), torch.cat(bags.kinds), bags.images
        )
        parts = torch.split(weights, [len(part) for part in features])
        return NetworkOutput(self.head(embeddings), embeddings, parts)

    def logits_of_views(self, pixels: Tensor, scales: Sequence[float] | None = None) -> Tensor:
        """Answer for each of the views (N, 3, S, S) as if it were all there is of an image: logits (N, T)."""
        bags = Bags.of_single_views(pixels)
        embeddings, _ = self.pooling(self.features(pixels, scales), *bags.owners, *bags.kinds, bags.images)
        logits: Tensor = self.head(embeddings)
        return logits

    def features_in_chunks(self, pixels: Tensor) -> Tensor:
        """Turn pixels into features as ``features`` does, a few views after the other where nothing is learnt."""
        if torch.is_grad_enabled():
            return self.features(pixels)
        at_once = PIXELS_AT_ONCE_CPU if pixels.device.type == "cpu" else PIXELS_AT_ONCE_GPU
        views = max(1, at_once // (pixels.shape[2] * pixels.shape[3]))
        return torch.cat([self.features(part) for part in torch.split(pixels, views)])

    def blocks(self) -> list[nn.Module]:
        """Return the backbone's blocks from the image to the head."""
        return blocks(self.backbone)


def build_network(spec: NetworkSpec, taxa: int) -> Network:
    """Build a network with random weights for ``taxa`` taxa."""
    model = whole_model(spec.backbone)
    if spec.pooling == "second-order":
        backbone, channels = cut_in_the_middle(model)
        moments = CovariancePooling(channels)
        return Network(backbone, moments.features, taxa, spec, moments)
    backbone, features = headless(model)
    return Network(backbone, features, taxa, spec)


def load_network(bundle: Bundle) -> Network:
    """Build the network of a bundle with its weights, ready to use (eval mode, on the CPU).

    Raises:
        BundleError: the weights do not fit the network that the bundle describes.
    """
    spec = bundle.info.network
    if spec.backbone not in BACKBONES and not spec.backbone.startswith(TIMM_PREFIX):
        raise BundleError(
            f"{bundle.folder}: this leafid has no backbone {spec.backbone!r}, only {', '.join(BACKBONES)}. "
            f"Update leafid."
        )
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
