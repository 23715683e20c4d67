"""How unlike the leaves of a picture are to each other, in form, colour, texture and ground."""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.overview import FoundLeaf

Map = NDArray[np.float32]

_CELL = 4  # pixels of a cell
_MOST = 4  # leaves that are compared
_LEAST = 0.2  # area of a leaf that is compared, as a share of the largest
_STATIONS = 6  # places along the axis at which a leaf's width is measured
_MEASURES = 8
UNLIKENESS = 2 * _MEASURES + 5
"""Number of features."""


def unlikeness_features(leaves: list[FoundLeaf], lab: Map, fine: Map) -> Map:
    """Compare the largest leaves.

    Args:
        leaves: the largest first.
        lab: [h, w, 3] the picture's colours, a value per cell.
        fine: [C, 32, 32] the network's finer map.

    Returns:
        [UNLIKENESS] the largest difference of any two in each measure, that of the two largest, how many were compared,
        how even they are in size, and how straight and clear a seam through the whole picture is, across and along.
    """
    values = np.zeros(UNLIKENESS, np.float32)
    values[-2:] = _seam(lab), _seam(lab.transpose(1, 0, 2))
    weights = [float(leaf.cells.sum()) for leaf in leaves[:_MOST]]
    chosen = [leaf for leaf, weight in zip(leaves, weights, strict=False) if weight > _LEAST * weights[0]]
    if len(chosen) < 2:
        return values
    covered = np.max([leaf.cells for leaf in chosen], axis=0)[: lab.shape[0], : lab.shape[1]]
    described = [_described(leaf, covered, lab, fine) for leaf in chosen]
    pairs = [_difference(described[one], described[other]) for one, other in combinations(range(len(chosen)), 2)]
    together = np.array(pairs)[:, :5].sum(axis=1).max()
    values[:-5] = *np.max(pairs, axis=0), *pairs[0]
    values[-5:-2] = len(chosen), weights[1] / weights[0], together
    return values


def _described(leaf: FoundLeaf, covered: Map, lab: Map, fine: Map) -> tuple[Map, ...]:
    """Logarithm of length and width, widths along the axis, solidity, texture, colour, and colour of the ground."""
    axis = leaf.apex - leaf.base
    length = max(float(np.hypot(*axis)), 1.0)
    rows, columns = np.nonzero(leaf.cells)
    share = leaf.cells[rows, columns]
    along = (((columns + 0.5) * _CELL - leaf.base[0]) * axis[0] + ((rows + 0.5) * _CELL - leaf.base[1]) * axis[1]) / (
        length * length
    )
    station = np.clip((along * _STATIONS).astype(int), 0, _STATIONS - 1)
    widths = np.bincount(station, share, _STATIONS) * (_CELL**2 * _STATIONS / length**2)
    clear = (leaf.cells > 0).astype(np.uint8)
    outline = np.stack([columns, rows], 1).astype(np.int32)
    hull = cv2.contourArea(cv2.convexHull(outline)) + 0.5 * cv2.arcLength(cv2.convexHull(outline), True) + 1
    solidity = len(rows) / hull
    cells = leaf.cells[: lab.shape[0], : lab.shape[1]]
    around = cv2.dilate(clear, np.ones((9, 9), np.uint8))[: lab.shape[0], : lab.shape[1]] * (covered == 0)
    colour, ground = (np.asarray(cv2.mean(lab, mask)[:3]) for mask in ((cells > 0).astype(np.uint8), around))
    weight = cv2.resize(leaf.cells, fine.shape[:0:-1], interpolation=cv2.INTER_AREA).ravel()
    texture = fine.reshape(len(fine), -1) @ weight / max(float(weight.sum()), 1e-6)
    texture = texture / max(float(np.linalg.norm(texture)), 1e-6)
    size = np.log([length, float(widths.mean()) + 0.02])
    return tuple(
        np.asarray(part, np.float32) for part in (size, np.sqrt(widths), [solidity], texture, colour / 30, ground / 30)
    )


def _difference(one: tuple[Map, ...], other: tuple[Map, ...]) -> list[float]:
    """`_MEASURES` differences of two described leaves."""
    size = np.abs(one[0] - other[0])
    # The ends of a leaf are not always told apart: take the way round in which the two are more alike.
    form = min(float(np.linalg.norm(one[1] - other[1][::step])) for step in (1, -1))
    return [
        float(size[1]),
        form,
        *(float(np.linalg.norm(a - b)) for a, b in zip(one[2:], other[2:], strict=True)),
        float(size[0]),
        form * float(size[1]),
    ]


def _seam(lab: Map) -> float:
    """How much of the height is crossed by the clearest straight vertical edge, in colour beside what is usual."""
    if lab.shape[1] < 8:
        return 0.0
    step = np.abs(lab[:, 1:] - lab[:, :-1]).sum(axis=2)
    across = np.quantile(step, 0.25, axis=0)[2:-2]  # steps along three quarters of the height
    return float(np.log1p(across.max()) - np.log1p(np.median(step)))
