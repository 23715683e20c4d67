"""Runs the two networks: by OpenVINO or ONNX Runtime where one is installed, else by torch.

Answers are the same but for rounding: OpenVINO calculates in bfloat16 where the processor can.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from leafid.errors import InstallationError
from leafid.openvino_runtime import import_openvino
from leafid.sheets.leaf_parser.graph import INPUT, Graph, leaf_graph, overview_graph
from leafid.sheets.leaf_parser.onnx_graph import onnx_model
from leafid.sheets.leaf_parser.weights import FOLDER, Weights, read_weights

EngineName = Literal["openvino", "onnx", "torch"]
Answers = dict[str, NDArray[np.float32]]
Network = Callable[[NDArray[np.float32]], Answers]

_NEEDED: dict[EngineName, tuple[str, ...]] = {
    "openvino": ("openvino", "onnx"),
    "onnx": ("onnxruntime", "onnx"),
    "torch": ("torch",),
}


def fastest_engine() -> EngineName:
    """The first of OpenVINO, ONNX Runtime and torch that is installed."""
    for name, packages in _NEEDED.items():
        if all(find_spec(package) for package in packages):
            return name
    raise InstallationError("The leaf parser needs torch, or onnx with openvino or onnxruntime. Install one of them.")


@cache
def networks(engine: EngineName | None = None, folder: Path = FOLDER) -> tuple[Network, Network]:
    """Load the overview and the leaf network, once per process. Each calculates in one thread.

    Args:
        engine: None for the fastest that is installed.
        folder: where the weights lie.

    Raises:
        WeightsError: the weights are missing or damaged.
        InstallationError: no engine is installed.
    """
    return network_of(overview_graph(), engine, folder), network_of(leaf_graph(), engine, folder)


def network_of(graph: Graph, engine: EngineName | None = None, folder: Path = FOLDER) -> Network:
    """Load the network of a graph; its outputs may be any of its layers. Arguments and errors as of `networks`."""
    build = {"openvino": _openvino, "onnx": _onnxruntime, "torch": _torch}[engine or fastest_engine()]
    return build(graph, read_weights(graph.name, folder))


def _openvino(graph: Graph, weights: Weights) -> Network:
    openvino = import_openvino()
    core = openvino.Core()
    # No precision is asked for: where the processor has bfloat16 it is used, which halves the time and moves logits by
    # about 0.01.
    settings = {"INFERENCE_NUM_THREADS": 1, "NUM_STREAMS": 1}
    compiled = core.compile_model(core.read_model(onnx_model(graph, weights)), "CPU", settings)

    def answer(pixels: NDArray[np.float32]) -> Answers:
        results = compiled.create_infer_request().infer([pixels])
        return {name: np.asarray(results[index][0], np.float32) for index, name in enumerate(graph.outputs)}

    return answer


def _onnxruntime(graph: Graph, weights: Weights) -> Network:
    onnxruntime = import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(onnx_model(graph, weights), options, providers=["CPUExecutionProvider"])

    def answer(pixels: NDArray[np.float32]) -> Answers:
        results = session.run(list(graph.outputs), {INPUT: pixels})
        return {name: np.asarray(result[0]) for name, result in zip(graph.outputs, results, strict=True)}

    return answer


def _torch(graph: Graph, weights: Weights) -> Network:
    import torch

    from leafid.sheets.leaf_parser.network import folded_network

    network = folded_network(graph, weights)

    def answer(pixels: NDArray[np.float32]) -> Answers:
        with torch.inference_mode():
            results = network(torch.from_numpy(pixels))
        return {name: result[0].numpy() for name, result in zip(graph.outputs, results, strict=True)}

    return answer
