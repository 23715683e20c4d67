"""Writing and loading a backbone as ONNX and as OpenVINO IR, for inference on the CPU.

Both formats are written through ONNX. OpenVINO's own converter sends usage reports over the network, even when it is
only imported; its runtime, which reads ONNX, does not.
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
from leafid.openvino_runtime import import_openvino

if TYPE_CHECKING:
    from leafid.learning import Network

CompiledName = Literal["openvino", "onnx", "openvino-int8", "onnx-int8"]

COMPILED: tuple[CompiledName, ...] = ("openvino", "onnx")
"""Compiled engines with 32-bit floats, whose output agrees with torch within the tolerance."""

INT8: tuple[CompiledName, ...] = ("openvino-int8", "onnx-int8")
"""The same engines quantized to 8-bit integers: faster, with slightly different output. Used only when named."""

FeatureExtractor = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""Maps pixels (V, 3, S, S), uint8 RGB, to features (V, F); S is fixed, V is at most ``views_per_call(S)``."""

_RUNTIMES = {"openvino": "openvino", "onnx": "onnxruntime", "openvino-int8": "openvino", "onnx-int8": "onnxruntime"}
_QUANTIZER = "nncf"
_EXPORTER = "onnx"  # torch.onnx.export needs it
_ENDINGS = {"openvino": ".xml", "onnxruntime": ".onnx"}
_MAX_PIXELS_PER_CALL = 4 * 224**2  # feature maps of more pixels do not fit into the processor's cache: twice as slow
_OPSET = 18  # the oldest opset that torch exports and recent runtimes read without conversion


def views_per_call(side: int) -> int:
    """Return how many views of ``side`` pixels a model is given at once."""
    return max(1, _MAX_PIXELS_PER_CALL // side**2)


def is_installed(name: CompiledName) -> bool:
    """Return whether the package that runs an engine is installed."""
    return importlib.util.find_spec(_RUNTIMES[name]) is not None


def require_engine(name: CompiledName, *, to_export: bool = False) -> None:
    """Check that the packages that run an engine are installed and, ``to_export``, those that write it.

    Raises:
        InstallationError: a package is missing.
    """
    wanted = [_RUNTIMES[name]]
    if to_export:
        wanted += [_EXPORTER, _QUANTIZER] if name in INT8 else [_EXPORTER]
    missing = [package for package in wanted if importlib.util.find_spec(package) is None]
    if missing:
        extra = "int8" if name in INT8 and to_export else _RUNTIMES[name]
        package = "leafid" if extra == "onnxruntime" else f"leafid[{extra}]"
        raise InstallationError(
            f"The engine {name} needs {' and '.join(missing)}, not installed here. Run: pip install '{package}'."
        )


def engine_version(name: CompiledName) -> str:
    """Return name and version of the runtime of an engine."""
    return f"{_RUNTIMES[name]} {importlib.metadata.version(_RUNTIMES[name])}"


def model_path(folder: Path, name: CompiledName, side: int) -> Path:
    """Return the file of the model for views of ``side`` pixels."""
    return folder / f"{side}{_ENDINGS[_RUNTIMES[name]]}"


def write_model(
    network: "Network", folder: Path, name: CompiledName, side: int, calibration: NDArray[np.uint8] | None = None
) -> None:
    """Write the backbone of a network into a folder.

    Args:
        network: on the CPU, in eval mode.
        folder: receives the model.
        name: the engine that will run it.
        side: side of the views in pixels.
        calibration: views (V, 3, S, S), uint8 RGB, from which INT8 quantization takes the range of each layer.
    """
    path = model_path(folder, name, side)
    onnx_file = path.with_suffix(".onnx")
    _write_onnx(network, onnx_file, side)
    if _RUNTIMES[name] == "onnxruntime":
        if calibration is not None:
            onnx = import_module(_EXPORTER)
            onnx.save(_quantize_int8(onnx.load(onnx_file), calibration, input_name="pixels"), onnx_file)
        return
    openvino = import_openvino()
    model = openvino.Core().read_model(onnx_file)
    if views_per_call(side) == 1:
        model.reshape([1, 3, side, side])  # a model for any number of views takes longer
    _fold_constants(model)
    if calibration is not None:
        model = _quantize_int8(model, calibration)
    openvino.save_model(model, path, compress_to_fp16=False)
    onnx_file.unlink()


def load_model(
    folder: Path, name: CompiledName, side: int, *, threads: int = 1, cache: Path | None = None
) -> FeatureExtractor:
    """Load a model that ``write_model`` wrote.

    Args:
        folder: holds the model.
        name: the engine that runs it.
        side: side of the views in pixels.
        threads: number of concurrent calls, each in one thread; further calls wait.
        cache: folder in which OpenVINO keeps the model as it is compiled for this machine, so that the next start is
            faster; None: it is compiled each time.
    """
    path = model_path(folder, name, side)
    if _RUNTIMES[name] == "onnxruntime":
        onnxruntime = import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # runs in the calling thread
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return lambda pixels: np.asarray(session.run(["features"], {"pixels": pixels})[0], np.float32)
    openvino = import_openvino()
    settings: dict[str, str | int | bool] = {
        "INFERENCE_PRECISION_HINT": "f32",  # newer CPUs would use bfloat16, so that output would depend on the machine
        "NUM_STREAMS": threads,
        "INFERENCE_NUM_THREADS": threads,
        "ENABLE_CPU_PINNING": False,  # threads that decode images use the same cores
    }
    if cache is not None:
        settings["CACHE_DIR"] = str(cache)
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    requests: SimpleQueue[Any] = SimpleQueue()
    for _ in range(threads):
        requests.put(compiled.create_infer_request())

    def features(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        request = requests.get()
        try:
            request.infer([pixels], share_inputs=True)
            return np.array(
                request.get_output_tensor(0).data, np.float32
            )  # copied: the next call overwrites the tensor
        finally:
            requests.put(request)

    return features


def _fold_constants(model: Any) -> None:  # noqa: ANN401 -- untyped
    """Calculate once what does not depend on the pixels.

    OpenVINO reads the bias of ONNX's convolutions as shaped anew each time. Left so, bias and ReLU6 become further
    passes over the feature maps instead of parts of the convolution.
    """
    passes = import_module("openvino.passes")
    manager = passes.Manager()
    manager.register_pass(passes.ConstantFolding())
    manager.run_passes(model)


def _quantize_int8(model: Any, views: NDArray[np.uint8], *, input_name: str | None = None) -> Any:  # noqa: ANN401 -- untyped
    """Quantize an OpenVINO or ONNX model to 8-bit integers after training, with NNCF."""
    os.environ["NNCF_CI"] = "1"  # else NNCF sends usage reports over the network
    logging.getLogger("nncf").setLevel(logging.ERROR)
    nncf = import_module(_QUANTIZER)
    # Batches of one view: activation ranges are per layer and do not depend on the batch size.
    singles = [views[index : index + 1] for index in range(len(views))]
    data = nncf.Dataset([{input_name: view} for view in singles] if input_name else singles)
    with contextlib.redirect_stdout(io.StringIO()):  # its progress bars
        return nncf.quantize(model, data, subset_size=len(singles), preset=nncf.QuantizationPreset.MIXED)


def _write_onnx(network: "Network", path: Path, side: int) -> None:
    import torch

    class Backbone(torch.nn.Module):
        """The part of the network that maps pixels to features."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return self.network.features(pixels)

    pixels = torch.zeros((2, 3, side, side), dtype=torch.uint8)
    dynamic_axes = {"pixels": {0: "views"}, "features": {0: "views"}}
    with torch.no_grad(), warnings.catch_warnings():
        # The dynamo exporter needs two more packages and brings nothing for a network without branches.
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.filterwarnings("ignore", message="Converting a tensor to a Python")  # the side of a view is fixed
        warnings.filterwarnings("ignore", message=".*advanced indexing")  # no index is negative
        torch.onnx.export(
            Backbone().eval(),
            (pixels,),
            str(path),
            input_names=["pixels"],
            output_names=["features"],
            dynamic_axes=dynamic_axes,
            opset_version=_OPSET,
            dynamo=False,
        )
