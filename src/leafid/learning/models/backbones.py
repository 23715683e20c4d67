"""CNNs of torchvision and timm, cut before their last layer or in the middle, and their blocks from image to head."""

from collections.abc import Iterator
from typing import Any

import torch
import torchvision
from torch import Tensor, fx, nn

from leafid.bundle import NetworkSpec
from leafid.errors import UsageError
from leafid.jobs import TIMM_PREFIX, ModelSettings

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
"""Mean and standard deviation of RGB values in 0..1 over ImageNet; torchvision's weights were trained with them."""

BATCH_NORM_MOMENTUM = 0.1
"""torchvision's mobilenet_v3 has 0.01, for hundreds of thousands of steps; after the few hundred of a fine-tuning, the
running statistics would still be those of the start."""

STRIDE = 16
"""Pixels to a place of the map that second-order pooling pairs the features of. Pairs of features there tell leaves
apart better than those at 8 or 32 pixels (mobilenet_v2, *Viola*, five folds: macro-F1 0.62, 0.50 and 0.49)."""

_SIDE = 128  # of the empty view by which the map is found


def network_spec(model: ModelSettings) -> NetworkSpec:
    """Describe the network of a job; the normalisation is the one that its pretrained weights were trained with.

    Raises:
        UsageError: a CNN of timm is wanted, and timm is not installed or does not have it.
    """
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if model.backbone.startswith(TIMM_PREFIX):
        timm, plain = _timm(model.backbone)
        configuration = timm.get_pretrained_cfg(plain)
        mean, std = configuration.mean, configuration.std
    return NetworkSpec(
        backbone=model.backbone, pooling=model.pooling, scales=model.scales, dropout=model.dropout, mean=mean, std=std
    )


def whole_model(name: str) -> nn.Module:
    """Build a CNN with its classifier and random weights.

    Raises:
        UsageError: as ``network_spec``.
    """
    model: nn.Module = (
        timm_model(name) if name.startswith(TIMM_PREFIX) else torchvision.models.get_model(name, weights=None)
    )
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
    plain = name.removeprefix(TIMM_PREFIX)
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


def cut_in_the_middle(model: nn.Module) -> tuple[nn.Module, int]:
    """Leave off what follows the last block whose map has a place for every 16 pixels.

    Returns:
        The rest, which gives maps (N, C, h, w) and whose tensors have the names they had before, and C.

    Raises:
        UsageError: the model has no such map, or its calculation cannot be followed.
    """
    names = {id(module): name for name, module in model.named_modules()}
    maps: dict[str, int] = {}

    def keep(module: nn.Module, _: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] == _SIDE // STRIDE:
            maps[names[id(module)]] = output.shape[1]

    found = blocks(model)
    hooks = [block.register_forward_hook(keep) for block in found]
    training = model.training
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, _SIDE, _SIDE))
    model.train(training)
    for hook in hooks:
        hook.remove()
    if not maps:
        raise UsageError(
            f"model.pooling: second-order needs a map with a place for every {STRIDE} pixels. Take average."
        )
    name, channels = list(maps.items())[-1]
    try:
        graph = _BlockTracer({names[id(block)] for block in found}).trace(model)
    except (TypeError, RuntimeError, ValueError) as error:  # what torch.fx raises where the way depends on the pixels
        raise UsageError(f"model.pooling: second-order: the network cannot be cut ({error}). Take average.") from None
    (last,) = (node for node in graph.nodes if node.op == "call_module" and node.target == name)
    graph.output_node().args = (last,)
    cut = fx.GraphModule(model, graph)
    graph.eliminate_dead_code()
    cut.recompile()
    cut.delete_all_unused_submodules()
    return cut, channels


class _BlockTracer(fx.Tracer):
    """Follows the calculation from block to block, without looking into them."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Tell whether a module is one step."""
        return module_qualified_name in self.names or super().is_leaf_module(m, module_qualified_name)


def blocks(backbone: nn.Module) -> list[nn.Module]:
    """Return the backbone's blocks that have parameters, from the image to the head."""
    return [block for block in _blocks(backbone) if any(True for _ in block.parameters())]


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Open plain sequences; what has a class of its own (a residual block, a convolution and its norm) is one block."""
    for child in module.children():
        if type(child) in (nn.Sequential, nn.Module):  # torch.fx keeps what holds others as a plain module
            yield from _blocks(child)
        else:
            yield child


def normalised(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Bring pixels (N, 3, H, W), uint8, to floats around 0 with deviation 1; ``mean`` and ``std`` are (1, 3, 1, 1)."""
    scaled = (pixels.to(mean.dtype) / 255 - mean) / std
    return scaled.contiguous(memory_format=torch.channels_last)
