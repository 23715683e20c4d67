"""Section ``model``: the network and the weights it starts from."""

from difflib import get_close_matches
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
"""CNNs of torchvision that leafid knows how to fine-tune, from the fastest to the largest kind."""


Pooling = Literal["average", "second-order"]

Scales = Annotated[tuple[Annotated[float, Field(ge=0.25, le=4)], ...], Field(min_length=1, max_length=8)]

TIMM_PREFIX = "timm/"
"""What the names of backbones begin with that timm builds, such as ``timm/convnext_nano.in12k_ft_in1k``."""


class ModelSettings(Section):
    """The network and the weights it starts from."""

    backbone: str = "mobilenet_v3_large"
    """A CNN of torchvision: mobilenet_v2, mobilenet_v3_small, mobilenet_v3_large, shufflenet_v2_x1_0, resnet18,
    resnet50, efficientnet_b0, efficientnet_v2_s or convnext_tiny. With the extra ``leafid[timm]`` also any CNN of timm:
    ``timm/`` and its name."""
    weights: str = "imagenet"
    """``imagenet``: torchvision's or timm's own, downloaded once. ``none``: random. Else the path of a .pth or
    .safetensors file for the same backbone."""
    pooling: Pooling = "average"
    """What is kept of the features of a view: ``average``, how strong each is over all places; ``second-order``, which
    of them occur together at a place, taken from the middle of the network, which is then cut there. The latter is
    for textures, such as veins, and for few images; its embeddings have up to 4,656 numbers, not about 1,000."""
    scales: Scales = (1.0,)
    """Sizes, as shares of its own, at which the network sees a view, at every second one turned by a quarter; what it
    sees of each is averaged. Veins and hairs are finer in one leaf than in the next and run another way. A size costs
    its square."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of the features that is hidden from the head at each training step."""

    @field_validator("backbone")
    @classmethod
    def _backbone_is_known(cls, value: str) -> str:
        if value not in BACKBONES and not value.startswith(TIMM_PREFIX):
            near = get_close_matches(value, BACKBONES, n=1)
            hint = f"; did you mean {near[0]}?" if near else f"; known: {', '.join(BACKBONES)}"
            raise ValueError(f"is no backbone of leafid{hint}")
        return value
