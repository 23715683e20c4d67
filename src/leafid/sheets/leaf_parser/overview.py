"""From the overview network's maps to leaves: which cells belong together, and where base and apex lie.

Each cell of a blade points to the middle of its leaf's midrib, to its base and to its apex (offsets to a centre as in
Cheng et al. 2020, Panoptic-DeepLab). Cells whose three points agree are one leaf, also where it lies in two parts
under another.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.graph import OVERVIEW_SIDE
from leafid.sheets.leaf_parser.leaf_view import Points
from leafid.sheets.leaf_parser.targets import REACH

Map = NDArray[np.float32]

_GREY = 124
_CELL = 4
_BLADE = 0.5  # probability from which a cell is blade
_PEAK = 0.25  # height from which a maximum of the centre map is a leaf
_NEAR = 3.0  # cells within which a vote counts for a centre
_AGREE = 0.3  # share of the leaf's length by which the votes of a cell may differ from its leaf's points
_SAME = 0.2  # share of the length within which the ends of two leaves are those of one
_FEWEST = 10  # cells of the smallest leaf


@dataclass(frozen=True)
class FoundLeaf:
    """A leaf in pixels of the network's square input: `cells` [64, 64] its share of each cell, 0 to 1."""

    cells: Map
    base: Points
    apex: Points
    score: float


def letterboxed(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
    """Fit a picture into the upper left of a grey square; also return the square's pixels per pixel of the picture."""
    height, width = rgb.shape[:2]
    factor = OVERVIEW_SIDE / max(height, width)
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    square = np.full((OVERVIEW_SIDE, OVERVIEW_SIDE, 3), _GREY, np.uint8)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    square[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=way)
    return square, factor


def decode_overview(maps: Map) -> list[FoundLeaf]:
    """Find the leaves.

    Args:
        maps: [9, 64, 64] of `OVERVIEW_MAPS`; the first three as logits.

    Returns:
        The leaves, the surest first.
    """
    blade, _, heat = (np.asarray(1 / (1 + np.exp(-maps[channel])), np.float32) for channel in range(3))
    at = np.argwhere(blade >= _BLADE)
    if len(at) < _FEWEST:
        return []
    places = (at[:, ::-1] + 0.5) * _CELL
    vectors = maps[3:, at[:, 0], at[:, 1]].T.astype(np.float64) * REACH
    votes = vectors.reshape(-1, 3, 2) + places[:, None]  # [cells, centre/base/apex, 2]
    leaves = _prototypes(votes, heat)
    owner = np.full(len(votes), -1)
    for _ in range(2):  # the second time from what the cells of each leaf say themselves
        owner = _owners(votes, leaves)
        kept = [index for index in range(len(leaves)) if (owner == index).sum() >= _FEWEST]
        leaves = [np.median(votes[owner == index], axis=0) for index in kept]
    owner = _owners(votes, leaves)
    found = []
    for index in range(len(leaves)):
        own = owner == index
        if own.sum() < _FEWEST:
            continue
        cells = np.zeros_like(blade)
        cells[at[own, 0], at[own, 1]] = blade[at[own, 0], at[own, 1]]
        base, apex = (_end(places[own], votes[own, end], blade[at[own, 0], at[own, 1]]) for end in (1, 2))
        spread = np.median(np.hypot(*(votes[own, 0] - leaves[index][0]).T)) / max(1.0, float(np.hypot(*(base - apex))))
        score = float(blade[at[own, 0], at[own, 1]].mean()) * float(np.exp(-6 * spread))
        found.append(FoundLeaf(cells, base, apex, score))
    return sorted(found, key=lambda leaf: -leaf.score)


def _prototypes(votes: Points, heat: Map) -> list[Points]:
    """Points [3, 2] of leaves: around peaks of the centre map, then where votes that no peak explains are dense."""
    peaks = np.argwhere((heat >= _PEAK) & (heat == cv2.dilate(heat, np.ones((5, 5), np.uint8))))
    peaks = peaks[np.argsort(-heat[peaks[:, 0], peaks[:, 1]])]
    leaves: list[Points] = []
    for row, column in peaks:
        _add(leaves, votes, np.array([column + 0.5, row + 0.5]) * _CELL)
    for _ in range(12):
        left = votes[_owners(votes, leaves) < 0]
        if len(left) < _FEWEST:
            break
        dense = _densest(left[:, 0])
        if not _add(leaves, left, dense):
            break
    return leaves


def _add(leaves: list[Points], votes: Points, centre: Points) -> bool:
    """Append the leaf around a centre unless too few cells point there or it is there already."""
    near = np.hypot(*(votes[:, 0] - centre).T) < _NEAR * _CELL
    if near.sum() < _FEWEST // 2:
        return False
    leaf = np.median(votes[near], axis=0)
    # Two leaves may cross with the same centre: keep to the larger group that agrees on the ends.
    length = max(_CELL, float(np.hypot(*(leaf[2] - leaf[1]))))
    agreeing = near & (np.hypot(*(votes - leaf).transpose(2, 0, 1)).max(axis=1) < _AGREE * length)
    if agreeing.sum() >= _FEWEST // 2:
        leaf = np.median(votes[agreeing], axis=0)
    if any(np.hypot(*(leaf - other)[1:].T).max() < _SAME * length for other in leaves):
        return False
    leaves.append(leaf)
    return True


def _densest(points: Points) -> Points:
    cells = np.clip((points / _CELL).astype(int), 0, OVERVIEW_SIDE // _CELL - 1)
    density = np.zeros((OVERVIEW_SIDE // _CELL,) * 2, np.float32)
    np.add.at(density, (cells[:, 1], cells[:, 0]), 1)
    density = np.asarray(cv2.GaussianBlur(density, (0, 0), 1.5), np.float32)
    row, column = np.unravel_index(int(density.argmax()), density.shape)
    return np.array([column + 0.5, row + 0.5]) * _CELL


def _owners(votes: Points, leaves: list[Points]) -> NDArray[np.int64]:
    """For each cell the leaf whose points its votes meet best; -1 where they meet none."""
    if not leaves:
        return np.full(len(votes), -1)
    away = np.stack([np.hypot(*(votes - leaf).transpose(2, 0, 1)) @ [0.5, 0.25, 0.25] for leaf in leaves])
    lengths = np.array([max(4 * _CELL, float(np.hypot(*(leaf[2] - leaf[1])))) for leaf in leaves])
    away = away / lengths[:, None]
    best = away.argmin(axis=0)
    return np.where(away[best, np.arange(len(votes))] < _AGREE, best, -1)


def _end(places: Points, votes: Points, chance: Map) -> Points:
    """The end that a leaf's cells point to; those near it know best."""
    rough = np.median(votes, axis=0)
    away = np.hypot(*(places - rough).T)
    near = away <= np.percentile(away, 30)
    return np.asarray(np.median(votes[near], axis=0))
