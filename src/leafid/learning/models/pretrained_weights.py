"""Pretrained weights: by name from torchvision or timm, or from a file, with a check that they fit the backbone."""

import logging
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from leafid.errors import WeightsError
from leafid.jobs import BACKBONES, ModelSettings, backbone_source
from leafid.learning.models.backbones import classifier_layer, find_backbone, network_spec
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
"""Exceptions of torch and safetensors for a file that does not contain weights."""


PARALLEL_PREFIX = "module."
"""What torch's DataParallel puts before each name."""


def initialize_network(model: ModelSettings, taxa: int) -> tuple[Network, list[str]]:
    """Build the network that training starts from: the backbone has the job's weights, the head is random.

    Returns:
        The network, and the names of the tensors in the weights that were not used (such as the old classifier).

    Raises:
        WeightsError: the weights cannot be downloaded or read, or belong to another backbone.
        UsageError: the library of the backbone is not installed or does not have it.
    """
    network = build_network(network_spec(model), taxa)
    if model.weights == "none":
        return network, []
    if model.weights in ("imagenet", "as-built"):
        origin = f"{model.weights} weights of {backbone_source(model.backbone)}"
        tensors = _downloaded(model.backbone)
    else:
        origin, tensors = model.weights, read_tensors(Path(model.weights))
    backbone, unused = _fitting(tensors, network, origin)
    network.backbone.load_state_dict(backbone, strict=False)  # _fitting has checked them, with clearer messages
    log.info("%s: %d tensors loaded into %s", origin, len(backbone), model.backbone)
    if unused:
        more = f" and {len(unused) - 4} more" if len(unused) > 4 else ""
        log.info(
            "%s: not used, because leafid takes the layers before them and adds a head of its own: %s%s",
            origin,
            ", ".join(unused[:4]),
            more,
        )
    return network, unused


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a file of weights (.safetensors, or .pth with a state dict of tensors); code in it is never run.

    Raises:
        WeightsError: the file is missing or damaged, or contains something else than tensors.
    """
    if not path.is_file():
        raise WeightsError(
            f"model.weights: the file {path} does not exist. Relative paths start at the current folder, {Path.cwd()}."
        )
    try:
        if path.suffix == ".safetensors":
            return _checked(dict(load_file(path)), path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        # torch refuses to import the class of an object in the file, and names it as a global.
        what = (
            _what_it_is(path, pickled="GLOBAL" in str(error))
            or f"cannot be read as weights: {_first_line(error)}. Download or copy it again."
        )
        raise WeightsError(f"model.weights: {path} {what}") from None
    for key in ("state_dict", "model"):  # training scripts often wrap the state dict under these keys
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not all(isinstance(value, Tensor) for value in content.values()):
        raise WeightsError(
            f"model.weights: {path} does not contain a state dict (names and tensors). Save model.state_dict()."
        )
    return _checked(dict(content), path)


def _checked(tensors: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Strip the prefix of data-parallel training, and refuse numbers that no training can start from."""
    if tensors and all(name.startswith(PARALLEL_PREFIX) for name in tensors):
        log.info("%s: the prefix %r of its names, from training on several GPUs, was removed.", path, PARALLEL_PREFIX)
        tensors = {name.removeprefix(PARALLEL_PREFIX): value for name, value in tensors.items()}
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise WeightsError(
            f"model.weights: {path} has values that are not numbers (NaN or infinite) in {len(broken)} of its "
            f"{len(tensors)} tensors, such as {broken[0]}: the training that wrote it failed. Use another file."
        )
    return tensors


def _what_it_is(path: Path, *, pickled: bool = False) -> str | None:
    """Recognise a file that was saved in place of weights; None if it is nothing known."""
    start = path.open("rb").read(512).lstrip()
    if start.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not the file itself. Fetch it with `git lfs pull`."
    if start[:1] == b"<":
        return "is a web page, not a file of weights. Download the file itself, and look at the page in a browser."
    if not start:
        return "is empty. Download or copy it again."
    if pickled:
        return (
            "contains Python objects, not only tensors, and leafid does not run code from files. Where it was trained, "
            "save the tensors alone: torch.save(model.state_dict(), 'weights.pth')."
        )
    return None


def _downloaded(backbone: str) -> dict[str, Tensor]:
    """Return the pretrained weights of a backbone, from a cache or from the web."""
    try:
        return find_backbone(backbone).pretrained_tensors()
    except (URLError, OSError, RuntimeError) as error:  # RuntimeError: the hash of the download is wrong
        raise WeightsError(
            f"model.weights: imagenet: the weights of {backbone} cannot be downloaded ({_first_line(error)}). Download "
            f"them elsewhere and set `weights: path/to/file.pth`, or set `weights: none` for random ones."
        ) from None


def _fitting(tensors: Mapping[str, Tensor], network: Network, origin: str) -> tuple[dict[str, Tensor], list[str]]:
    """Return the tensors of the backbone and the names of the unused ones; raise WeightsError if some are missing."""
    if all(name.startswith(("backbone.", "summary.", "pooling.", "head.")) for name in tensors):  # from a bundle
        tensors = {name.removeprefix("backbone."): value for name, value in tensors.items()}
    backbone, needed = network.spec.backbone, _shapes(network.backbone)
    fitting = {name: value for name, value in tensors.items() if needed.get(name) == value.shape}
    # Files from before torch 0.4.1 lack these counters, which leafid does not use.
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
            f"or have another shape, such as {missing[0]}. {hint}"
        )
    return fitting, [name for name in tensors if name not in fitting]


def _belongs_to(tensors: Mapping[str, Tensor]) -> str | None:
    """Return the torchvision backbone that weights belong to, or None."""
    for name in BACKBONES:
        with torch.device("meta"):  # shapes only: no memory, no random numbers
            model = find_backbone(name).build()
        expected, (classifier, _) = _shapes(model), classifier_layer(model)
        needed = [key for key in expected if not key.startswith(f"{classifier}.") and not key.endswith("tracked")]
        if all(key in tensors and tensors[key].shape == expected[key] for key in needed):
            return name
    return None


def _shapes(model: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in model.state_dict().items()}


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
