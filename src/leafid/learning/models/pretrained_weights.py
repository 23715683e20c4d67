"""Pretrained weights: by name from torchvision, or from a file, with a check that they fit the backbone."""

import logging
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from leafid.errors import WeightsError
from leafid.jobs import BACKBONES, TIMM_PREFIX, ModelSettings
from leafid.learning.models.backbones import last_layer, network_spec, timm_model, whole_model
from leafid.learning.models.network import Network, build_network

log = logging.getLogger(__name__)

_UNREADABLE = (
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    KeyError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    SafetensorError,
)
"""What torch and safetensors raise at a file that holds no weights."""


def start_network(model: ModelSettings, taxa: int) -> tuple[Network, list[str]]:
    """Build the network from which training starts: its backbone with the job's weights, its head random.

    Returns:
        The network, and the names of the tensors in the weights that were not used (the old classifier).

    Raises:
        WeightsError: the weights cannot be had, cannot be read, or belong to another backbone.
    """
    network = build_network(network_spec(model), taxa)
    if model.weights == "none":
        return network, []
    if model.weights == "imagenet":
        origin, tensors = "ImageNet weights of torchvision", _downloaded(model.backbone)
    else:
        origin, tensors = model.weights, read_tensors(Path(model.weights))
    backbone, unused = _fitting(tensors, network, origin)
    network.backbone.load_state_dict(backbone, strict=False)  # the fit has been checked, with better messages
    log.info("%s: %d tensors loaded into %s", origin, len(backbone), model.backbone)
    if unused:
        more = f" and {len(unused) - 4} more" if len(unused) > 4 else ""
        log.info("%s: not used, for the network ends before them: %s%s", origin, ", ".join(unused[:4]), more)
    return network, unused


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file of weights (.safetensors, or .pth holding a state dict of tensors); no code in it is ever run.

    Raises:
        WeightsError: the file is missing, damaged, or holds something else than tensors.
    """
    if not path.is_file():
        raise WeightsError(
            f"model.weights: there is no file {path}. Relative paths start at the current folder, {Path.cwd()}."
        )
    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        raise WeightsError(f"model.weights: {path} cannot be read as weights: {_first_line(error)}") from None
    for key in ("state_dict", "model"):  # how training scripts commonly wrap them
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(f"model.weights: {path} holds no state dict (names and tensors). Save model.state_dict().")
    return dict(content)


def _downloaded(backbone: str) -> dict[str, Tensor]:
    """Get the weights that come with a backbone, from a cache or from the network."""
    try:
        if backbone.startswith(TIMM_PREFIX):
            return dict(timm_model(backbone, pretrained=True).state_dict())
        weights = torchvision.models.get_model_weights(backbone).DEFAULT
        tensors: dict[str, Tensor] = weights.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError) as error:  # RuntimeError: the download's hash is wrong
        raise WeightsError(
            f"model.weights: imagenet: the weights of {backbone} cannot be downloaded ({_first_line(error)}). Two ways "
            f"out: `weights: path/to/file.pth` with weights fetched elsewhere, or `weights: none` for random ones."
        ) from None
    return tensors


def _fitting(tensors: Mapping[str, Tensor], network: Network, origin: str) -> tuple[dict[str, Tensor], list[str]]:
    """Part the tensors into those of the backbone and the names of those not used; refuse what does not fit."""
    if all(name.startswith(("backbone.", "summary.", "pooling.", "head.")) for name in tensors):  # a bundle of leafid
        tensors = {name.removeprefix("backbone."): value for name, value in tensors.items()}
    backbone, needed = network.spec.backbone, _shapes(network.backbone)
    fitting = {name: value for name, value in tensors.items() if needed.get(name) == value.shape}
    # Files made before torch 0.4.1 lack these counters, which nothing here reads.
    missing = [name for name in needed if name not in fitting and not name.endswith("num_batches_tracked")]
    if missing:
        other = _belongs_to(tensors)
        hint = (
            f"They are weights of {other}: set `backbone: {other}`, or name a file for {backbone}."
            if other is not None and other != backbone
            else f"Name a file of weights for {backbone}, or set `weights: none`."
        )
        raise WeightsError(
            f"model.weights: {origin} does not fit {backbone}: {len(missing)} of its {len(needed)} tensors are missing "
            f"or of another shape, such as {missing[0]}. {hint}"
        )
    return fitting, [name for name in tensors if name not in fitting]


def _belongs_to(tensors: Mapping[str, Tensor]) -> str | None:
    """Find the backbone to which weights belong."""
    for name in BACKBONES:
        with torch.device("meta"):  # shapes only: no memory, no random numbers
            expected = _shapes(whole_model(name))
            classifier, _ = last_layer(whole_model(name))
        needed = [key for key in expected if not key.startswith(f"{classifier}.") and not key.endswith("tracked")]
        if all(key in tensors and tensors[key].shape == expected[key] for key in needed):
            return name
    return None


def _shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
