"""The network: plain 8-bit pixels in, logits out; the normalisation is inside, so that nobody can forget it."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from leafid.bundle import Bundle, NetworkSpec
from leafid.errors import BundleError
from leafid.jobs import BACKBONES
from leafid.learning.backbones import blocks, headless, normalised, whole_model
from leafid.learning.pooling import mean_over_bags

VIEWS_AT_ONCE = 64
"""Views that go through the network together where nothing is learnt: many views of many images need much memory."""


class Network(nn.Module):
    """A backbone that turns an image into features, and a head that turns features into one logit per taxon.

    Works in channels-last memory order, which is half as fast again on a CPU and faster on a GPU with mixed precision.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: nn.Module, features: int, taxa: int, spec: NetworkSpec) -> None:
        super().__init__()
        self.spec = spec
        self.taxa = taxa
        self.backbone = backbone
        self.head = nn.Sequential(nn.Dropout(spec.dropout), nn.Linear(features, taxa))
        # Not part of the state: they come from the spec, which stands beside the weights in the bundle.
        self.register_buffer("mean", _per_channel(spec.mean), persistent=False)
        self.register_buffer("std", _per_channel(spec.std), persistent=False)
        self.to(memory_format=torch.channels_last)

    def features(self, pixels: Tensor) -> Tensor:
        """Turn pixels (N, 3, S, S), uint8 RGB, into features (N, F)."""
        features: Tensor = self.backbone(normalised(pixels, self.mean, self.std))
        return features

    def forward(self, pixels: Tensor) -> Tensor:
        """Turn pixels (N, 3, S, S), uint8 RGB, into logits (N, T), one for each taxon in label order."""
        logits: Tensor = self.head(self.features(pixels))
        return logits

    def of_bags(self, pixels: Tensor, bags: Tensor) -> Tensor:
        """Turn the views of images into one row of logits (N, T) for each image.

        Args:
            pixels: (V, 3, S, S), uint8 RGB: the views of all images, one image after the other.
            bags: (N,), int64: how many views each image has, at least 1.
        """
        parts = [pixels] if self.training else torch.split(pixels, VIEWS_AT_ONCE)
        return mean_over_bags(torch.cat([self(part) for part in parts]), bags)

    def blocks(self) -> list[nn.Module]:
        """Return the backbone's blocks from the image to the head."""
        return blocks(self.backbone)


def build_network(spec: NetworkSpec, taxa: int) -> Network:
    """Build a network with random weights for ``taxa`` taxa."""
    backbone, features = headless(whole_model(spec.backbone))
    return Network(backbone, features, taxa, spec)


def network_of(bundle: Bundle) -> Network:
    """Build the network of a bundle with its weights, ready to use (eval mode, on the CPU).

    Raises:
        BundleError: the weights do not fit the network that the bundle describes.
    """
    spec = bundle.info.network
    if spec.backbone not in BACKBONES:
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


def _per_channel(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float32).view(1, 3, 1, 1)
