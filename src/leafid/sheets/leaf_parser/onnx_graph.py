"""A graph with weights as an ONNX model, written without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.graph import INPUT, ZONES, Graph, Layer

_OPSET = 17
_IR_VERSION = 8  # of the same age as the operators: read by every ONNX Runtime since 1.12


def onnx_model(graph: Graph, weights: dict[str, NDArray[np.float32]]) -> bytes:
    """Serialise a graph as an ONNX model with one picture at a time as its input.

    Args:
        graph: the network.
        weights: `LAYER.weight` and `LAYER.bias` of each convolution, float32.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    initialisers = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    constants: dict[str, NDArray[Any]] = {
        "twice": np.array([1, 1, 2, 2], np.float32),
        "rows_twice": np.array([1, 1, 2, 1], np.float32),
    }
    initialisers += [numpy_helper.from_array(value, name) for name, value in constants.items()]
    nodes: list[Any] = []
    for layer in graph.layers:
        nodes += _nodes(layer, helper.make_node)
    pixels = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [1, graph.channels, *graph.size])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, graph.width_of(name), None, None])
        for name in graph.outputs
    ]
    model = helper.make_model(
        helper.make_graph(nodes, graph.name, [pixels], outputs, initialisers),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR_VERSION,
    )
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _nodes(layer: Layer, node: Any) -> list[Any]:  # noqa: ANN401 (onnx has no type for it)
    name, inputs = layer.name, list(layer.inputs)
    before = f"{name}_before_relu" if layer.relu else name
    relu = [node("Relu", [before], [name])] if layer.relu else []
    if layer.kind == "conv":
        rows, columns = (layer.dilation * (side // 2) for side in layer.kernel)
        convolution = node(
            "Conv",
            [*inputs, f"{name}.weight", f"{name}.bias"],
            [before],
            kernel_shape=list(layer.kernel),
            strides=[layer.stride] * 2,
            dilations=[layer.dilation] * 2,
            pads=[rows, columns, rows, columns],
        )
        return [convolution, *relu]
    if layer.kind == "add":
        return [node("Add", inputs, [before]), *relu]
    if layer.kind in ("double", "double_rows"):
        scales = "twice" if layer.kind == "double" else "rows_twice"
        return [
            node(
                "Resize",
                [inputs[0], "", scales],
                [name],
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ]
    if layer.kind == "mean":
        return [node("GlobalAveragePool", inputs, [name])]
    strips = [f"{name}_{number}" for number in range(ZONES)]
    parts = [f"{strip}_{reduced}" for reduced in ("mean", "max") for strip in strips]
    return [
        node("Split", inputs, strips, axis=3),
        *(node("ReduceMean", [strip], [f"{strip}_mean"], axes=[3], keepdims=1) for strip in strips),
        *(node("ReduceMax", [strip], [f"{strip}_max"], axes=[3], keepdims=1) for strip in strips),
        node("Concat", parts, [name], axis=1),
    ]
