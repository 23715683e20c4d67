"""Checks of model files before a runtime opens them: operators of the standard set, no external data, no loops.

What ``write_model`` writes passes. A model file of a stranger may name operators that load code, data in other files,
or loops without end. The files are read here without the packages that write them.
"""

import mmap
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from leafid.errors import BundleError

MAX_XML_BYTES = 50_000_000
"""Largest description of a model for OpenVINO; that of a network with 500 layers has half a megabyte."""

MAX_NODES = 100_000

_STANDARD_DOMAINS = ("", "ai.onnx")
_CONTROL_FLOW = ("Loop", "Scan", "If", "TensorIterator")

# Field numbers of onnx.proto3, github.com/onnx/onnx
_MODEL_GRAPH, _MODEL_OPSETS, _MODEL_TRAINING, _MODEL_FUNCTIONS = 7, 8, 20, 25
_GRAPH_NODES, _GRAPH_TENSORS = 1, 5
_NODE_OPERATOR, _NODE_ATTRIBUTES, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS = 5, 6, 10, 11
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14


def check_model_file(path: Path) -> None:
    """Check one file of an engine: ``.onnx``, or ``.xml`` and ``.bin`` of OpenVINO.

    Raises:
        BundleError: it is damaged, of another kind, or has something that no engine of leafid has.
    """
    try:
        if path.suffix == ".onnx":
            _check_onnx(path)
        elif path.suffix == ".xml":
            _check_openvino(path)
        elif path.suffix != ".bin":
            raise ValueError("a file of another kind")
    except (OSError, ValueError, IndexError, ParseError, DefusedXmlException, RecursionError) as error:
        raise BundleError(f"{path} is not used: {error}. Delete its folder, and export the engine again.") from None


def _check_openvino(path: Path) -> None:
    if path.stat().st_size > MAX_XML_BYTES:
        raise ValueError(f"a description of over {MAX_XML_BYTES:,} bytes")
    for _, element in ElementTree.iterparse(path, forbid_dtd=True):
        if element.tag == "layer":
            kind, version = element.get("type", ""), element.get("version", "")
            if kind in _CONTROL_FLOW:
                raise ValueError(f"it has a {kind}, which no engine of leafid has")
            if not re.fullmatch(r"opset\d{1,3}", version):
                raise ValueError(f"its operator {kind} is not of the standard set, but of {version!r}")


def _check_onnx(path: Path) -> None:
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
        graphs = []
        for field, value in _fields(content, 0, len(content)):
            if field in (_MODEL_TRAINING, _MODEL_FUNCTIONS):
                raise ValueError("it has functions or training steps, which no engine of leafid has")
            if field == _MODEL_OPSETS:
                domains = [_text(content, one) for number, one in _fields(content, *_span(value)) if number == 1]
                _check_domain(domains[-1] if domains else "", "its operators")
            if field == _MODEL_GRAPH:
                graphs.append(_span(value))
        if len(graphs) != 1:
            raise ValueError(f"it has {len(graphs)} graphs and not one")
        nodes = 0
        for field, value in _fields(content, *graphs[0]):
            if field == _GRAPH_NODES:
                nodes += 1
                _check_node(content, _span(value))
            elif field == _GRAPH_TENSORS:
                _check_tensor(content, _span(value))
        if not 0 < nodes <= MAX_NODES:
            raise ValueError(f"it has {nodes} operators")


def _check_node(content: mmap.mmap, node: tuple[int, int]) -> None:
    operator = domain = ""
    for field, value in _fields(content, *node):
        if field == _NODE_OPERATOR:
            operator = _text(content, value)
        elif field == _NODE_DOMAIN:
            domain = _text(content, value)
        elif field == _NODE_ATTRIBUTES:
            for number, inner in _fields(content, *_span(value)):
                if number in (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                    raise ValueError("it has a loop or a branch, which no engine of leafid has")
                if number in (_ATTRIBUTE_TENSOR, _ATTRIBUTE_TENSORS):
                    _check_tensor(content, _span(inner))
    if operator in _CONTROL_FLOW:
        raise ValueError(f"it has a {operator}, which no engine of leafid has")
    _check_domain(domain, f"its operator {operator}")


def _check_tensor(content: mmap.mmap, tensor: tuple[int, int]) -> None:
    for field, value in _fields(content, *tensor):
        if field == _TENSOR_EXTERNAL or (field == _TENSOR_LOCATION and value != 0):
            raise ValueError("it has weights in other files")


def _check_domain(domain: str, what: str) -> None:
    if domain not in _STANDARD_DOMAINS:
        raise ValueError(f"{what} are not of the standard set, but of {domain[:60]!r}")


def _fields(content: mmap.mmap, place: int, end: int) -> Iterator[tuple[int, int | tuple[int, int]]]:
    """Yield number and value of each field of a message of Protocol Buffers: a number, or (start, end) of bytes."""
    while place < end:
        key, place = _varint(content, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, place = _varint(content, place)
            yield number, value
            continue
        length = {1: 8, 5: 4}.get(kind)
        if length is None:
            if kind != 2:
                raise ValueError("it is damaged")
            length, place = _varint(content, place)
        if place + length > end:
            raise ValueError("it is damaged")
        yield number, (place, place + length)
        place += length


def _varint(content: mmap.mmap, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = content[place]
        place += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place
    raise ValueError("it is damaged")


def _span(value: int | tuple[int, int]) -> tuple[int, int]:
    if isinstance(value, int):
        raise ValueError("it is damaged")
    return value


def _text(content: mmap.mmap, value: int | tuple[int, int]) -> str:
    start, end = _span(value)
    return content[start : min(end, start + 200)].decode("utf-8", "replace")
