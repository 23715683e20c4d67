"""What the input gate looks at: the leaf parser's first network, the leaves in its answer, sharpness and colours."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.input_gate.sharpness import sharpness_features
from leafid.sheets.input_gate.unlikeness import unlikeness_features
from leafid.sheets.leaf_parser.overview import FoundLeaf, decode_overview

Map = NDArray[np.float32]

_CELL, _SIDE = 4, 64  # pixels of a cell, cells of a side
_LEAVES = 8  # most leaves that are described
_SURE = 0.3  # score from which a leaf is counted
_BINS = 8  # of each colour channel
_GREENS = (21, 41, 31), (84, 255, 255)  # lowest and highest hue, saturation and value
_BROWNS = (0, 41, 31), (20, 255, 255)


@dataclass(frozen=True)
class LookedAt:
    """What is seen of a picture at two scales.

    Attributes:
        square: uint8 RGB [256, 256, 3], the picture in the upper left of the network's input.
        size: width and height of the picture in the square, in pixels.
        close: uint8 RGB [h, w, 3], at most 256 pixels long: the largest leaf, or all where none is found.
        blade: [h, w] the probability of a blade there.
        answers: of the network: `maps` [9, 64, 64], `fine` [64, 32, 32], `deep` [128, 8, 8].
    """

    square: NDArray[np.uint8]
    size: tuple[int, int]
    close: NDArray[np.uint8]
    blade: Map
    answers: dict[str, Map]


def features_of(seen: LookedAt) -> Map:
    """Return the features [F] of a picture."""
    width, height = seen.size
    maps = seen.answers["maps"]
    shown = np.zeros((_SIDE, _SIDE), np.bool_)
    shown[: -(-height // _CELL), : -(-width // _CELL)] = True
    blade = np.asarray(1 / (1 + np.exp(-maps[0])), np.float32) * shown
    leaves = [leaf for leaf in decode_overview(np.where(shown, maps, -9.0).astype(np.float32)) if leaf.score > _SURE]
    leaves = sorted(leaves, key=lambda leaf: -float(leaf.cells.sum()))[:_LEAVES]
    picture = seen.square[:height, :width]
    lab = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = np.asarray(
        cv2.resize(lab, (-(-width // _CELL), -(-height // _CELL)), interpolation=cv2.INTER_AREA), np.float32
    )
    return np.concatenate(
        [
            _pooled(seen.answers, blade, shown),
            _blade_features(maps, blade, shown),
            _leaf_features(leaves, lab, (width, height), shown),
            unlikeness_features(leaves, lab, seen.answers["fine"]),
            _sharpness(seen),
            _colours(picture),
            [np.log(max(seen.close.shape[:2])), np.log(min(seen.close.shape[:2])), min(seen.size) / max(seen.size)],
        ]
    ).astype(np.float32)


def _pooled(answers: dict[str, Map], blade: Map, shown: NDArray[np.bool_]) -> Map:
    """Means and maxima of the encoder's deepest map, and means of a finer one over the blade."""
    deep, fine = answers["deep"], answers["fine"]
    there = cv2.resize(shown.astype(np.float32), deep.shape[:0:-1], interpolation=cv2.INTER_AREA)
    mean = (deep * there).sum(axis=(1, 2)) / max(float(there.sum()), 1e-6)
    most = np.where(there > 0.25, deep, 0).max(axis=(1, 2))
    weight = cv2.resize(blade, fine.shape[:0:-1], interpolation=cv2.INTER_AREA)
    on_blade = (fine * weight).sum(axis=(1, 2)) / max(float(weight.sum()), 1.0)
    return np.concatenate([mean, most, on_blade])


def _blade_features(maps: Map, blade: Map, shown: NDArray[np.bool_]) -> Map:
    """How much of the picture is blade or plant, how surely, and how much of the frame's edge."""
    rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
    inner = blade[: rows[-1] + 1, : columns[-1] + 1]
    plant, heat = (1 / (1 + np.exp(-maps[channel][shown])) for channel in (1, 2))
    clear = inner > 0.5
    edges = sorted(float(edge.mean()) for edge in (clear[0], clear[-1], clear[:, 0], clear[:, -1]))
    number, _, stats, _ = cv2.connectedComponentsWithStats(clear.astype(np.uint8), connectivity=8)
    sizes = np.sort(stats[1:, cv2.CC_STAT_AREA])[::-1] / inner.size if number > 1 else np.zeros(1)
    unsure = float(((inner > 0.2) & (inner < 0.8)).mean())
    values = [
        *(inner.mean(), clear.mean(), np.sqrt(clear.mean()), inner.max(), np.quantile(inner, 0.9), unsure),
        *(unsure / (float(clear.mean()) + 0.01), plant.mean(), (plant > 0.5).mean(), heat.max(), (heat > 0.25).mean()),
        *(*edges, np.sqrt(sizes[0]), sizes[0] / max(float(sizes.sum()), 1e-6), np.log1p(number - 1)),
    ]
    return np.asarray(values, np.float32)


def _leaf_features(leaves: list[FoundLeaf], lab: Map, size: tuple[int, int], shown: NDArray[np.bool_]) -> Map:
    """The largest leaf: how sure, how large, how far beyond the frame; and how the leaves differ in all."""
    if not leaves:
        return np.zeros(19, np.float32)
    rows = []
    for leaf in leaves:
        axis = leaf.apex - leaf.base
        length = max(float(np.hypot(*axis)), 1.0)
        cells = leaf.cells[: lab.shape[0], : lab.shape[1]]
        weight = float(cells.sum())
        beyond = max(_beyond(end, *size) for end in (leaf.base, leaf.apex)) / length
        slim = weight * _CELL**2 / length**2  # 0.8 times width over length where all of the leaf is seen
        tone = cells.ravel() @ lab.reshape(-1, 3) / max(weight, 1e-6)
        rows.append([leaf.score, np.log(length), beyond, np.log(slim + 0.02), *tone, weight])
    table = np.asarray(rows)
    weights = np.sqrt(table[:, -1]) / np.sqrt(table[:, -1]).sum()
    whole = weights * (table[:, 2] < 0.05) + 1e-6
    share = whole / whole.sum()
    spread = np.sqrt(share @ (table[:, 1:7] - share @ table[:, 1:7]) ** 2).tolist()
    reach = [float(np.ptp(table[table[:, -1] > 0.15 * table[0, -1], column])) for column in (3, 4, 5, 6)]
    first = table[0]
    inside = float((table[:, 2] < 0.05).sum())
    values = [*first[:4], float((weights * table[:, 2]).sum()), len(leaves), inside, *spread, *reach]
    return np.asarray([*values, float(first[-1] / shown.sum()), float(table[:, 0].mean())], np.float32)


def _beyond(end: NDArray[np.float64], width: int, height: int) -> float:
    """Distance of a point from the frame, 0 inside."""
    outside = np.maximum(np.maximum(-end, end - np.array([width, height])), 0)
    return float(np.hypot(*outside))


def _sharpness(seen: LookedAt) -> Map:
    """Sharpness of the picture, of the largest leaf with its outline, and of its inside alone."""
    square = seen.square[: seen.size[1], : seen.size[0]]
    every, close = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).astype(np.float32) for pixels in (square, seen.close))
    clear = (seen.blade > 0.5).astype(np.uint8)
    near, inner = (way(clear, np.ones((9, 9), np.uint8)) > 0 for way in (cv2.dilate, cv2.erode))
    parts = sharpness_features(close, [near, inner])
    return np.concatenate([*sharpness_features(every, [None]), *parts])


def _colours(picture: NDArray[np.uint8]) -> Map:
    """Colours, how many there are, how many neighbours are equal, and the share of greens."""
    packed = cv2.cvtColor(picture, cv2.COLOR_RGB2RGBA).view(np.uint32)[..., 0]
    same = float((packed[:, 1:] == packed[:, :-1]).mean()) if picture.shape[1] > 1 else 1.0
    picture = np.ascontiguousarray(picture[::2, ::2])
    lab, hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2LAB), cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
    mean, deviation = cv2.meanStdDev(lab)
    counts = cv2.calcHist([picture], [0, 1, 2], None, [_BINS] * 3, [0, 256] * 3).ravel() / lab[..., 0].size
    used = counts[counts > 0]
    entropy = float(-(used * np.log(used)).sum())
    leafy, brown = (cv2.inRange(hsv, low, high).mean() / 255 for low, high in (_GREENS, _BROWNS))
    reached = np.cumsum(np.bincount(lab[..., 0].ravel(), minlength=256)) / lab[..., 0].size
    bright = np.searchsorted(reached, [0.01, 0.1, 0.5, 0.9, 0.99])
    values = [
        *mean.ravel(),
        *deviation.ravel(),
        *bright,
        entropy,
        float(used.max()),
        same,
        leafy,
        brown,
    ]
    return np.asarray(values, np.float32)
