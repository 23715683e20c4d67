"""Section ``model``: the network and the weights it starts from."""

from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, field_validator

from leafid.jobs.section import Section

BACKBONES = (
    "mobilenet_v2",
    "mobilenet_v3_small",
    "mobilenet_v3_large",
    "shufflenet_v2_x1_0",
    "resnet18",
    "resnet50",
    "efficientnet_b0",
    "efficientnet_v2_s",
    "convnext_tiny",
)
"""CNNs of torchvision that leafid can fine-tune, from the fastest to the largest kind."""


class BackboneSource(StrEnum):
    """The library that builds a backbone; ``leafid.learning`` has one loader for each."""

    TORCHVISION = "torchvision"
    TIMM = "timm"


def backbone_source(name: str) -> BackboneSource:
    """Return the library that builds the backbone of this name: timm for ``timm/<model>``, else torchvision.

    Raises:
        ValueError: the name belongs to no library; the message has the nearest names.
    """
    library, slash, model = name.partition("/")
    if slash and model and library == BackboneSource.TIMM:
        return BackboneSource.TIMM
    if name in BACKBONES:
        return BackboneSource.TORCHVISION
    near = get_close_matches(name, BACKBONES, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(BACKBONES)}, and timm/<any CNN>"
    raise ValueError(f"is not a backbone of leafid; {hint}")


Pooling = Literal["average", "covariance"]

Scales = Annotated[tuple[Annotated[float, Field(ge=0.25, le=4)], ...], Field(min_length=1, max_length=8)]


class ModelSettings(Section):
    """The network and the weights it starts from."""

    backbone: str = "mobilenet_v3_large"
    """A CNN of torchvision: mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large, shufflenet_v2_x1_0, resnet18,
    resnet50, efficientnet_b0, efficientnet_v2_s or convnext_tiny. With the extra ``leafid[timm]`` also any CNN of timm:
    ``timm/`` and its name."""
    weights: str = "imagenet"
    """``imagenet``: those of torchvision or timm, downloaded once. ``none``: random. Otherwise the path of a .pth or
    .safetensors file for the same backbone."""
    pooling: Pooling = "average"
    """How the features of a view are summarised over its area. ``average``: how strong each feature is on average.
    ``covariance``: which features occur together, taken from the middle of the network, which is truncated there.
    Covariance suits textures such as veins, and few images; its embeddings have up to 4,656 numbers, not about
    1,000."""
    scales: Scales = (1.0,)
    """Relative sizes at which the network sees a view; the features of all sizes are averaged. Every second size is
    turned by a quarter. Veins and hairs differ in width and direction between leaves. Time grows with the square of
    each size."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the features that is hidden from the head at each training step; 0 where the head starts as a probe,
    because the features that a probe relies on must all be there."""

    @field_validator("backbone")
    @classmethod
    def _backbone_is_known(cls, value: str) -> str:
        backbone_source(value)
        return value
