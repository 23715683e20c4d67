"""Veins of a blade of any form, in closed form: fast enough for piles of leaves, and wider than any one genus.

A secondary leaves the midrib under its angle, turns towards the apex, and where it comes near the margin follows it.
How near, and how far it follows, makes the types of Ellis et al. (2009): craspedodromous (ends in the margin),
eucamptodromous (fades along it), brochidodromous (joins the next one in a loop).
"""

import itertools
from dataclasses import dataclass

import numpy as np

from leafid.demo.outline import Blade, Points

_STEPS = 72
_POINTS = 24


@dataclass(frozen=True)
class VeinHabit:
    """How the veins of one leaf run. Angles in degrees."""

    pairs: tuple[int, int]
    """Number of secondaries on the left and on the right."""
    angle: float
    angle_gradient: float
    """Angle of the lowest secondary minus that of the highest."""
    turn: float
    """By how much a secondary turns towards the apex over its length, in degrees; negative: away from it."""
    reach: float
    """Where a secondary meets or follows the margin, relative to the half-width."""
    loop: float
    """Share of the way to the next secondary's end over which it follows the margin."""
    first: float
    last: float
    """Where on the midrib, 0 base to 1 apex, the lowest and the highest secondary leave it."""
    crowding: float
    """0 evenly spaced; above 0 closer towards base and apex."""
    jitter: float
    """Irregularity of the distances, relative to their mean."""
    shift: float
    """Offset of the right side's secondaries, in distances: 0 opposite, 0.5 alternate."""
    unevenness: float
    """Irregularity of the secondaries' angles in degrees, and of their courses in 1/25 of their distance."""
    strong_base: bool
    """Whether the lowest pair leaves at the very base, steeper than the others."""
    tertiaries: str
    """`ladder`, `net` or `none`."""
    intersecondaries: float
    """Share of gaps between secondaries with an intersecondary, which ends before half the way to the margin."""
    forks: float
    """Share of secondaries that fork on their way to the margin."""
    faint_ends: int
    """Most veins below the lowest and above the highest secondary that end before half the way to the margin."""


@dataclass(frozen=True)
class Veins:
    """Lines [K, 2] in blade coordinates (x right, y along the midrib)."""

    left: tuple[Points, ...]
    right: tuple[Points, ...]
    minor: tuple[Points, ...]
    """Tertiaries."""
    weak: tuple[Points, ...]
    """Intersecondaries, branches of secondaries and the like: stronger than tertiaries, but no secondaries."""


def run_veins(blade: Blade, habit: VeinHabit, rng: np.random.Generator) -> Veins:
    """Return the veins of a blade; the secondaries begin exactly on the midrib (x = 0)."""
    sides = {side: _secondaries(blade, habit, side, rng) for side in (-1, 1)}
    minor: list[Points] = []
    weak: list[Points] = []
    for side in (-1, 1):
        minor += _tertiaries(sides[side], habit, rng)
        weak += _weak_veins(blade, sides[side], habit, side, rng)
    return Veins(tuple(sides[-1]), tuple(sides[1]), tuple(minor), tuple(weak))


def _secondaries(blade: Blade, habit: VeinHabit, side: int, rng: np.random.Generator) -> list[Points]:
    length = blade.traits.length_mm
    count = habit.pairs[0 if side < 0 else 1]
    place = (np.arange(count) + 0.5 + rng.normal(0, habit.jitter, count)) / count
    place = np.clip(place + (habit.shift / count if side > 0 else 0.0), 0, 1)
    place = np.sort(place - habit.crowding * np.sin(2 * np.pi * place) / (2 * np.pi))
    y0 = length * (habit.first + (habit.last - habit.first) * place)
    y0 = np.maximum.accumulate(y0 + np.arange(count) * 1e-3)
    angle = habit.angle + habit.angle_gradient * (0.5 - place) + rng.normal(0, habit.unevenness, count)
    if habit.strong_base:
        y0[0] = length * rng.uniform(0.005, 0.03)
        angle[0] = min(angle[0], rng.uniform(25, 50))
    angle = np.clip(angle, 12, 89)
    width = blade.width_mm()
    s = np.linspace(0, 1, _STEPS) ** 1.2 * (0.75 * width / np.sin(np.radians(angle))[:, None] + 0.15 * length)
    turned = np.radians(np.clip(angle[:, None] - habit.turn * (s / s[:, -1:]) ** 1.3, 6, 95))
    step = np.diff(s, axis=1, prepend=0)
    x = np.cumsum(np.sin(turned) * step, axis=1)
    y = y0[:, None] + np.cumsum(np.cos(turned) * step, axis=1)
    half = blade.half_width(side, y)
    limit = habit.reach * half
    # A smooth minimum of the free course and the course along the margin.
    soft = 0.06 * width
    mean, difference = (x + limit) / 2, (x - limit) / 2
    along = np.maximum(mean - np.sqrt(difference**2 + (soft * np.minimum(x / width, 0.25)) ** 2), 0)
    arrived = np.argmax((x >= limit) | (y > 0.985 * length), axis=1)
    arrived[~((x >= limit) | (y > 0.985 * length)).any(axis=1)] = _STEPS - 1
    lines = []
    for i in range(count):
        end = max(int(arrived[i]), 3)
        if habit.loop > 0:
            goal = y[i + 1, arrived[i + 1]] if i + 1 < count else length
            stop = y[i, end] + habit.loop * max(goal - y[i, end], 0)
            beyond = np.flatnonzero((y[i] > min(stop, 0.985 * length)) & (np.arange(_STEPS) > end))
            end = int(beyond[0]) if len(beyond) else _STEPS - 1
        line = np.stack([side * along[i, : end + 1], y[i, : end + 1]], axis=1)
        line[0] = (0.0, y0[i])
        lines.append(_wavering(_resampled(line), 0.04 * habit.unevenness * length / count, rng))
    return lines


def _wavering(line: Points, amplitude: float, rng: np.random.Generator) -> Points:
    """Move the inner points of a line up and down in slow waves."""
    t = np.linspace(0, 1, len(line))
    waves = np.sin(np.pi * np.outer(t, np.arange(1, 6))) @ (rng.normal(0, 1, 5) / np.arange(1, 6))
    return np.asarray(line + np.stack([np.zeros_like(t), amplitude * waves], axis=1))


def _resampled(line: Points) -> Points:
    at = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    even = np.linspace(0, at[-1], _POINTS)
    return np.stack([np.interp(even, at, line[:, 0]), np.interp(even, at, line[:, 1])], axis=1)


def _tertiaries(secondaries: list[Points], habit: VeinHabit, rng: np.random.Generator) -> list[Points]:
    """Return the tertiaries between neighbouring secondaries."""
    minor: list[Points] = []
    if habit.tertiaries == "none":
        return minor
    density = rng.uniform(3.0, 9.0)
    for lower, upper in itertools.pairwise(secondaries):
        gap = float(np.hypot(*(upper[_POINTS // 3] - lower[_POINTS // 3])))
        reach = float(np.abs(lower[-1, 0]))
        count = int(np.clip(density * reach / max(gap, 1e-3) * 0.8, 3, 40))
        start = np.sort(rng.uniform(0.04, 0.95, count))
        slant = rng.normal(0.05, 0.05 if habit.tertiaries == "ladder" else 0.16, count)
        p = lower[(start * (_POINTS - 1)).astype(int)]
        q = upper[(np.clip(start + slant, 0, 1) * (_POINTS - 1)).astype(int)]
        bulge = rng.normal(0, 0.08 if habit.tertiaries == "ladder" else 0.3, (2, count, 2)) * gap
        thirds = [p, p + (q - p) / 3 + bulge[0], p + 2 * (q - p) / 3 + bulge[1], q]
        minor += list(np.stack(thirds, axis=1))
    return minor


def _weak_veins(
    blade: Blade, secondaries: list[Points], habit: VeinHabit, side: int, rng: np.random.Generator
) -> list[Points]:
    """Return lines of one side that are easily taken for secondaries: they end early or do not leave the midrib."""
    weak: list[Points] = []
    for lower, upper in itertools.pairwise(secondaries):
        if rng.random() < habit.intersecondaries:
            share = rng.uniform(0.3, 0.7)
            weak.append((share * lower + (1 - share) * upper)[: _early_end(rng)])
        for stem, other in ((lower, upper), (upper, lower)):
            if rng.random() < habit.forks / 2:
                start = int(rng.uniform(0.3, 0.75) * _POINTS)
                apart = np.linspace(0, rng.uniform(0.3, 0.6), _POINTS - start)[:, None]
                weak.append(stem[start:] + apart * (other[start:] - stem[start:]))
    length = blade.traits.length_mm
    for line, room in ((secondaries[0], -secondaries[0][0, 1]), (secondaries[-1], length - secondaries[-1][0, 1])):
        for _ in range(int(rng.integers(0, habit.faint_ends + 1))):
            moved = line[: _early_end(rng)] + np.array([0.0, rng.uniform(0.15, 0.95) * room])
            outside = np.abs(moved[:, 0]) > 0.95 * blade.half_width(side, moved[:, 1])
            weak.append(moved[: int(np.argmax(outside[1:])) + 1 if outside[1:].any() else None])
    return [line for line in weak if len(line) > 2]


def _early_end(rng: np.random.Generator) -> int:
    """Number of points after which a vein ends that goes less than half-way to the margin."""
    return int(rng.uniform(0.15, 0.45) * _POINTS)
