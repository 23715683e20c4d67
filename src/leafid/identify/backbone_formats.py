"""A backbone as ONNX and as OpenVINO's own format: how it is written, and how it is run on the CPU.

Both begin with ONNX. OpenVINO could convert from torch itself, but its converter reports its use over the network,
unasked; its runtime, which reads ONNX, does not.
"""

import importlib.metadata
import importlib.util
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from leafid.errors import InstallationError

if TYPE_CHECKING:
    from leafid.learning import Network

CompiledName = Literal["openvino", "onnx"]

COMPILED: tuple[CompiledName, ...] = ("openvino", "onnx")
"""Compiled engines, the fastest first."""

Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From pixels (V, 3, S, S), uint8 RGB, to features (V, F); S is fixed, V is free."""

_RUNTIMES = {"openvino": "openvino", "onnx": "onnxruntime"}
_EXPORTER = "onnx"  # torch writes ONNX with it
_ENDINGS = {"openvino": ".xml", "onnx": ".onnx"}
_OPSET = 18  # the oldest that the exporter of today and the runtimes of the last years share without conversion


def is_installed(name: CompiledName) -> bool:
    """Tell whether the package that runs an engine is there."""
    return importlib.util.find_spec(_RUNTIMES[name]) is not None


def require(name: CompiledName, *, to_export: bool = False) -> None:
    """Check that the packages that run an engine, and those that write it, are there.

    Raises:
        InstallationError: they are not.
    """
    wanted = [_RUNTIMES[name], _EXPORTER] if to_export else [_RUNTIMES[name]]
    missing = [package for package in wanted if importlib.util.find_spec(package) is None]
    if missing:
        raise InstallationError(
            f"The engine {name} needs {' and '.join(missing)}, not installed here: pip install 'leafid[{name}]'."
        )


def version_of(name: CompiledName) -> str:
    """Return name and version of what runs an engine."""
    return f"{_RUNTIMES[name]} {importlib.metadata.version(_RUNTIMES[name])}"


def model_path(folder: Path, name: CompiledName, side: int) -> Path:
    """Return where the model for views of ``side`` pixels lies."""
    return folder / f"{side}{_ENDINGS[name]}"


def write_model(network: "Network", folder: Path, name: CompiledName, side: int) -> None:
    """Write the backbone of a network (on the CPU, in eval mode) for views of ``side`` pixels into a folder."""
    path = model_path(folder, name, side)
    if name == "onnx":
        _write_onnx(network, path, side)
        return
    openvino = import_module("openvino")
    between = path.with_suffix(".onnx")
    _write_onnx(network, between, side)
    model = openvino.Core().read_model(between)
    openvino.save_model(model, path, compress_to_fp16=False)
    between.unlink()


def load_model(folder: Path, name: CompiledName, side: int) -> Features:
    """Load what ``write_model`` wrote."""
    path = model_path(folder, name, side)
    if name == "onnx":
        session = import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return lambda pixels: np.asarray(session.run(["features"], {"pixels": pixels})[0], np.float32)
    openvino = import_module("openvino")
    # Newer CPUs would calculate with 16 bits: the answers would depend on the machine.
    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda pixels: np.asarray(compiled([pixels])[0], np.float32)


def _write_onnx(network: "Network", path: Path, side: int) -> None:
    import torch

    class Backbone(torch.nn.Module):
        """The part of the network that sees pixels."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.network.features(pixels)

    pixels = torch.zeros((2, 3, side, side), dtype=torch.uint8)
    free = {"pixels": {0: "views"}, "features": {0: "views"}}
    with torch.no_grad(), warnings.catch_warnings():
        # The exporter that torch prefers needs two packages more, and gains nothing for networks without branches.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            Backbone().eval(),
            (pixels,),
            str(path),
            input_names=["pixels"],
            output_names=["features"],
            dynamic_axes=free,
            opset_version=_OPSET,
            dynamo=False,
        )
