"""Section ``model``: the network and the weights it starts from."""

from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from leafid.jobs.own_code import check_own_code, is_own_code
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
    """What builds a backbone; ``leafid.learning`` has one loader for each."""

    TORCHVISION = "torchvision"
    TIMM = "timm"
    OWN_CODE = "own code"


def backbone_source(name: str) -> BackboneSource:
    """Return what builds the backbone of this name.

    Raises:
        ValueError: nothing does; the message has the nearest names.
    """
    if is_own_code(name):
        return BackboneSource.OWN_CODE
    library, _, model = name.partition("/")
    if model and library == BackboneSource.TIMM:
        return BackboneSource.TIMM
    if name in BACKBONES:
        return BackboneSource.TORCHVISION
    near = get_close_matches(name, BACKBONES, n=3)
    hint = (
        f"did you mean {' or '.join(near)}?"
        if near
        else f"known: {', '.join(BACKBONES)}, timm/<any model of timm>, and package.module:function"
    )
    raise ValueError(f"is not a backbone of leafid; {hint}")


Pooling = Literal["average", "covariance"]

Scales = Annotated[tuple[Annotated[float, Field(ge=0.25, le=4)], ...], Field(min_length=1, max_length=8)]


class ModelSettings(Section):
    """The network and the weights it starts from."""

    backbone: str = "mobilenet_v3_large"
    """A CNN of torchvision: mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large, shufflenet_v2_x1_0, resnet18,
    resnet50, efficientnet_b0, efficientnet_v2_s or convnext_tiny. With the extra ``leafid[timm]`` also any CNN or
    transformer of timm: ``timm/`` and its name. Or your own, ``package.module:function``: a function without arguments
    that returns a module of PyTorch from images, normalised as for ImageNet, to logits."""
    weights: str = "imagenet"
    """``imagenet``: those of torchvision or timm, downloaded once. ``as-built``: those that your own backbone comes
    with. ``none``: random. Otherwise the path of a .pth or .safetensors file for the same backbone."""
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
        if backbone_source(value) is BackboneSource.OWN_CODE:
            check_own_code(value)
        return value

    @model_validator(mode="after")
    def _weights_suit_the_backbone(self) -> Self:
        own = backbone_source(self.backbone) is BackboneSource.OWN_CODE
        if own and self.weights == "imagenet":
            raise ValueError(
                f"weights: imagenet: {self.backbone} is not a backbone of torchvision or timm; set weights: as-built "
                "for those that the function returns, none for random ones, or a file"
            )
        if not own and self.weights == "as-built":
            raise ValueError(
                f"weights: as-built is for your own backbone (package.module:function), and {self.backbone} is built "
                "with random weights; set weights: imagenet, or a file"
            )
        return self
