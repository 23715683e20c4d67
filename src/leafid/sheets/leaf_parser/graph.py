"""The two networks of the leaf parser as lists of layers, from which torch modules and ONNX models are built alike.

Both are encoder-decoders of residual blocks with dense 3 x 3 convolutions (ResNet's basic block; top-down path with
lateral connections as in feature pyramid networks). At these sizes dense convolutions train as fast on a CPU as the
inverted residuals of MobileNet and do twice the work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

INPUT = "input"

OVERVIEW_SIDE = 256
"""Side in pixels of the square input of the overview network."""
VIEW_HEIGHT, VIEW_WIDTH = 384, 192
"""Size in pixels of the leaf network's input: one leaf, apex up."""

OVERVIEW_MAPS = (
    *("blade", "plant", "centre"),
    *("to_centre_x", "to_centre_y", "axis_cosine", "axis_sine", "half_length", "towards_apex"),
)
"""Channels of the overview network's only output, at a quarter of the input's size."""
FINE_MAPS = ("blade", "midrib", "secondary", "petiole")
"""Channels of the leaf network's output `fine`, at half the input's size."""
COARSE_MAPS = ("base", "apex", "departure_row")
"""Channels of the leaf network's output `coarse`, at a quarter of the input's size."""
ROW_SIGNALS = ("left", "right", "left_seen", "right_seen")
"""Channels of the leaf network's output `rows`: one value for every second row of the input."""
FACTS = ("overlapped", "folded", "cut", "abaxial", "upside_down", "veins_visible", "visible_fraction")
"""Channels of the leaf network's output `facts`: one value each."""

ZONES = 8
"""Vertical strips into which `zones` cuts a map."""

Kind = Literal["conv", "add", "double", "double_rows", "zones", "mean"]


@dataclass(frozen=True)
class Layer:
    """One step. `name` is also the name of its result; `inputs` are names of earlier results.

    Kinds: `conv` (convolution, `relu` after it), `add` (sum, then ReLU where `relu`), `double` (each pixel twice in
    both directions), `double_rows` (each row twice), `zones` (mean and maximum over the columns of each of `ZONES`
    strips: (N, C, H, W) to (N, 2 ZONES C, H, 1)), `mean` (over all pixels: (N, C, 1, 1)).
    """

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    channels: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    dilation: int = 1
    relu: bool = False
    head: bool = False
    """Whether the convolution ends in logits: it has a bias and no normalisation in training."""


@dataclass(frozen=True)
class Graph:
    """A network: its input's channels and size (height, width), its layers in order, and the names of its outputs."""

    name: str
    channels: int
    size: tuple[int, int]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]

    def width_of(self, name: str) -> int:
        """Channels of a result."""
        if name == INPUT:
            return self.channels
        return next(layer.channels for layer in self.layers if layer.name == name)


@dataclass
class _Builder:
    channels: int
    layers: list[Layer] = field(default_factory=list)

    def width(self, name: str) -> int:
        if name == INPUT:
            return self.channels
        return next(layer.channels for layer in self.layers if layer.name == name)

    def conv(
        self,
        name: str,
        source: str,
        channels: int,
        kernel: int | tuple[int, int] = 3,
        *,
        stride: int = 1,
        dilation: int = 1,
        relu: bool = True,
        head: bool = False,
    ) -> str:
        size = (kernel, kernel) if isinstance(kernel, int) else kernel
        self.layers.append(
            Layer(name, "conv", (source,), channels, size, stride, dilation, relu=relu and not head, head=head)
        )
        return name

    def add(self, name: str, one: str, other: str) -> str:
        self.layers.append(Layer(name, "add", (one, other), self.width(one), relu=True))
        return name

    def plain(self, name: str, kind: Kind, source: str, channels: int | None = None) -> str:
        self.layers.append(Layer(name, kind, (source,), channels or self.width(source)))
        return name

    def block(self, name: str, source: str) -> str:
        width = self.width(source)
        inner = self.conv(f"{name}_a", source, width)
        return self.add(name, source, self.conv(f"{name}_b", inner, width, relu=False))

    def stage(self, name: str, source: str, channels: int, blocks: int) -> str:
        result = self.conv(f"{name}_in", source, channels, stride=2)
        for number in range(blocks):
            result = self.block(f"{name}_{number}", result)
        return result

    def merge(self, name: str, deep: str, lateral: str, channels: int) -> str:
        """Bring a deep map to the size of a lateral one and add both."""
        raised = self.plain(f"{name}_up", "double", self.conv(f"{name}_deep", deep, channels, 1, relu=False))
        added = self.add(f"{name}_sum", raised, self.conv(f"{name}_side", lateral, channels, 1, relu=False))
        return self.conv(name, added, channels)


def _trunk(builder: _Builder) -> tuple[str, str, str]:
    """Encoder, and decoder up to a quarter of the size: names of the results at 1/2, 1/4 and 1/32."""
    half = builder.conv("halved", INPUT, 16, stride=2)
    quarter = builder.stage("quarter", half, 32, 1)
    eighth = builder.stage("eighth", quarter, 64, 2)
    sixteenth = builder.stage("sixteenth", eighth, 96, 2)
    deepest = builder.stage("deepest", sixteenth, 128, 2)
    merged = builder.merge("up_sixteenth", deepest, sixteenth, 96)
    merged = builder.merge("up_eighth", merged, eighth, 64)
    return half, builder.merge("up_quarter", merged, quarter, 48), deepest


def overview_graph() -> Graph:
    """The network that finds leaves in a whole picture; input RGB, output `OVERVIEW_MAPS`."""
    builder = _Builder(3)
    _, quarter, _ = _trunk(builder)
    last = builder.conv("last", quarter, 48)
    maps = builder.conv("maps", last, len(OVERVIEW_MAPS), 1, head=True)
    return Graph("overview", 3, (OVERVIEW_SIDE, OVERVIEW_SIDE), tuple(builder.layers), (maps,))


def leaf_graph() -> Graph:
    """The network that reads one leaf; input RGB and a first mask, outputs `fine`, `coarse`, `rows`, `facts`."""
    builder = _Builder(4)
    half, quarter, deepest = _trunk(builder)
    fine = builder.conv("fine", builder.merge("up_half", quarter, half, 16), len(FINE_MAPS), 1, head=True)
    coarse = builder.conv("coarse", builder.conv("last", quarter, 48), len(COARSE_MAPS), 1, head=True)
    narrow = builder.conv("narrow", quarter, 32, 1)
    rows = builder.plain("strips", "zones", narrow, 32 * ZONES * 2)
    rows = builder.conv("rows_1", rows, 96, (5, 1))
    rows = builder.conv("rows_2", rows, 96, (5, 1), dilation=2)
    rows = builder.plain("rows_up", "double_rows", rows)
    rows = builder.conv("rows_3", rows, 64, (5, 1))
    rows = builder.conv("rows", rows, len(ROW_SIGNALS), (1, 1), head=True)
    facts = builder.conv("facts_in", builder.plain("mean", "mean", deepest), 64, 1, head=False)
    facts = builder.conv("facts", facts, len(FACTS), 1, head=True)
    return Graph("leaf", 4, (VIEW_HEIGHT, VIEW_WIDTH), tuple(builder.layers), (fine, coarse, rows, facts))
