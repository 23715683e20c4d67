"""Backbones: one registry of networks by name, and what is done to them: removing the classifier, truncating."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
import torchvision
from torch import Tensor, fx, nn

from leafid.bundle import NetworkSpec
from leafid.errors import UsageError
from leafid.jobs import BackboneSource, ModelSettings, backbone_source, own_function

Channels = tuple[float, float, float]
"""One number each for red, green and blue."""

IMAGENET_MEAN: Channels = (0.485, 0.456, 0.406)
IMAGENET_STD: Channels = (0.229, 0.224, 0.225)
"""Mean and standard deviation of RGB values in 0..1 over ImageNet; torchvision's weights were trained with them."""

BATCH_NORM_MOMENTUM = 0.1
"""PyTorch's default. torchvision's mobilenet_v3 has 0.01, which is meant for hundreds of thousands of steps: after the
few hundred of a fine-tuning, the running statistics would still be those of the pretrained weights."""

COVARIANCE_STRIDE = 16
"""Stride, in pixels, of the feature map for covariance pooling; 16 was better than 8 and 32 (docs/results.md)."""

_ANY_SIZE: tuple[dict[str, bool], ...] = (
    {"dynamic_img_size": True},
    {"strict_img_size": False},
    {},
)
"""Options with which timm builds transformers for images of any size, by kind of transformer; CNNs need none."""

_PROBE_SIDE = 128  # pixels of the blank view that finds the feature map of that stride


@dataclass(frozen=True)
class Backbone(ABC):
    """A network that the registry knows by its name. To add a source of backbones, add a subclass to ``_SOURCES``."""

    name: str

    @abstractmethod
    def build(self) -> nn.Module:
        """Build the network with its classifier and random weights.

        Raises:
            UsageError: the library is not installed or does not have the network.
        """

    @abstractmethod
    def pretrained_tensors(self) -> dict[str, Tensor]:
        """Return the pretrained weights by name; they are downloaded once, then read from a cache.

        Raises:
            URLError, OSError, RuntimeError: the download fails, or its hash is wrong.
            UsageError: as ``build``.
        """

    @abstractmethod
    def normalisation(self) -> tuple[Channels, Channels]:
        """Return mean and standard deviation of the pixels that the pretrained weights expect.

        Raises:
            UsageError: as ``build``.
        """


class TorchvisionBackbone(Backbone):
    """A CNN of torchvision."""

    def build(self) -> nn.Module:
        """Build it with torchvision."""
        model: nn.Module = torchvision.models.get_model(self.name, weights=None)
        return model

    def pretrained_tensors(self) -> dict[str, Tensor]:
        """Return torchvision's default weights."""
        weights = torchvision.models.get_model_weights(self.name).DEFAULT
        tensors: dict[str, Tensor] = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
        return tensors

    def normalisation(self) -> tuple[Channels, Channels]:
        """Return that of ImageNet."""
        return IMAGENET_MEAN, IMAGENET_STD


class TimmBackbone(Backbone):
    """A CNN or transformer of timm, named ``timm/<model>`` or ``timm/<model>.<weights>``."""

    def build(self) -> nn.Module:
        """Build it with timm; transformers take views of any size."""
        timm, model = self._timm()
        for options in _ANY_SIZE:
            try:
                built: nn.Module = timm.create_model(model, pretrained=False, **options)
            except TypeError as error:  # each kind of network has its own option
                if not any(option in str(error) for option in options):
                    raise
            else:
                module: Any
                for module in built.modules():
                    if hasattr(module, "dynamic_img_pad"):  # patches that reach beyond the edge of a view are filled up
                        module.dynamic_img_pad = True
                return built
        raise AssertionError  # the last options are none

    def pretrained_tensors(self) -> dict[str, Tensor]:
        """Return the weights that timm has under this name."""
        timm, model = self._timm()
        return dict(timm.create_model(model, pretrained=True).state_dict())

    def normalisation(self) -> tuple[Channels, Channels]:
        """Return that of timm's configuration of the weights."""
        timm, model = self._timm()
        configuration = timm.get_pretrained_cfg(model)
        return configuration.mean, configuration.std

    def _timm(self) -> tuple[Any, str]:
        """Import timm; return it with its own name of the model."""
        try:
            import timm
        except ImportError:
            raise UsageError(
                f"model.backbone: {self.name} needs timm. Install it with: pip install 'leafid[timm]'"
            ) from None
        model = self.name.partition("/")[2]
        if not timm.is_model(model):
            near = get_close_matches(model.partition(".")[0], timm.list_models(), n=5)
            hint = f"The nearest names are {', '.join(near)}" if near else "timm.list_models() returns all names"
            raise UsageError(f"model.backbone: timm {timm.__version__} has no model {model!r}. {hint}.")
        return timm, model


class OwnBackbone(Backbone):
    """A module that a function of a practitioner returns, named ``package.module:function``."""

    def build(self) -> nn.Module:
        """Call the function."""
        try:
            module = own_function(self.name)()
        except (PermissionError, ValueError) as error:
            raise UsageError(f"model.backbone: {self.name}: {error}.") from None
        if not isinstance(module, nn.Module) or not any(isinstance(one, nn.Linear) for one in module.modules()):
            raise UsageError(
                f"model.backbone: {self.name} returned {type(module).__name__}; it must return a module of PyTorch "
                "(torch.nn.Module) whose last linear layer gives logits."
            )
        return module

    def pretrained_tensors(self) -> dict[str, Tensor]:
        """Return the weights that the function returns the module with."""
        return dict(self.build().state_dict())

    def normalisation(self) -> tuple[Channels, Channels]:
        """Return that of ImageNet."""
        return IMAGENET_MEAN, IMAGENET_STD


_SOURCES: dict[BackboneSource, type[Backbone]] = {
    BackboneSource.TORCHVISION: TorchvisionBackbone,
    BackboneSource.TIMM: TimmBackbone,
    BackboneSource.OWN_CODE: OwnBackbone,
}


def find_backbone(name: str) -> Backbone:
    """Look a backbone up in the registry.

    Raises:
        ValueError: no source has backbones of this name; the message has the nearest names.
    """
    return _SOURCES[backbone_source(name)](name)


def network_spec(model: ModelSettings) -> NetworkSpec:
    """Describe the network of a job; pixels are normalised as the pretrained weights expect it.

    Raises:
        UsageError: the library of the backbone is not installed or does not have it.
    """
    mean, std = find_backbone(model.backbone).normalisation()
    return NetworkSpec(
        backbone=model.backbone, pooling=model.pooling, scales=model.scales, dropout=model.dropout, mean=mean, std=std
    )


def classifier_layer(model: nn.Module) -> tuple[str, nn.Linear]:
    """Return the name and the module of the layer that gives the logits: the last linear one."""
    linear = [(name, module) for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    return linear[-1]


def without_classifier(model: nn.Module) -> tuple[nn.Module, int]:
    """Remove the classifier, switch all dropout off, and set the momentum of batch norm; changes the model in place.

    Returns:
        The model, which now gives features (N, F), and F.
    """
    name, layer = classifier_layer(model)
    model.set_submodule(name, nn.Identity())
    for module in model.modules():
        if isinstance(module, nn.Dropout):  # the head has its own, with the job's rate
            module.p = 0.0
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = BATCH_NORM_MOMENTUM
    return model, layer.in_features


def truncated(model: nn.Module) -> tuple[nn.Module, int]:
    """Remove everything after the last block whose feature map has a stride of ``COVARIANCE_STRIDE`` pixels.

    Returns:
        The remaining model, which gives maps (N, C, h, w) and whose tensors keep their names, and C.

    Raises:
        UsageError: the model has no such map, or torch.fx cannot trace it.
    """
    names = {id(module): name for name, module in model.named_modules()}
    maps: dict[str, int] = {}
    side = _PROBE_SIDE // COVARIANCE_STRIDE

    def keep(module: nn.Module, _: object, output: object) -> None:
        # Some transformers give maps (N, h, w, C), which have no square in the last two places.
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2:] == (side, side):
            maps[names[id(module)]] = output.shape[1]

    found = blocks(model)
    hooks = [block.register_forward_hook(keep) for block in found]
    training = model.training
    with torch.no_grad():
        model.eval()(torch.zeros(1, 3, _PROBE_SIDE, _PROBE_SIDE))
    model.train(training)
    for hook in hooks:
        hook.remove()
    if not maps:
        raise UsageError(
            f"model.pooling: covariance needs a feature map with a stride of {COVARIANCE_STRIDE} pixels, which this "
            "backbone does not have. Set pooling: average."
        )
    name, channels = list(maps.items())[-1]
    try:
        graph = _BlockTracer({names[id(block)] for block in found}).trace(model)
    except (TypeError, RuntimeError, ValueError) as error:  # torch.fx raises these at control flow that depends on data
        raise UsageError(
            f"model.pooling: covariance: this backbone cannot be truncated ({error}). Set pooling: average."
        ) from None
    (last,) = (node for node in graph.nodes if node.op == "call_module" and node.target == name)
    graph.output_node().args = (last,)
    rest = fx.GraphModule(model, graph)
    graph.eliminate_dead_code()
    rest.recompile()
    rest.delete_all_unused_submodules()
    return rest, channels


class _BlockTracer(fx.Tracer):
    """Traces from block to block, without looking into them."""

    def __init__(self, names: set[str]) -> None:
        super().__init__()
        self.names = names

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module is one node of the graph."""
        return module_qualified_name in self.names or super().is_leaf_module(m, module_qualified_name)


def blocks(backbone: nn.Module) -> list[nn.Module]:
    """Return the backbone's blocks that have parameters, from input to output."""
    return [block for block in _blocks(backbone) if any(True for _ in block.parameters())]


def _blocks(module: nn.Module) -> Iterator[nn.Module]:
    """Open plain containers; a module with a class of its own (residual block, convolution with norm) is one block."""
    for child in module.children():
        if type(child) in (nn.Sequential, nn.Module):  # torch.fx turns containers into plain modules
            yield from _blocks(child)
        else:
            yield child


def normalized(pixels: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Normalise pixels (N, 3, H, W), uint8, to float with mean 0 and deviation 1; ``mean``, ``std`` (1, 3, 1, 1)."""
    scaled = (pixels.to(mean.dtype) / 255 - mean) / std
    return scaled.contiguous(memory_format=torch.channels_last)
