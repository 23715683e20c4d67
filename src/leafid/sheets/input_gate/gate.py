"""The input gate: looks at a picture and says how probable each answer is, with shipped weights."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.input_gate.answers import ANSWERS
from leafid.sheets.input_gate.features import LookedAt, features_of
from leafid.sheets.leaf_parser.engines import EngineName, Network, network_of
from leafid.sheets.leaf_parser.graph import overview_graph
from leafid.sheets.leaf_parser.overview import letterboxed, letterboxed_size
from leafid.sheets.leaf_parser.weights import read_weights

Map = NDArray[np.float32]

CLOSE_SIDE = 256
"""Longest side in pixels at which a leaf is looked at closely; it is never enlarged."""

_AROUND = 0.08  # margin around the leaf, as a share of its longer side
_CELL = 4
_OUTPUTS = {"maps": "maps", "fine": "eighth_1", "deep": "deepest_1"}
FOLDER = Path(__file__).parent / "weights"
"""Where the shipped weights lie."""
_LOADING = Lock()


@dataclass(frozen=True)
class GateWeights:
    """K multilayer perceptrons with one hidden layer on standardised features, whose probabilities are averaged.

    Attributes:
        mean: [F] of the features.
        scale: [F] their standard deviations.
        layers: weights [K, F, H] and bias [K, H] of each layer, in order; ReLU between them.
    """

    mean: Map
    scale: Map
    layers: tuple[tuple[Map, Map], ...]

    def probabilities(self, features: Map) -> Map:
        """Return the probability of each of `ANSWERS` (..., A) from features (..., F)."""
        (first, first_bias), (second, second_bias) = self.layers
        values = np.clip((features - self.mean) / self.scale, -5, 5)
        hidden = np.maximum(np.einsum("...f,kfh->...kh", values, first) + first_bias, 0)
        logits = np.einsum("...kh,kha->...ka", hidden, second) + second_bias
        likely = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return np.asarray((likely / likely.sum(axis=-1, keepdims=True)).mean(axis=-2), np.float32)


@cache
def gate_network(engine: EngineName | None = None) -> Network:
    """Load the leaf parser's first network with its inner maps as outputs, once per process."""
    return network_of(replace(overview_graph(), outputs=tuple(_OUTPUTS.values())), engine)


def judge_input(rgb: NDArray[np.uint8]) -> dict[str, float]:
    """Return the probability of each of `ANSWERS` for a picture, uint8 RGB (H, W, 3).

    Raises:
        WeightsError: the weights are missing or damaged.
        InstallationError: no engine is installed.
    """
    with _LOADING:  # two threads that come first would load everything twice
        network, weights = gate_network(), gate_weights()
    probabilities = weights.probabilities(features_of(look(rgb, network)))
    return dict(zip(ANSWERS, probabilities.tolist(), strict=True))


@cache
def gate_weights(folder: Path = FOLDER) -> GateWeights:
    """Read the shipped weights, once per process.

    Raises:
        WeightsError: the weights are missing or damaged.
    """
    values = read_weights("gate", folder)
    layers = [(values[f"layer_{number}.weight"], values[f"layer_{number}.bias"]) for number in range(2)]
    return GateWeights(values["mean"], values["scale"], tuple(layers))


def look(rgb: NDArray[np.uint8], network: Network) -> LookedAt:
    """Look at a picture, uint8 (H, W, 3), as a whole and at its largest leaf."""
    square, factor = letterboxed(rgb)
    size, _ = letterboxed_size(rgb.shape)
    pixels = np.ascontiguousarray(np.moveaxis(square, 2, 0), np.float32) / 127.5 - 1
    answers = network(pixels[None])
    answers = {name: answers[layer] for name, layer in _OUTPUTS.items()}
    logits = answers["maps"][0, : -(-size[1] // _CELL), : -(-size[0] // _CELL)]
    left, top, right, bottom = _largest_leaf(logits, factor, rgb.shape)
    part = rgb[top:bottom, left:right]
    close_size, _ = letterboxed_size(part.shape)
    if max(part.shape[:2]) > CLOSE_SIDE:
        part = np.asarray(cv2.resize(part, close_size, interpolation=cv2.INTER_AREA), np.uint8)
    return LookedAt(square, size, part, _blade_of(logits, factor, (left, top, right, bottom), part.shape), answers)


def _largest_leaf(logits: Map, factor: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom in the picture of the largest piece of blade, with a margin; all without one."""
    number, _, stats, _ = cv2.connectedComponentsWithStats((logits > 0).astype(np.uint8), connectivity=8)
    if number < 2:
        return 0, 0, shape[1], shape[0]
    column, row, width, height, _ = stats[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())]
    margin = _AROUND * max(width, height) + 1
    low = np.floor((np.array([column, row]) - margin) * _CELL / factor)
    high = np.ceil((np.array([column + width, row + height]) + margin) * _CELL / factor)
    (left, top), (right, bottom) = np.clip(low, 0, None).astype(int), np.minimum(high, shape[1::-1]).astype(int)
    return int(left), int(top), max(int(right), int(left) + 1), max(int(bottom), int(top) + 1)


def _blade_of(logits: Map, factor: float, box: tuple[int, int, int, int], shape: tuple[int, ...]) -> Map:
    """The probability of a blade in a part of the picture that was reduced to a shape [h, w]."""
    left, top, right, bottom = box
    zoom = np.array([shape[1] / (right - left), shape[0] / (bottom - top)])
    scale = _CELL / factor * zoom
    matrix = np.array([[scale[0], 0, -left * zoom[0]], [0, scale[1], -top * zoom[1]]])
    matrix[:, 2] += 0.5 * scale - 0.5  # centres of cells, not their corners
    blade = np.asarray(1 / (1 + np.exp(-logits)), np.float32)
    return np.asarray(
        cv2.warpAffine(blade, matrix, shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
    )
