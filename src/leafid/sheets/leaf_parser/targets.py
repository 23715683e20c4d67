"""What the networks are to answer for leaves whose truth is known: the inverse of reading their maps."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.graph import (
    COARSE_MAPS,
    FACTS,
    OVERVIEW_MAPS,
    OVERVIEW_SIDE,
    ROW_SIGNALS,
    VIEW_HEIGHT,
    VIEW_WIDTH,
)
from leafid.sheets.leaf_parser.leaf_view import APEX_ROW, BASE_ROW, LeafView, Points

Map = NDArray[np.float32]

OTHER_PLANT = 255
"""Value of twigs, petioles and whatever else is plant but no leaf's blade in label maps."""
REACH = 80.0
"""Pixels of the overview's input by which its vectors are divided."""
ROW_STEP = 2.0
"""Rows of the view per value of a row signal."""
DEPARTURE_SCALE = 48.0
"""Rows by which `departure_row` is divided."""
_CELL = 4  # pixels per cell of coarse maps
_CENTRE_SIGMA, _POINT_SIGMA, _ROW_SIGMA = 1.6, 1.3, 1.2


@dataclass(frozen=True)
class LeafTruth:
    """A leaf as drawn: points [N, 2] (column, row) in a picture, also where something hides them.

    Attributes:
        base: [2] where petiole and blade meet.
        apex: [2] tip of the blade.
        midrib: from base to apex.
        left: secondaries of the left side (apex up), each from the midrib outward.
        right: those of the right side.
        petiole: from the twig to the base or the other way round; None where there is none.
        facts: values of `FACTS` without `upside_down`, 0 to 1.
    """

    base: Points
    apex: Points
    midrib: Points
    left: tuple[Points, ...]
    right: tuple[Points, ...]
    petiole: Points | None
    facts: dict[str, float]

    def moved(self, matrix: Points) -> LeafTruth:
        """The leaf after an affine map [2, 3] of the picture; sides are exchanged by one that mirrors."""

        def move(points: Points) -> Points:
            return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])

        left, right = tuple(map(move, self.left)), tuple(map(move, self.right))
        if np.linalg.det(matrix[:, :2]) < 0:
            left, right = right, left
        return replace(
            self,
            base=move(self.base),
            apex=move(self.apex),
            midrib=move(self.midrib),
            left=left,
            right=right,
            petiole=None if self.petiole is None else move(self.petiole),
        )

    @property
    def centre(self) -> Points:
        """The middle between base and apex."""
        return np.asarray((self.base + self.apex) / 2)


def overview_targets(labels: NDArray[np.uint8], leaves: list[LeafTruth], content: tuple[int, int]) -> tuple[Map, Map]:
    """Maps [9, 64, 64] that the overview network is to answer, and weights [9, 64, 64].

    Args:
        labels: [256, 256] 0 no plant, i + 1 the visible blade of leaf i, `OTHER_PLANT` the rest of the plant.
        leaves: in pixels of `labels`.
        content: width and height of the picture inside the square.
    """
    side = OVERVIEW_SIDE // _CELL
    maps = np.zeros((len(OVERVIEW_MAPS), side, side), np.float32)
    weights = np.zeros_like(maps)
    weights[:2] = 1
    weights[2] = 1
    maps[1] = _reduced((labels > 0).astype(np.float32), _CELL)
    maps[0] = _reduced(((labels > 0) & (labels != OTHER_PLANT)).astype(np.float32), _CELL)
    at = labels[_CELL // 2 :: _CELL, _CELL // 2 :: _CELL]
    places = _cell_places(side)
    for number, leaf in enumerate(leaves, start=1):
        own = at == number
        cells = int(own.sum())
        if cells < 3:
            continue
        if ((leaf.centre >= 0) & (leaf.centre < content)).all():
            maps[2] = np.maximum(maps[2], _bump(side, side, leaf.centre / _CELL, _CENTRE_SIGMA))
        maps[3:5, own] = ((leaf.centre - places[own]) / REACH).T
        # Twice the angle is the same for both directions of the axis: which end is the apex is a question of its own,
        # and as long as it has no answer the axis has one.
        axis = leaf.apex - leaf.base
        half, angle = float(np.hypot(*axis)) / 2, float(np.arctan2(axis[1], axis[0]))
        maps[5:8, own] = np.array([[half * np.cos(2 * angle)], [half * np.sin(2 * angle)], [half]]) / REACH
        maps[8, own] = np.clip((places[own] - leaf.base) @ axis / (4 * half**2), 0, 1)
        # A small leaf weighs less than a large one, but more than its share of the picture.
        weights[3:, own] = cells**-0.5
    return maps, weights


def view_targets(leaf: LeafTruth, view: LeafView, visible: Map, *, upside_down: bool = False) -> dict[str, Map]:
    """Maps that the leaf network is to answer for a view, each with `NAME_weight`.

    Args:
        leaf: the leaf in the picture.
        view: the view that is shown.
        visible: [384, 192] how far each pixel of the view shows this leaf's blade, 0 to 1.
        upside_down: the view shows the apex below: signals along rows and departures then have no weight.
    """
    seen = leaf.moved(view.matrix)
    blade = _reduced(visible, 2)
    height, width = blade.shape
    clear = leaf.facts["veins_visible"]
    fine = np.stack(
        [
            blade,
            _lines([seen.midrib], 2.4),
            _lines([*seen.left, *seen.right], 1.6) * blade,
            _lines([] if seen.petiole is None else [seen.petiole], 2.4),
        ]
    )
    fine_weight = np.ones_like(fine)
    fine_weight[1] = 0.3 + 0.7 * blade
    fine_weight[2] = (0.2 + 0.8 * clear) * (0.2 + 0.8 * blade)
    coarse = np.zeros((len(COARSE_MAPS), height // 2, width // 2), np.float32)
    for channel, point in enumerate((seen.base, seen.apex)):
        coarse[channel] = _bump(height // 2, width // 2, point / _CELL, _POINT_SIGMA)
    departures, known = _departure_rows(seen)
    coarse[2] = departures
    coarse_weight = np.ones_like(coarse)
    coarse_weight[2] = known * (_reduced(visible, _CELL) > 0.5) * (0.2 + 0.8 * clear) * (not upside_down)
    rows = np.zeros((len(ROW_SIGNALS), int(VIEW_HEIGHT / ROW_STEP), 1), np.float32)
    rows_weight = np.zeros_like(rows)
    for channel, side in enumerate((seen.left, seen.right)):
        heat, shown, weight = _row_signal(side, visible, clear)
        rows[channel, :, 0], rows[channel + 2, :, 0] = heat, shown * clear
        rows_weight[channel, :, 0] = weight * (0.1 + 0.9 * clear) * (not upside_down)
        rows_weight[channel + 2, :, 0] = float(not upside_down)
    facts = np.array([float(upside_down) if name == "upside_down" else leaf.facts[name] for name in FACTS], np.float32)
    return {
        "fine": fine,
        "fine_weight": fine_weight.astype(np.float32),
        "coarse": coarse,
        "coarse_weight": coarse_weight.astype(np.float32),
        "rows": rows,
        "rows_weight": rows_weight,
        "facts": facts[:, None, None],
        "facts_weight": np.ones((len(FACTS), 1, 1), np.float32),
    }


def _row_signal(side: tuple[Points, ...], visible: Map, clear: float) -> tuple[Map, Map, Map]:
    """Departures as bumps along the rows, whether veins can be seen there, and the weight of each row."""
    count = int(VIEW_HEIGHT / ROW_STEP)
    centres = (np.arange(count) + 0.5) * ROW_STEP
    heat, shown = np.zeros(count, np.float32), np.zeros(count, np.float32)
    inside = ((centres > APEX_ROW - 25) & (centres < BASE_ROW + 30)).astype(np.float32)
    if not side:
        return heat, shown, inside
    starts = np.array([line[0, 1] for line in side])
    # A vein counts as seen where at least half of it lies on the visible blade.
    seen = np.array([_share_seen(line, visible) >= 0.5 for line in side])
    for start in starts[seen]:
        heat = np.maximum(heat, np.exp(-(((centres - start) / ROW_STEP / _ROW_SIGMA) ** 2) / 2).astype(np.float32))
    nearest = np.abs(centres[:, None] - starts[None]).argmin(axis=1)
    within = (centres > starts.min() - 15) & (centres < starts.max() + 15)
    shown[within & seen[nearest]] = 1
    return heat, shown, inside * np.where(within & ~seen[nearest], 0, 1).astype(np.float32)


def _share_seen(line: Points, visible: Map) -> float:
    column, row = np.floor(line).astype(int).T
    inside = (column >= 0) & (row >= 0) & (column < visible.shape[1]) & (row < visible.shape[0])
    return float((visible[row[inside], column[inside]] > 0.5).sum() / max(len(line), 1))


def _departure_rows(leaf: LeafTruth) -> tuple[Map, Map]:
    """For each coarse cell, how far below it the vein through it leaves the midrib, over `DEPARTURE_SCALE`.

    Between veins it is interpolated along the column; `known` [96, 48] is 1 where veins reach the column.
    """
    height, width = VIEW_HEIGHT // _CELL, VIEW_WIDTH // _CELL
    rows = (np.arange(height) + 0.5) * _CELL
    columns = np.asarray((np.arange(width) + 0.5) * _CELL, np.float64)
    by_row = np.argsort(leaf.midrib[:, 1])
    course = np.interp(rows, leaf.midrib[by_row, 1], leaf.midrib[by_row, 0])
    result, known = np.zeros((height, width), np.float32), np.zeros((height, width), np.float32)
    for sign, side in ((-1, leaf.left), (1, leaf.right)):
        lines = sorted((line for line in side if len(line) >= 2), key=lambda line: float(line[0, 1]))
        if len(lines) < 2:
            continue
        crossing = np.stack([_rows_at(line, sign, columns) for line in lines])
        starts = np.array([line[0, 1] for line in lines])
        for index, column in enumerate(columns):
            there = np.isfinite(crossing[:, index])
            own = sign * (column - course) > 0
            if there.sum() < 2 or not own.any():
                continue
            order = np.argsort(crossing[there, index])
            at, rise = crossing[there, index][order], (starts[there] - crossing[there, index])[order]
            result[own, index] = np.interp(rows[own], at, rise) / DEPARTURE_SCALE
            known[own, index] = 1
    return result, known


def _rows_at(line: Points, sign: int, columns: Points) -> Points:
    """Row of a vein at each column, drawn on a little beyond its end; nan where it does not come."""
    outward = sign * line[:, 0]
    kept = np.concatenate([[True], np.diff(np.maximum.accumulate(outward)) > 1e-6])
    across, row = outward[kept], line[kept, 1]
    if len(across) < 2:
        return np.full(len(columns), np.nan)
    reach = across[-1] + 0.35 * (across[-1] - across[0])
    slope = (row[-1] - row[-2]) / max(float(across[-1] - across[-2]), 1e-6)
    across = np.append(across, reach)
    row = np.append(row, row[-1] + np.clip(slope, -3, 1) * (reach - across[-2]))
    return np.asarray(np.interp(sign * columns, across, row, left=np.nan, right=np.nan))


def _lines(lines: list[Points], thickness: float) -> Map:
    """Draw lines given in pixels of the view at half its size, `thickness` in pixels of the half, edges smooth."""
    canvas = np.zeros((VIEW_HEIGHT, VIEW_WIDTH), np.uint8)
    shifted = [np.round((line - 0.5) * 16).astype(np.int32) for line in lines if len(line) >= 2]
    cv2.polylines(canvas, shifted, False, (255,), max(1, round(2 * thickness)), cv2.LINE_AA, 4)
    return _reduced(np.asarray(canvas / 255, np.float32), 2)


def _reduced(values: Map, factor: int) -> Map:
    size = (values.shape[1] // factor, values.shape[0] // factor)
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _cell_places(side: int) -> Points:
    """[side, side, 2] centres of cells in pixels."""
    centre = (np.arange(side) + 0.5) * _CELL
    return np.asarray(np.stack(np.meshgrid(centre, centre), axis=-1), np.float64)


def _bump(height: int, width: int, point: Points, sigma: float) -> Map:
    """A Gaussian of height 1 around a point in cells; exactly 1 in the cell that holds it."""
    column, row = point
    columns, rows = (
        np.exp(-(((np.arange(n) + 0.5 - c) / sigma) ** 2) / 2) for n, c in ((width, column), (height, row))
    )
    bump = np.outer(rows, columns).astype(np.float32)
    if 0 <= column < width and 0 <= row < height:
        bump[int(row), int(column)] = 1
    return bump
