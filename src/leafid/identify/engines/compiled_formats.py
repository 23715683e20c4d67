"""A backbone as ONNX and as OpenVINO's own format: how it is written, and how it is run on the CPU.

Both begin with ONNX. OpenVINO could convert from torch itself, but its converter reports its use over the network,
unasked; its runtime, which reads ONNX, does not.
"""

import contextlib
import importlib.metadata
import importlib.util
import io
import logging
import os
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from leafid.errors import InstallationError

if TYPE_CHECKING:
    from leafid.learning import Network

CompiledName = Literal["openvino", "onnx", "openvino-int8", "onnx-int8"]

COMPILED: tuple[CompiledName, ...] = ("openvino", "onnx")
"""Compiled engines that answer like torch."""

INT8: tuple[CompiledName, ...] = ("openvino-int8", "onnx-int8")
"""The same with 8-bit integers: faster, and their answers are a little different. Used only when named."""

Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From pixels (V, 3, S, S), uint8 RGB, to features (V, F); S is fixed, V is free."""

_RUNTIMES = {"openvino": "openvino", "onnx": "onnxruntime", "openvino-int8": "openvino", "onnx-int8": "onnxruntime"}
_QUANTISER = "nncf"
_EXPORTER = "onnx"  # torch writes ONNX with it
_ENDINGS = {"openvino": ".xml", "onnxruntime": ".onnx"}
_OPSET = 18  # the oldest that the exporter of today and the runtimes of the last years share without conversion


def is_installed(name: CompiledName) -> bool:
    """Tell whether the package that runs an engine is there."""
    return importlib.util.find_spec(_RUNTIMES[name]) is not None


def require(name: CompiledName, *, to_export: bool = False) -> None:
    """Check that the packages that run an engine, and those that write it, are there.

    Raises:
        InstallationError: they are not.
    """
    wanted = [_RUNTIMES[name]]
    if to_export:
        wanted += [_EXPORTER, _QUANTISER] if name in INT8 else [_EXPORTER]
    missing = [package for package in wanted if importlib.util.find_spec(package) is None]
    if missing:
        raise InstallationError(
            f"The engine {name} needs {' and '.join(missing)}, not installed here: "
            f"pip install 'leafid[{name.replace('-int8', ',int8' if to_export else '')}]'."
        )


def version_of(name: CompiledName) -> str:
    """Return name and version of what runs an engine."""
    return f"{_RUNTIMES[name]} {importlib.metadata.version(_RUNTIMES[name])}"


def model_path(folder: Path, name: CompiledName, side: int) -> Path:
    """Return where the model for views of ``side`` pixels lies."""
    return folder / f"{side}{_ENDINGS[_RUNTIMES[name]]}"


def write_model(
    network: "Network", folder: Path, name: CompiledName, side: int, calibration: NDArray[np.uint8] | None = None
) -> None:
    """Write the backbone of a network (on the CPU, in eval mode) into a folder.

    Args:
        network: the network.
        folder: where the model is written.
        name: what will run it.
        side: of the views, in pixels.
        calibration: for 8-bit integers: views (V, 3, S, S), uint8 RGB, by which the range of each layer is found.
    """
    path = model_path(folder, name, side)
    onnx_file = path.with_suffix(".onnx")
    _write_onnx(network, onnx_file, side)
    if _RUNTIMES[name] == "onnxruntime":
        if calibration is not None:
            onnx = import_module(_EXPORTER)
            onnx.save(_quantised(onnx.load(onnx_file), calibration, input_name="pixels"), onnx_file)
        return
    openvino = import_module("openvino")
    model = openvino.Core().read_model(onnx_file)
    if calibration is not None:
        model = _quantised(model, calibration)
    openvino.save_model(model, path, compress_to_fp16=False)
    onnx_file.unlink()


def load_model(folder: Path, name: CompiledName, side: int, *, threads: int = 1) -> Features:
    """Load what ``write_model`` wrote.

    Args:
        folder: where it lies.
        name: what runs it.
        side: of the views, in pixels.
        threads: how many calls may run at the same time, each in one thread; more wait for one of them.
    """
    path = model_path(folder, name, side)
    if _RUNTIMES[name] == "onnxruntime":
        onnxruntime = import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # the thread that calls
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda pixels: np.asarray(session.run(["features"], {"pixels": pixels})[0], np.float32)
    openvino = import_module("openvino")
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",  # newer CPUs would take 16 bits: the answers would depend on the machine
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # other threads need the cores too
    }
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    requests: SimpleQueue[Any] = SimpleQueue()
    for _ in range(threads):
        requests.put(compiled.create_infer_request())

    def features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        request = requests.get()
        try:
            request.infer([pixels], share_inputs=True)
            return np.array(request.get_output_tensor(0).data, np.float32)  # a copy: the next call writes there
        finally:
            requests.put(request)

    return features


def _quantised(model: Any, views: NDArray[np.uint8], *, input_name: str | None = None) -> Any:  # noqa: ANN401 -- untyped
    """Return a model of OpenVINO or ONNX with 8-bit integers where they do least harm (post-training, NNCF)."""
    os.environ["NNCF_CI"] = "1"  # else NNCF reports its use over the network, unasked
    logging.getLogger("nncf").setLevel(logging.ERROR)
    nncf = import_module(_QUANTISER)
    # Singly, for the model's ranges do not depend on how many views there are.
    singles = [views[place : place + 1] for place in range(len(views))]
    data = nncf.Dataset([{input_name: one} for one in singles] if input_name else singles)
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        return nncf.quantize(model, data, subset_size=len(singles), preset=nncf.QuantizationPreset.MIXED)


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
        warnings.filterwarnings("ignore", message="Converting a tensor to a Python")  # the side of a view is fixed
        warnings.filterwarnings("ignore", message=".*advanced indexing")  # no index is negative
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
