"""The CNNs of torchvision, cut before their last layer, and their blocks in order from the image to the head."""

from collections.abc import Iterator

import torch
import torchvision
from torch import Tensor, nn

from leafid.bundle import NetworkSpec
from leafid.jobs import ModelSettings

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of RGB values in 0..1 over ImageNet; torchvision's weights were trained with them."""

BATCH_NORM_MOMENTUM = 0.1
"""torchvision's mobilenet_v3 has 0.01, for hundreds of thousands of steps; after the few hundred of a fine-tuning, the
running statistics would still be those of the start."""


def network_spec(model: ModelSettings) -> NetworkSpec:
    """Describe the network of a job; the normalisation is the one that torchvision's weights were trained with."""
    return NetworkSpec(backbone=model.backbone, dropout=model.dropout, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def whole_model(name: str) -> nn.Module:
    """Build a torchvision CNN with its 1000-way classifier and random weights."""
    model: nn.Module = torchvision.models.get_model(name, weights=None)
    return model


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
