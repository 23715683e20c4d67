"""CNNs of torchvision and timm, cut before their last layer, and their blocks in order from the image to the head."""

from collections.abc import Iterator
from typing import Any

import torch
import torchvision
from torch import Tensor, nn

from leafid.bundle import NetworkSpec
from leafid.errors import UsageError
from leafid.jobs import TIMM, ModelSettings

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of RGB values in 0..1 over ImageNet; torchvision's weights were trained with them."""

BATCH_NORM_MOMENTUM = 0.1
"""torchvision's mobilenet_v3 has 0.01, for hundreds of thousands of steps; after the few hundred of a fine-tuning, the
running statistics would still be those of the start."""


def network_spec(model: ModelSettings) -> NetworkSpec:
    """Describe the network of a job; the normalisation is the one that its pretrained weights were trained with.

    Raises:
        UsageError: a CNN of timm is wanted, and timm is not installed or does not have it.
    """
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if model.backbone.startswith(TIMM):
        timm, plain = _timm(model.backbone)
        configuration = timm.get_pretrained_cfg(plain)
        mean, std = configuration.mean, configuration.std
    return NetworkSpec(backbone=model.backbone, dropout=model.dropout, mean=mean, std=std)


def whole_model(name: str) -> nn.Module:
    """Build a CNN with its classifier and random weights.

    Raises:
        UsageError: as ``network_spec``.
    """
    model: nn.Module = timm_model(name) if name.startswith(TIMM) else torchvision.models.get_model(name, weights=None)
    return model


def timm_model(name: str, *, pretrained: bool = False) -> Any:  # noqa: ANN401 -- timm is untyped
    """Build a model of timm, named ``timm/<model>``; ``pretrained`` ones are downloaded once.

    Raises:
        UsageError: timm is not installed, or does not have the model.
    """
    timm, plain = _timm(name)
    return timm.create_model(plain, pretrained=pretrained)


def _timm(name: str) -> tuple[Any, str]:
    """Load timm, and return it with its own name of the model ``timm/<model>``."""
    try:
        import timm
    except ImportError:
        raise UsageError(f"model.backbone: {name} needs timm. Install it with: pip install 'leafid[timm]'") from None
    plain = name.removeprefix(TIMM)
    if not timm.is_model(plain):
        near = ", ".join(timm.list_models(f"*{plain.partition('.')[0].partition('_')[0]}*")[:8])
        raise UsageError(
            f"model.backbone: timm {timm.__version__} has no model {plain!r}. It has: {near or 'no such'}."
        )
    return timm, plain


def last_layer(model: nn.Module) -> tuple[str, nn.Linear]:
    """Return the name and the module of the layer that gives the logits: the last linear one."""
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return linear[-1]


def headless(model: nn.Module) -> tuple[nn.Module, int]:
    """Take away the last layer and the dropout before it, and let batch norm follow quickly.

    Returns:
        The model, which now gives features (N, F), and F.
    """
    name, layer = last_layer(model)
    model.set_submodule(name, nn.Identity())
    for inner, module in list(model.named_modules()):
        if isinstance(module, nn.Dropout):  # the head brings its own, with the job's rate
            model.set_submodule(inner, nn.Identity())
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = BATCH_NORM_MOMENTUM
    return model, layer.in_features


def blocks(backbone: nn.Module) -> list[nn.Module]:
    """Return the backbone's blocks that have parameters, from the image to the head."""
    return [block for block in _blocks(backbone) if any(True for _ in block.parameters())]


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Open plain sequences; what has a class of its own (a residual block, a convolution and its norm) is one block."""
    for child in module.children():
        if type(child) is nn.Sequential:
            yield from _blocks(child)
        else:
            yield child


def normalised(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Bring pixels (N, 3, H, W), uint8, to floats around 0 with deviation 1; ``mean`` and ``std`` are (1, 3, 1, 1)."""
    scaled = (pixels.to(mean.dtype) / 255 - mean) / std
    return scaled.contiguous(memory_format=torch.channels_last)
