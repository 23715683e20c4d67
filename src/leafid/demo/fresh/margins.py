"""Margins that are not entire: teeth, pinnate lobes, and leaves with several main veins."""

import numpy as np

from leafid.demo.outline import Blade, Points

Lines = tuple[Points, ...]


def lobed(blade: Blade, side: int, secondaries: Lines, depth: float) -> Points:
    """Return half-widths and heights [N, 2] of one side cut into lobes in which the secondaries end."""
    length = blade.traits.length_mm
    y = np.linspace(blade.y[0], blade.y[-1], 400)
    ends = np.maximum.accumulate([line[-1, 1] + 1e-3 * i for i, line in enumerate(secondaries)])
    phase = np.interp(y, ends, np.arange(len(ends)), right=len(ends) - 0.5)
    below = np.clip(y / max(float(ends[0]), 1.0), 0, 1)
    phase = np.where(y < ends[0], -0.45 * (1 - below), phase)
    notch = (0.5 - 0.5 * np.cos(2 * np.pi * phase)) ** 1.5
    fade = np.clip((length - y) / (0.2 * length), 0, 1) * np.clip(y / (0.1 * length), 0, 1)
    return np.stack([blade.half_width(side, y) * (1 - depth * notch * fade), y], axis=1)


def inside(blade: Blade, side: int, lines: Lines) -> Lines:
    """Cut lines of one side off where they first leave the blade."""
    kept = []
    for line in lines:
        out = np.flatnonzero(np.abs(line[:, 0]) > 0.98 * blade.half_width(side, line[:, 1]))
        out = out[out > 2]
        kept.append(line[: out[0]] if len(out) else line)
    return tuple(kept)


def of_side(lines: Lines, side: int) -> Lines:
    """Return the lines on the left (-1) or right (1) of the midrib."""
    return tuple(line for line in lines if side * line[:, 0].sum() > 0)


def toothed(outline: Points, number: int, height: float, form: str, rng: np.random.Generator) -> Points:
    """Set `number` teeth a side on an outline, pointing to the apex: `serrate`, `crenate` or `ragged`."""
    closed = np.concatenate([outline, outline[:1]])
    at = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    even = np.linspace(0, at[-1], 24 * number + 1)[:-1]
    line = np.stack([np.interp(even, at, closed[:, i]) for i in (0, 1)], axis=1)
    length = float(line[:, 1].max())
    share = even / at[-1]
    middle = share[int(line[:, 1].argmax())]
    # Along the right side towards the apex and down the left side the phase runs upwards on both.
    phase = np.where(share <= middle, share / middle, (1 - share) / (1 - middle)) * number
    phase = phase + 0.25 * np.sin(phase * rng.uniform(0.2, 0.5) + rng.uniform(0, 6))
    if form == "serrate":
        teeth = (phase % 1) ** 1.5
    elif form == "crenate":
        teeth = np.abs(np.sin(np.pi * phase))
    else:
        teeth = np.interp(np.arange(len(line)), np.arange(0, len(line), 5), rng.random(-(-len(line) // 5)))
    tangent = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)
    outward = np.stack([tangent[:, 1], -tangent[:, 0]], axis=1)
    outward /= np.maximum(np.hypot(*outward.T), 1e-9)[:, None]
    fade = np.clip(line[:, 1] / (0.08 * length), 0, 1) * np.clip((length - line[:, 1]) / (0.03 * length), 0, 1)
    return np.asarray(line + (height * teeth * fade)[:, None] * outward)


def palmate(lobes: int, depth: float, length: float, rng: np.random.Generator) -> tuple[Points, Lines, Lines, Lines]:
    """Return outline, left and right secondaries and lesser veins of a leaf with 3, 5 or 7 main veins from its base.

    The lateral main veins count as the lowest secondaries, as they leave the midrib at its base.
    """
    half = lobes // 2
    opening = np.sort(np.radians(rng.uniform(26, 58) * np.arange(1, half + 1) * rng.uniform(0.92, 1.05, half)))
    opening = np.clip(opening, 0, np.radians(150))
    reach = length * np.clip(1 - rng.uniform(0.15, 0.45) * opening / 2, 0.3, 1)
    tips, lengths = np.concatenate([[0], opening]), np.concatenate([[length], reach])
    end = min(opening[-1] + rng.uniform(0.5, 1.2), np.radians(176))
    phi = np.linspace(0, end, 240)
    place = np.interp(phi, np.concatenate([tips, [end]]), np.arange(half + 2))
    valley = np.sin(np.pi * (place % 1)) ** rng.uniform(0.6, 1.6)
    radius = np.interp(phi, np.concatenate([tips, [end]]), np.concatenate([lengths, [0.25 * lengths[-1]]]))
    radius = radius * (1 - depth * np.where(place <= half, valley, 0))
    side = np.stack([radius * np.sin(phi), radius * np.cos(phi)], axis=1)
    outline = np.concatenate([[[0.0, 0.0]], side[::-1], side[1:] * [-1, 1]])

    def within(line: Points) -> Points:
        limit = np.interp(np.arctan2(np.abs(line[:, 0]), line[:, 1]), phi, radius, right=0)
        out = np.flatnonzero(np.hypot(*line.T) > 0.97 * limit)
        out = out[out > 3]
        return line[: out[0]] if len(out) else line

    def branches(angle: float, reach: float, sign: int) -> list[Points]:
        """Veins that leave a main vein on one of its sides."""
        t = np.linspace(0, 1, 24)[:, None]
        lines = []
        for start in np.arange(0.25, 0.85, rng.uniform(0.1, 0.22)):
            origin = start * reach * np.array([np.sin(angle), np.cos(angle)])
            away = angle + sign * np.radians(rng.uniform(38, 52))
            heading = np.array([np.sin(away), np.cos(away)])
            lines.append(within(origin + t * heading * length * 0.5 * (1 - 0.5 * start)))
        return lines

    t = np.linspace(0, 1, 24)[:, None]
    secondaries: dict[int, list[Points]] = {}
    minor: list[Points] = []
    for sign in (-1, 1):
        secondaries[sign] = []
        for angle, far in zip(opening[::-1], reach[::-1], strict=True):
            secondaries[sign].append(t * 0.95 * far * np.array([sign * np.sin(angle), np.cos(angle)]))
            minor += branches(sign * angle, far, 1) + branches(sign * angle, far, -1)
        secondaries[sign] += branches(0.0, length, sign)
    return outline, tuple(secondaries[-1]), tuple(secondaries[1]), tuple(line for line in minor if len(line) > 4)
