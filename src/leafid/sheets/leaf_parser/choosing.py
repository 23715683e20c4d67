"""Which of the leaves that were looked at are kept: parts of one leaf are joined, and no leaf is given twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from leafid.sheets.leaf_parser.graph import VIEW_HEIGHT, VIEW_WIDTH
from leafid.sheets.leaf_parser.leaf_view import Points
from leafid.sheets.leaf_parser.outlines.silhouettes import Silhouette
from leafid.sheets.leaf_parser.overview import FoundLeaf

if TYPE_CHECKING:
    from leafid.sheets.leaf_parser.looking import Look

_CELL = 4
_CLEARER = 0.05  # by how much the whole must be clearer than its parts
_WHOLE = 0.8  # clearness from which a leaf is no part of another
_PAIRS = 3  # most pairs tried in a group of leaves
_SAME_END = 0.15  # distance of two ends as a share of the length, below which they may be one
_SHARED = 0.15  # share of a leaf that lies on another, from which both may be one
_INSIDE = 0.6  # share of a leaf that lies on another, from which it is the same leaf


@dataclass(frozen=True)
class SeenLeaf:
    """A leaf of the overview, the clearest look at it, and its outline where the ground is plain."""

    leaf: FoundLeaf
    look: Look
    outline: Silhouette | None = None


def main_axes(places: Points) -> list[tuple[Points, Points]]:
    """The ends of the longest axis of a cloud of points [N, 2] and of that across it, both in any order."""
    centre = places.mean(axis=0)
    _, _, axes = np.linalg.svd(places - centre, full_matrices=False)
    reach = (places - centre) @ axes.T
    return [(centre + side.min() * axis, centre + side.max() * axis) for side, axis in zip(reach.T, axes, strict=True)]


def joined(seen: list[SeenLeaf], look: Callable[[FoundLeaf], SeenLeaf]) -> list[SeenLeaf]:
    """Join leaves that touch each other where they are clearer as one leaf than each on its own.

    Args:
        seen: leaves with cells that do not overlap.
        look: looks at a leaf.
    """
    everything = np.max([one.leaf.cells for one in seen], axis=0) if seen else np.zeros((1, 1), np.float32)
    _, pieces = cv2.connectedComponents((everything > 0).astype(np.uint8), connectivity=8)
    groups: dict[int, list[SeenLeaf]] = {}
    for one in seen:
        inside = pieces[one.leaf.cells > 0]
        groups.setdefault(int(np.bincount(inside).argmax()), []).append(one)
    result: list[SeenLeaf] = []
    for group in groups.values():
        result += _joined_group(group, look)
    return result


def _joined_group(group: list[SeenLeaf], look: Callable[[FoundLeaf], SeenLeaf]) -> list[SeenLeaf]:
    """Join pairs of a group that share an end or a part of their blades, or else all of it."""
    pairs = (pair for pair in itertools.combinations(group, 2) if len(group) == 2 or _may_be_one(*pair))
    unions: list[tuple[SeenLeaf, ...]] = [*itertools.islice(pairs, _PAIRS)]
    if len(group) > 2:
        unions.append(tuple(group))
    for parts in unions:
        if min(one.look.clearness for one in parts) > _WHOLE:
            continue
        whole = _union(parts, look)
        sizes = [float(one.leaf.cells.sum()) for one in parts]
        apart = float(np.average([one.look.clearness for one in parts], weights=sizes))
        if whole.look.clearness > apart + _CLEARER:
            rest = [one for one in group if all(one is not part for part in parts)]
            return _joined_group([*rest, whole], look)
    return group


def _union(parts: Sequence[SeenLeaf], look: Callable[[FoundLeaf], SeenLeaf]) -> SeenLeaf:
    """The clearest look at several leaves as one: along their main axes, or along that of the largest."""
    cells = np.max([one.leaf.cells for one in parts], axis=0)
    rows, columns = np.nonzero(cells)
    places = np.asarray((np.stack([columns, rows], axis=1) + 0.5) * _CELL, np.float64)
    largest = max(parts, key=lambda one: float(one.leaf.cells.sum())).leaf
    ends = [main_axes(places)[0], (largest.base, largest.apex)]
    score = max(one.leaf.score for one in parts)
    looks = [look(FoundLeaf(cells, base, apex, score)) for base, apex in ends]
    return max(looks, key=lambda one: one.look.clearness)


def _may_be_one(one: SeenLeaf, other: SeenLeaf) -> bool:
    """Whether two leaves share an end or a part of their blades."""
    ends = [each.look.view.to_picture(np.stack([each.look.ends.base, each.look.ends.apex])) for each in (one, other)]
    length = max(float(np.hypot(*(base - apex))) for base, apex in ends)
    apart = np.hypot(*(ends[0][:, None] - ends[1][None]).transpose(2, 0, 1)).min()
    return bool(apart < _SAME_END * length) or _share_inside(one, other) > _SHARED


def alone(seen: Sequence[SeenLeaf]) -> list[SeenLeaf]:
    """Leave out leaves that lie on a clearer one for the most part."""
    kept: list[SeenLeaf] = []
    for one in sorted(seen, key=lambda one: -one.look.clearness):
        if all(_share_inside(one, other) < _INSIDE for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda one: -float(one.leaf.cells.sum()))


def _share_inside(one: SeenLeaf, other: SeenLeaf) -> float:
    """Share of the smaller blade that lies on the other, from points of the one's mask."""
    rows, columns = np.nonzero(one.look.blade[::3, ::3] >= 0.5)
    if not len(rows):
        return 1.0
    factor = VIEW_HEIGHT / one.look.blade.shape[0]
    places = np.asarray((np.stack([columns, rows], axis=1) * 3 + 0.5) * factor, np.float64)
    there = np.floor(other.look.view.to_view(one.look.view.to_picture(places))).astype(int)
    inside = ((there >= 0) & (there < [VIEW_WIDTH, VIEW_HEIGHT])).all(axis=1)
    column, row = (there[inside] / factor).astype(int).T
    on_other = int((other.look.blade[row, column] >= 0.5).sum())
    areas = [_area(each) for each in (one, other)]
    return on_other / len(rows) * areas[0] / max(min(areas), 1e-6)


def _area(seen: SeenLeaf) -> float:
    """Area of the blade in pixels of the picture."""
    view_area = float((seen.look.blade >= 0.5).sum())
    return view_area / abs(float(np.linalg.det(seen.look.view.matrix[:, :2])))
