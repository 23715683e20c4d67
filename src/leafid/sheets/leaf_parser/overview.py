"""From the overview network's maps to leaves: which cells belong together, and where base and apex lie.

Each cell of a blade points to the middle of its leaf (offsets to a centre as in Cheng et al. 2020, Panoptic-DeepLab)
and predicts direction and length of the leaf's axis, and how near to the apex the cell lies. Cells that agree are one
leaf, also where it lies in two parts under another.
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
_AGREE = 0.3  # share of the leaf's length by which the votes of a cell may differ from its leaf's
_SAME = 0.15  # the same for two leaves that are one
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
    size, factor = letterboxed_size(rgb.shape)
    square = np.full((OVERVIEW_SIDE, OVERVIEW_SIDE, 3), _GREY, np.uint8)
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    square[: size[1], : size[0]] = cv2.resize(rgb, size, interpolation=way)
    return square, factor


def letterboxed_size(shape: tuple[int, ...]) -> tuple[tuple[int, int], float]:
    """Width and height that a picture has in the square, and the square's pixels per pixel of the picture."""
    height, width = shape[:2]
    factor = OVERVIEW_SIDE / max(height, width)
    return (max(1, round(width * factor)), max(1, round(height * factor))), factor


def decode_overview(maps: Map) -> list[FoundLeaf]:
    """Find the leaves.

    Args:
        maps: [9, 64, 64] of `OVERVIEW_MAPS`; the first three and the last as logits.

    Returns:
        The leaves, the surest first.
    """
    blade, _, heat = (np.asarray(1 / (1 + np.exp(-maps[channel])), np.float32) for channel in range(3))
    at = np.argwhere(blade >= _BLADE)
    if len(at) < _FEWEST:
        return []
    places = np.asarray((at[:, ::-1] + 0.5) * _CELL, np.float64)
    predicted = maps[3:, at[:, 0], at[:, 1]].T.astype(np.float64)
    # [cells, 5]: the middle, the axis as half its length in twice its direction, and half its length
    votes = np.asfortranarray(predicted[:, :5] * REACH)
    votes[:, :2] += places
    leaves = _prototypes(votes, heat)
    for _ in range(2):  # the second time from what the cells of each leaf say themselves
        leaves = [_middle(votes[own]) for own in _cells_of(_owners(votes, leaves), len(leaves)) if len(own) >= _FEWEST]
    found = []
    for leaf, own in zip(leaves, _cells_of(_owners(votes, leaves), len(leaves)), strict=True):
        if len(own) < _FEWEST:
            continue
        likely = blade[at[own, 0], at[own, 1]]
        cells = np.zeros_like(blade)
        cells[at[own, 0], at[own, 1]] = likely
        base, apex = _ends(leaf, places[own], predicted[own, 5])
        spread = _median(np.hypot(*(votes[own, :2] - leaf[:2]).T)[None])[0] / max(1.0, 2 * leaf[4])
        found.append(FoundLeaf(cells, base, apex, float(likely.mean()) * float(np.exp(-6 * spread))))
    return sorted(found, key=lambda leaf: -leaf.score)


def _middle(votes: Points) -> Points:
    """What cells [N, 5] say on the whole: [5] middle, axis in twice its direction, and half its length."""
    return _median(votes.T)


def _median(values: Points) -> Points:
    """Medians [M] of rows [M, N]; `numpy.median` takes several times as long for few values."""
    count = values.shape[1]
    middle = np.partition(values, (count // 2, (count - 1) // 2), axis=1)
    return np.asarray((middle[:, (count - 1) // 2] + middle[:, count // 2]) / 2)


def _cells_of(owner: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """For each of a number of leaves the indices of its cells, in order."""
    order = np.argsort(owner, kind="stable")
    return np.split(order, np.searchsorted(owner[order], np.arange(count + 1)))[1:-1]


def _ends(leaf: Points, places: Points, towards: Points) -> tuple[Points, Points]:
    """Base and apex of a leaf; the apex lies where the cells say that they are nearer to it."""
    angle = np.arctan2(leaf[3], leaf[2]) / 2
    along = np.array([np.cos(angle), np.sin(angle)])
    sign = 1.0 if float(((places - leaf[:2]) @ along) @ np.tanh(towards)) >= 0 else -1.0
    reach = sign * max(leaf[4], 1.0) * along
    return leaf[:2] - reach, leaf[:2] + reach


def _prototypes(votes: Points, heat: Map) -> list[Points]:
    """Leaves [5] (see `_middle`): around peaks of the centre map, then where votes that none explains are dense."""
    peaks = np.argwhere((heat >= _PEAK) & (heat == cv2.dilate(heat, np.ones((5, 5), np.uint8))))
    peaks = peaks[np.argsort(-heat[peaks[:, 0], peaks[:, 1]])]
    leaves: list[Points] = []
    for row, column in peaks:
        _add(leaves, votes, np.array([column + 0.5, row + 0.5]) * _CELL)
    left = votes[_owners(votes, leaves) < 0]
    for _ in range(12):
        if len(left) < _FEWEST or not _add(leaves, left, _densest(left[:, :2])):
            break
        left = left[_away(left, leaves[-1]) >= _AGREE]
    return leaves


def _add(leaves: list[Points], votes: Points, centre: Points) -> bool:
    """Append the leaf around a centre unless too few cells point there or it is there already."""
    near = votes[((votes[:, 0] - centre[0]) ** 2 + (votes[:, 1] - centre[1]) ** 2) < (_NEAR * _CELL) ** 2]
    if len(near) < _FEWEST // 2:
        return False
    leaf = _middle(near)
    # Two leaves may cross with the same centre: keep to the larger group that agrees on the axis.
    agreeing = near[_away(near, leaf) < _AGREE]
    if len(agreeing) >= _FEWEST // 2:
        leaf = _middle(agreeing)
    if leaves and _away(leaf[None], np.array(leaves).T).min() < _SAME:
        return False
    leaves.append(leaf)
    return True


def _away(votes: Points, leaf: Points) -> Points:
    """How far votes [N, 5] are from a leaf's [5], or from those of leaves [5, N], as a share of its length."""
    x, y, along, across = (votes[:, part] - leaf[part] for part in range(4))
    distance = np.sqrt(x * x + y * y) + np.sqrt(along * along + across * across) / 2
    return np.asarray(distance / np.maximum(4.0 * _CELL, 2 * leaf[4]))


def _densest(points: Points) -> Points:
    """The place, perhaps outside the picture, that most points are near."""
    low = points.min(axis=0) - _CELL
    cells = ((points - low) / _CELL).astype(int)
    columns, rows = cells.max(axis=0) + 2
    counts = np.bincount(cells[:, 1] * columns + cells[:, 0], minlength=rows * columns)
    density = counts.reshape(rows, columns).astype(np.float32)
    density = np.asarray(cv2.GaussianBlur(density, (0, 0), 1.5), np.float32)
    row, column = np.unravel_index(int(density.argmax()), density.shape)
    return np.asarray(low + np.array([column + 0.5, row + 0.5]) * _CELL)


def _owners(votes: Points, leaves: list[Points]) -> NDArray[np.int64]:
    """For each cell the leaf whose middle and axis its votes meet best; -1 where they meet none."""
    if not leaves:
        return np.full(len(votes), -1)
    away = np.stack([_away(votes, leaf) for leaf in leaves])
    best = away.argmin(axis=0)
    return np.where(away[best, np.arange(len(votes))] < _AGREE, best, -1)
