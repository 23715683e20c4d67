"""Arrange twig and leaves on the sheet: opposite leaves at nodes, spread apart, on the paper, beside the label."""

import math
from dataclasses import dataclass, replace

import numpy as np

from leafid.demo.outline import Points, leaf_frame
from leafid.demo.traits import LeafTraits

Rect = tuple[float, float, float, float]
"""Left, top, width, height in mm."""


@dataclass(frozen=True)
class PlacedLeaf:
    """Position of a leaf on the sheet, in mm and degrees (0 up, 90 to the right)."""

    traits: LeafTraits
    petiole: Points
    """[N, 2] from the node on the twig to the base of the blade."""
    direction_deg: float


@dataclass(frozen=True)
class Arrangement:
    """A twig [N, 2] in mm from its cut end to its tip, and its leaves."""

    twig: Points
    leaves: tuple[PlacedLeaf, ...]


def arrange(leaves: list[LeafTraits], free: Rect, occupied: list[Rect], rng: np.random.Generator) -> Arrangement:
    """Arrange a twig with opposite leaves so that blades lie on the paper and mostly beside labels and other leaves.

    Args:
        leaves: leaves from the lowest node upwards, two per node; an odd last one is alone.
        free: the paper.
        occupied: labels and other objects that should not be covered.
        rng: random generator.
    """
    best: tuple[float, Arrangement] | None = None
    for _ in range(6):
        twig, nodes, heading = _twig(len(leaves), max(leaf.length_mm for leaf in leaves), free, rng)
        taken: list[Points] = []
        placed, total = [], 0.0
        for i, traits in enumerate(leaves):
            cost, leaf, circles = _best_place(
                traits, nodes[i // 2], heading, 1 if i % 2 else -1, free, occupied, taken, rng
            )
            placed.append(leaf)
            taken.append(circles)
            total += cost
        shift = _into(np.concatenate([*taken, np.pad(twig, ((0, 0), (0, 1)))]), free)
        total += 6 * sum(_outside(circles + np.append(shift, 0.0), free) for circles in taken)
        if best is None or total < best[0]:
            moved = tuple(replace(leaf, petiole=leaf.petiole + shift) for leaf in placed)
            best = total, Arrangement(twig + shift, moved)
        if total < 4:
            break
    assert best is not None
    return best[1]


def _twig(count: int, longest: float, free: Rect, rng: np.random.Generator) -> tuple[Points, Points, float]:
    """Return the twig, the positions of its nodes from below upwards, and its heading in degrees."""
    left, top, width, height = free
    node_count = math.ceil(count / 2)
    heading = float(rng.normal(0, 10))
    internode = min(rng.uniform(30, 55) + 0.12 * longest, 0.42 * height / node_count)
    foot = rng.uniform(35, 80)
    reach = foot + internode * (node_count - 1)
    slack = height - reach - 0.62 * longest - 20
    start = np.array(
        [left + width * rng.uniform(0.42, 0.58), top + height - 10 - rng.uniform(0.1, 0.7) * max(slack, 0)]
    )
    along = np.linspace(0, reach + 12, 30)
    turn = np.radians(heading) + np.radians(rng.normal(0, 12)) * along / along[-1]
    steps = np.diff(along, prepend=0)[:, None] * np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    twig = start + np.cumsum(steps, axis=0)
    at = [int(np.searchsorted(along, foot + internode * i)) for i in range(node_count)]
    return twig, twig[at], heading


def _best_place(
    traits: LeafTraits,
    node: Points,
    heading: float,
    side: int,
    free: Rect,
    occupied: list[Rect],
    taken: list[Points],
    rng: np.random.Generator,
) -> tuple[float, PlacedLeaf, Points]:
    """Try random directions on the leaf's side of the twig and take the one that overlaps least."""
    best: tuple[float, PlacedLeaf, Points] | None = None
    for _ in range(40):
        direction = heading + side * float(np.clip(rng.normal(60, 32), 8, 150))
        petiole = _petiole(traits.petiole_mm, node, direction, direction + float(rng.normal(0, 18)))
        turned = direction + float(rng.normal(0, 15))
        circles = _circles(traits, petiole[-1], turned)
        cost = _outside(circles, free) * 6 + sum(_inside(circles, rect) for rect in occupied) * 1.5
        cost += sum(_overlap(circles, other) for other in taken) * 2
        if best is None or cost < best[0]:
            best = cost, PlacedLeaf(traits, petiole, turned), circles
        if cost < 4:
            break
    assert best is not None
    return best


def _petiole(length: float, node: Points, start_deg: float, end_deg: float) -> Points:
    turn = np.radians(np.linspace(start_deg, end_deg, 12))
    steps = length / 11 * np.stack([np.sin(turn), -np.cos(turn)], axis=1)
    steps[0] = 0
    return np.asarray(node + np.cumsum(steps, axis=0))


def _circles(traits: LeafTraits, base: Points, direction: float) -> Points:
    """Approximate the blade by circles [N, 3] (x, y, radius in mm) along the midrib; the ends are points."""
    t = np.array([-0.03, 0.12, 0.3, 0.5, 0.7, 0.88, 1.0])
    radius = np.array([0.1, 0.6, 0.95, 1.0, 0.85, 0.4, 0.02]) * traits.width_mm / 2
    frame = leaf_frame(traits, 1.0, (float(base[0]), float(base[1])), direction)
    centres = frame.to_px(np.stack([np.zeros_like(t), t * traits.length_mm], axis=1))
    return np.concatenate([centres, radius[:, None]], axis=1)


def _into(circles: Points, rect: Rect) -> Points:
    """Return the shift (x, y) that moves the circles onto the paper, or centres them if they are too large."""
    corner, size = np.array(rect[:2]), np.array(rect[2:])
    low = (circles[:, :2] - circles[:, 2:]).min(axis=0)
    high = (circles[:, :2] + circles[:, 2:]).max(axis=0)
    before = np.clip(corner - low, 0, None)
    after = np.clip(high - corner - size, 0, None)
    return np.asarray(np.where((before > 0) & (after > 0), (before - after) / 2, before - after))


def _outside(circles: Points, rect: Rect) -> float:
    left, top, width, height = rect
    x, y, r = circles.T
    over = np.stack([left - (x - r), x + r - left - width, top - (y - r), y + r - top - height])
    return float(np.clip(over, 0, None).sum())


def _inside(circles: Points, rect: Rect) -> float:
    left, top, width, height = rect
    x, y, r = circles.T
    depth = np.minimum(np.minimum(x + r - left, left + width - x + r), np.minimum(y + r - top, top + height - y + r))
    return float(np.clip(depth, 0, None).sum())


def _overlap(circles: Points, other: Points) -> float:
    distance = np.hypot(circles[:, None, 0] - other[None, :, 0], circles[:, None, 1] - other[None, :, 1])
    return float(np.clip(circles[:, None, 2] + other[None, :, 2] - distance, 0, None).max(axis=1).sum())
