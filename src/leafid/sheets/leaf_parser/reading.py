"""From the leaf network's answers to one leaf's ends, midrib, secondary veins and petiole, in pixels of the view."""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.graph import FACTS, VIEW_HEIGHT
from leafid.sheets.leaf_parser.leaf_view import APEX_ROW, AXIS_COLUMN, BASE_ROW, Points
from leafid.sheets.leaf_parser.targets import DEPARTURE_SCALE, ROW_STEP

Map = NDArray[np.float32]

MIDRIB_POINTS = 33
_FINE, _COARSE = 2, 4  # pixels of the view per pixel of the maps
_BLADE = 0.5
_END_NEAR = 48.0  # pixels within which the true end is looked for around the expected one
_END_CLEAR = 0.2  # height of the heat map from which it is believed
_BENDS = 5  # half waves of which the midrib's departure from the straight line is the sum
_CANDIDATE = 0.1  # probability from which a maximum of the row signal is worth a look
_FOLLOWED = 0.2  # probability from which a departure's vein is followed
_VEIN_POINTS = 12
_SNAP = 5  # rows of the fine map within which a course is moved to the nearest line
_SEEN = 0.3


@dataclass(frozen=True)
class Departure:
    """A place where a secondary vein may leave the midrib: its row in the view, and how likely it is."""

    row: float
    chance: float
    course: Points
    """[12, 2] from the midrib outward; [2, 2] where nothing is to be followed."""
    drawn: float
    """Mean probability of a secondary vein along the course."""


@dataclass(frozen=True)
class Side:
    """One side of the leaf: possible departures from the base upwards, and the rows between which veins are seen."""

    departures: tuple[Departure, ...]
    seen: tuple[float, float]


@dataclass(frozen=True)
class ViewEnds:
    """How a leaf lies in a view, in its pixels.

    Attributes:
        blade: [192, 96] probability of the blade.
        clearness: mean probability of the midrib along its course times that of the ends, 0 to 1: high for a leaf that
            lies just so.
        base: [2].
        apex: [2].
        midrib: [33, 2] from base to apex.
        upside_down: probability that the apex is below.
    """

    blade: Map
    clearness: float
    base: Points
    apex: Points
    midrib: Points
    upside_down: float


@dataclass(frozen=True)
class ViewReading(ViewEnds):
    """All that a view shows; `facts` 0 to 1 by their names."""

    petiole: Points | None
    left: Side
    right: Side
    facts: dict[str, float]


def read_ends(answers: dict[str, Map]) -> ViewEnds:
    """Decode how the leaf lies; answers as for `read_view`."""
    fine, heat = _chance(answers["fine"][:2]), _chance(answers["coarse"][:2])
    base, base_clear = _end(heat[0], np.array([AXIS_COLUMN, BASE_ROW]))
    apex, apex_clear = _end(heat[1], np.array([AXIS_COLUMN, APEX_ROW]))
    midrib = fit_midrib(fine[1], base, apex)
    clearness = _along(fine[1], midrib) * (0.5 + 0.25 * base_clear + 0.25 * apex_clear)
    upside_down = float(_chance(answers["facts"]).ravel()[FACTS.index("upside_down")])
    return ViewEnds(fine[0], clearness, base, apex, midrib, upside_down)


def read_view(answers: dict[str, Map]) -> ViewReading:
    """Decode the answers of the leaf network, all logits but `departure_row`.

    Args:
        answers: `fine` [4, 192, 96], `coarse` [3, 96, 48], `rows` [4, 192, 1], `facts` [7, 1, 1].
    """
    ends = read_ends(answers)
    fine, rows = _chance(answers["fine"]), _chance(answers["rows"])[..., 0]
    courses = _Courses(answers["coarse"][2], fine, ends.midrib)
    left, right = (_side(sign, rows[index], rows[index + 2], courses) for index, sign in enumerate((-1, 1)))
    facts = dict(zip(FACTS, _chance(answers["facts"]).ravel().tolist(), strict=True))
    return ViewReading(
        **{each.name: getattr(ends, each.name) for each in fields(ends)},
        petiole=_petiole(fine[3], ends.base),
        left=left,
        right=right,
        facts=facts,
    )


def _chance(logits: Map) -> Map:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def _along(chance: Map, line: Points) -> float:
    """Mean over a line of the largest probability within a pixel beside it."""
    wide = cv2.dilate(chance, np.ones((1, 3), np.uint8))
    return float(np.mean(_values(np.asarray(wide, np.float32), line)))


def _end(heat: Map, expected: Points) -> tuple[Points, float]:
    """The maximum near the expected place, between the cells, and its height; the place itself where there is none."""
    column, row = expected / _COARSE - 0.5
    columns, rows = np.arange(heat.shape[1]) - column, np.arange(heat.shape[0]) - row
    near = heat * (np.hypot(columns[None], rows[:, None]) <= _END_NEAR / _COARSE)
    top, left = (int(index) for index in np.unravel_index(int(near.argmax()), near.shape))
    if near[top, left] < _END_CLEAR:
        return expected, float(near[top, left])
    window = np.s_[max(0, top - 1) : top + 2, max(0, left - 1) : left + 2]
    weights = heat[window] ** 2
    at_rows, at_columns = np.mgrid[window]
    total = weights.sum()
    place = np.array([(weights * at_columns).sum() / total + 0.5, (weights * at_rows).sum() / total + 0.5]) * _COARSE
    return place, float(near[top, left])


def fit_midrib(chance: Map, base: Points, apex: Points) -> Points:
    """Fit a smooth curve [33, 2] from base to apex to the probability [192, 96] of the midrib.

    The departure from the straight line is a sum of half waves; each costs the more the more often it bends, so the
    curve cannot turn off into a secondary vein. Fitted by least squares in a window that narrows around it.
    """
    span = np.linspace(0, 1, 65)
    line = base + span[:, None] * (apex - base)
    waves = np.sin(np.pi * np.outer(span, np.arange(1, _BENDS + 1)))
    cost = 0.1 * np.arange(1, _BENDS + 1) ** 4.0
    columns = (np.arange(chance.shape[1]) + 0.5) * _FINE
    at_row = np.clip((line[:, 1] / _FINE).astype(int), 0, chance.shape[0] - 1)
    bends = np.zeros(_BENDS)
    for window in (36.0, 18.0, 9.0, 6.0):
        offset = columns[None] - (line[:, 0] + waves @ bends)[:, None]
        weights = chance[at_row] ** 2 * np.exp(-((offset / window) ** 2))
        total = weights.sum(axis=1)
        found = (weights * columns).sum(axis=1) / np.maximum(total, 1e-6) - line[:, 0]
        trust = np.minimum(total, 1.0)
        normal = waves.T @ (trust[:, None] * waves) + np.diag(cost)
        bends = np.linalg.solve(normal, waves.T @ (trust * found))
    curve = line + np.column_stack([waves @ bends, np.zeros(len(span))])
    return np.asarray(curve[:: (len(span) - 1) // (MIDRIB_POINTS - 1)])


class _Courses:
    """The courses of secondary veins: lines along which the row of departure does not change."""

    def __init__(self, away: Map, fine: Map, midrib: Points) -> None:
        height, width = away.shape
        rows = (np.arange(height) + 0.5) * _COARSE
        # From the apex downwards departures come lower and lower: undo small errors against that.
        self.departure = np.maximum.accumulate(rows[:, None] + away * DEPARTURE_SCALE, axis=0)
        self.rows, self.columns = rows, (np.arange(width) + 0.5) * _COARSE
        self.blade, self.secondary = fine[0], fine[2]
        order = np.argsort(midrib[:, 1])
        self.midrib_rows, self.midrib_columns = midrib[order, 1], midrib[order, 0]

    def start(self, row: float) -> Points:
        """The point of the midrib at a row."""
        return np.array([np.interp(row, self.midrib_rows, self.midrib_columns), row])

    def course(self, row: float, sign: int) -> tuple[Points, float]:
        """Follow the vein that leaves at a row to the margin; also its mean probability."""
        start = self.start(row)
        outward = np.flatnonzero(sign * (self.columns - start[0]) > 2)[::sign]
        places = self._crossings(row, outward)
        inside = (places[:, 1] > 0) & (places[:, 1] < VIEW_HEIGHT) & (_values(self.blade, places) >= _BLADE)
        points = np.concatenate([start[None], places[: len(places) if inside.all() else int(inside.argmin())]])
        if len(points) < 3:
            return np.stack([start, start + np.array([sign * 8.0, -6.0])]), 0.0
        line = self._snapped(points)
        drawn = float(np.mean(_values(self.secondary, line[1:])))
        across = np.linspace(line[0, 0], line[-1, 0], _VEIN_POINTS)
        return np.column_stack([across, np.interp(sign * across, sign * line[:, 0], line[:, 1])]), drawn

    def _crossings(self, row: float, outward: NDArray[np.int64]) -> Points:
        """Where the line of a row of departure crosses columns, [N, 2], between cells by linear interpolation."""
        away = self.departure[:, outward]
        below = np.clip((away < row).sum(axis=0), 1, len(away) - 1)
        each = np.arange(len(outward))
        low, high = away[below - 1, each], away[below, each]
        share = np.clip((row - low) / np.maximum(high - low, 1e-6), 0, 1)
        return np.column_stack([self.columns[outward], self.rows[below - 1] + share * _COARSE])

    def _snapped(self, line: Points) -> Points:
        """Move a course up or down to the line drawn nearby, smoothly."""
        steps = np.arange(-_SNAP, _SNAP + 1)
        columns = np.clip((line[:, 0] / _FINE).astype(int), 0, self.secondary.shape[1] - 1)
        rows = np.clip((line[:, 1] / _FINE).astype(int)[:, None] + steps, 0, self.secondary.shape[0] - 1)
        weights = self.secondary[rows, columns[:, None]] ** 2 * np.exp(-((steps / 3.0) ** 2))
        total = weights.sum(axis=1)
        shift = np.where(total > 0.05, (weights * steps).sum(axis=1) / np.maximum(total, 1e-6), 0) * _FINE
        smooth = _smoothed(line[:, 0] - line[0, 0], shift, (0.1 + total) ** 2)
        moved = line.copy()
        moved[1:, 1] += np.clip(smooth, -_SNAP * _FINE, _SNAP * _FINE)[1:]
        return moved


def _smoothed(at: Points, values: Points, weights: Map) -> Points:
    """Fit a cubic, or a polynomial of a lower degree to few values, by weighted least squares; its values at `at`."""
    powers = (at / np.abs(at).max())[:, None] ** np.arange(min(3, len(at) - 2) + 1)
    weighted = powers * weights[:, None]
    normal = weighted.T @ powers + 1e-9 * np.eye(powers.shape[1])
    return np.asarray(powers @ np.linalg.solve(normal, weighted.T @ values))


def _values(values: Map, places: Points) -> Map:
    """Values [N] of a fine map at places of the view; 0 outside."""
    column, row = np.floor(places / _FINE).astype(int).T
    inside = (row >= 0) & (row < values.shape[0]) & (column >= 0) & (column < values.shape[1])
    found = values[np.clip(row, 0, values.shape[0] - 1), np.clip(column, 0, values.shape[1] - 1)]
    return np.asarray(np.where(inside, found, 0), np.float32)


def _side(sign: int, signal: Map, seen: Map, courses: _Courses) -> Side:
    raised = cv2.dilate(signal[:, None], np.ones((5, 1), np.uint8))[:, 0]
    departures = []
    for index in np.flatnonzero((signal >= _CANDIDATE) & (signal == raised))[::-1]:
        window = np.arange(max(0, index - 1), min(len(signal), index + 2))
        row = float((signal[window] * (window + 0.5)).sum() / signal[window].sum() * ROW_STEP)
        start = courses.start(row)
        course, drawn = courses.course(row, sign) if signal[index] >= _FOLLOWED else (np.stack([start, start]), 0.0)
        departures.append(Departure(row, float(signal[index]), course, drawn))
    shown = np.flatnonzero(seen >= _SEEN)
    rows = ((shown[-1] + 1) * ROW_STEP, shown[0] * ROW_STEP) if len(shown) else (BASE_ROW, BASE_ROW)
    return Side(tuple(departures), rows)


def _petiole(chance: Map, base: Points) -> Points | None:
    """Follow the petiole from the base downwards, row by row, as long as it is seen."""
    points, column = [base], base[0]
    missing = 0
    for row in range(int(base[1] / _FINE) + 1, chance.shape[0]):
        near = np.arange(max(0, int(column / _FINE) - 6), min(chance.shape[1], int(column / _FINE) + 7))
        weights = chance[row, near] ** 2
        if len(near) == 0 or chance[row, near].max() < 0.4:
            missing += 1
            if missing > 4:
                break
            continue
        missing = 0
        column = float((weights * (near + 0.5)).sum() / weights.sum() * _FINE)
        points.append(np.array([column, (row + 0.5) * _FINE]))
    if points[-1][1] - base[1] < 8:
        return None
    return np.stack([*points[::4], points[-1]])
