"""Construct the veins of a drawn blade: midrib, secondaries, ladder-like tertiaries, as lines in blade coordinates."""

import math
from dataclasses import dataclass

import numpy as np

from leafid.demo.outline import Blade, Points

_STEPS = 48
_REACH = 0.955  # end of a secondary vein, relative to the half-width: eucamptodromous veins do not reach the margin


@dataclass(frozen=True)
class Venation:
    """Lines [N, 2] as x, y in mm in blade coordinates (see `outline`). Secondaries begin on the midrib."""

    midrib: Points
    left: tuple[Points, ...]
    right: tuple[Points, ...]
    tertiaries: tuple[Points, ...]

    def mean_angle_deg(self) -> float:
        """Mean angle of the secondaries to the midrib, over the first quarter of each vein."""
        return float(np.mean([departure_angle_deg(vein) for vein in self.left + self.right]))


def departure_angle_deg(vein: Points) -> float:
    """Angle in degrees between the midrib and the chord over the first quarter of a secondary vein's length."""
    steps = np.hypot(*np.diff(vein, axis=0).T)
    quarter = int(np.searchsorted(np.cumsum(steps), steps.sum() / 4)) + 1
    across, along = vein[quarter] - vein[0]
    return math.degrees(math.atan2(abs(across), along))


def blade_venation(blade: Blade, rng: np.random.Generator) -> Venation:
    """Draw the veins of a blade with `pairs_left` and `pairs_right` secondaries at about `vein_angle_deg`.

    The mean angle of all secondaries is within half a degree of `vein_angle_deg`; the exact one is
    `Venation.mean_angle_deg`.
    """
    traits = blade.traits
    midrib_y = np.linspace(0, traits.length_mm, 60)
    midrib = np.stack([np.zeros_like(midrib_y), midrib_y], axis=1)
    sides: dict[int, list[Points]] = {}
    tertiaries: list[Points] = []
    # Secondary veins are only nearly opposite: one side is shifted by part of the distance between veins.
    shift = rng.uniform(-0.35, 0.35)
    for side, pairs in ((-1, traits.pairs_left), (1, traits.pairs_right)):
        s, y, end = _secondaries(blade, side, pairs, shift * (side > 0), rng)
        sides[side] = [_line(blade, side, s[: last + 1], y[i, : last + 1]) for i, last in enumerate(end)]
        tertiaries += _ladder(blade, side, s, y, end, rng)
        tertiaries += _marginal_arcs(blade, side, s, y, end)
        tertiaries += _intersecondaries(blade, side, s, y, rng)
        tertiaries += _lobe_veins(blade, side)
    return Venation(midrib, tuple(sides[-1]), tuple(sides[1]), tuple(tertiaries))


def _secondaries(
    blade: Blade, side: int, pairs: int, shift: float, rng: np.random.Generator
) -> tuple[Points, Points, list[int]]:
    """Return relative half-widths s [S], the height y [pairs, S] of each vein at them, and each vein's last index."""
    traits = blade.traits
    length = traits.length_mm
    steep = traits.vein_angle_deg < 32
    first, last = 0.02, 0.72 if steep else 0.86
    position = np.clip(np.linspace(0, 1, pairs) + (shift + rng.normal(0, 0.07, pairs)) / pairs, 0, 1.04)
    # Vein distances grow from the base to the middle and shrink towards the apex.
    position = np.sort(position) - 0.045 * np.sin(2 * np.pi * np.sort(position))
    y = length * (first + (last - first) * position)
    y = np.maximum.accumulate(y + np.arange(pairs) * 1e-3)
    spread = np.linspace(1, -1, pairs) * max(4.0, 0.3 * (50 - traits.vein_angle_deg)) + rng.normal(0, 1.2, pairs)
    angle = np.clip(traits.vein_angle_deg + spread - spread.mean(), 8, 80)
    s = np.linspace(0, _REACH, _STEPS)
    # Veins already curve in their first quarter, over which the angle is measured. So the angle at the midrib is
    # corrected until the measured angle is right; three rounds are enough.
    for _ in range(3):
        heights = _traced(blade, side, y, angle)
        lines = [_line(blade, side, s, row) for row in heights]
        angle = np.clip(angle + traits.vein_angle_deg - np.mean([departure_angle_deg(line) for line in lines]), 4, 80)
    heights = _traced(blade, side, y, angle)
    gap = np.diff(heights[:, 0], append=length)
    for i in range(pairs - 2, -1, -1):
        heights[i] = np.minimum(heights[i], heights[i + 1] - 0.3 * gap[i])
    heights = np.minimum(heights, length * 0.985 - (s * 0 + 1e-3) * np.arange(pairs)[::-1, None])
    inside = heights < length * 0.975
    end = [int(max(np.flatnonzero(row)[-1], int(0.72 * _STEPS))) for row in inside]
    end = [min(last, _STEPS - 1 - int(rng.integers(0, 4))) for last in end]
    return s, heights, end


def _traced(blade: Blade, side: int, y: Points, angle: Points) -> Points:
    """Return the heights [pairs, S] of veins that leave the midrib at heights y [pairs] at angles in degrees."""
    # Steep lower veins curve outwards after their first quarter; otherwise the sides of the blade would have no veins.
    arch = np.clip(46 - angle, 0, 30) * np.linspace(1.0, 0.2, len(y))
    s = np.linspace(0, _REACH, _STEPS)
    heights = np.empty((len(y), _STEPS))
    heights[:, 0] = y
    for k in range(1, _STEPS):
        half = blade.half_width(side, y)
        slope = (blade.half_width(side, y + 0.5) - blade.half_width(side, y - 0.5)).clip(-1.2, 0.6)
        arched = np.clip((s[k - 1] - 0.12) / 0.3, 0, 1)
        tangent = np.tan(np.radians(angle + arch * arched))
        rise = half / np.maximum(tangent - s[k - 1] * slope, 0.3 * tangent)
        y = y + rise * (1 + blade.traits.vein_curvature * s[k - 1] ** 3) * (s[k] - s[k - 1])
        heights[:, k] = y
    return heights


def _line(blade: Blade, side: int, s: Points, y: Points) -> Points:
    return np.stack([side * s * blade.half_width(side, y), y], axis=1)


def _ladder(blade: Blade, side: int, s: Points, y: Points, end: list[int], rng: np.random.Generator) -> list[Points]:
    """Draw percurrent tertiaries between neighbouring secondaries, slightly curved and oblique."""
    rungs = []
    spacing = blade.traits.tertiary_spacing_mm
    for i in range(len(end) - 1):
        half = blade.half_width(side, np.array([y[i, _STEPS // 2]])).item()
        count = max(int(half / spacing), 3)
        stops = min(end[i], end[i + 1])
        starts = np.linspace(1.5, stops - 3, count) + rng.normal(0, 0.25 * stops / count, count)
        slants = rng.normal(1.5, 1.2, count)
        bends = rng.normal(0, 0.3, count)
        lower, upper = (np.clip(starts + k * slants, 0, stops).astype(int) for k in (0, 1))
        p = _line(blade, side, s[lower], y[i, lower])[:, None]  # [count, 1, 2]
        q = _line(blade, side, s[upper], y[i + 1, upper])[:, None]
        bulge = bends[:, None, None] * np.array([2 * spacing, 0.6])
        t = np.linspace(0, 1, 5)[:, None]
        rungs.extend((1 - t) * p + t * q + 2 * t * (1 - t) * bulge)
    return rungs


def _marginal_arcs(blade: Blade, side: int, s: Points, y: Points, end: list[int]) -> list[Points]:
    """Join each secondary's end to the next secondary above it."""
    arcs = []
    for i in range(len(end) - 1):
        target = max(end[i + 1] - 7, 0)
        start = np.array([s[end[i]], y[i, end[i]]])
        goal = np.array([s[target], y[i + 1, target]])
        t = np.linspace(0, 1, 8)[:, None]
        curve = start + t * (goal - start) + np.array([0.03, 0]) * np.sin(np.pi * t)
        arcs.append(_line(blade, side, curve[:, 0], np.minimum(curve[:, 1], 0.99 * blade.traits.length_mm)))
    return arcs


def _intersecondaries(blade: Blade, side: int, s: Points, y: Points, rng: np.random.Generator) -> list[Points]:
    """Draw weak veins between two secondaries that end before half-way to the margin; they are not counted."""
    lines = []
    for i in range(len(y) - 1):
        if rng.random() < 0.18:
            stop = int(rng.uniform(0.2, 0.38) * _STEPS)
            share = rng.uniform(0.4, 0.6)
            lines.append(_line(blade, side, s[:stop], (1 - share) * y[i, :stop] + share * y[i + 1, :stop]))
    return lines


def _lobe_veins(blade: Blade, side: int) -> list[Points]:
    """Draw two thin veins from the insertion of the petiole into the basal lobe of a cordate blade."""
    depth, start = blade.sinus_mm, blade.lobe_start
    if depth <= 0:
        return []
    t = np.linspace(0, 1, 10)
    reach = 0.55 * blade.half_width(side, np.zeros(1)).item()
    flat = np.stack([side * reach * 1.35 * t, 0.2 * depth * np.sin(np.pi * t)], axis=1)
    down = np.stack([side * (start + 0.35 * reach) * t, -0.75 * depth * t**1.3], axis=1)
    return [flat, down]
