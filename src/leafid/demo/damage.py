"""Damage drawn leaves by folds, tears and insect holes, and update their truth: pressed leaves are seldom intact."""

import itertools
from dataclasses import replace

import cv2
import numpy as np

from leafid.demo.leaf import DrawnLeaf, Image8, fill
from leafid.demo.outline import Points


def fold(leaf: DrawnLeaf, rng: np.random.Generator) -> DrawnLeaf:
    """Fold a part of the leaf, at the apex or on one side, over the rest, so that its other face is visible."""
    length, width = leaf.traits.length_mm, leaf.traits.width_mm
    if rng.random() < 0.6:
        point, outward = np.array([0.0, rng.uniform(0.72, 0.86) * length]), np.array([rng.normal(0, 0.45), 1.0])
    else:
        side = rng.choice([-1, 1])
        point = np.array([side * rng.uniform(0.26, 0.36) * width, leaf.traits.widest * length])
        outward = np.array([side * 1.0, rng.normal(0, 0.35)])
    ends = leaf.frame.to_px(np.stack([point, point + outward]))
    normal = (ends[1] - ends[0]) / np.hypot(*(ends[1] - ends[0]))
    offset = float(ends[0] @ normal)
    mirror = np.concatenate([np.eye(2) - 2 * np.outer(normal, normal), 2 * offset * normal[:, None]], axis=1)
    height, width_px = leaf.coverage.shape
    distance = np.add.outer(np.arange(height) * normal[1], np.arange(width_px) * normal[0]) - offset
    beyond = np.clip(distance + 0.5, 0, 1)

    def reflected(layer: Image8, how: int) -> Image8:
        return np.asarray(cv2.warpAffine(layer, mirror, (width_px, height), flags=how), dtype=np.uint8)

    flap = (reflected(leaf.coverage, cv2.INTER_LINEAR) * (1 - beyond)).astype(np.uint8)
    weight = (flap.astype(np.float32) / 255)[..., None]
    shade = 1.0 - 0.3 * cv2.GaussianBlur(flap, (0, 0), 0.6 * leaf.frame.px_per_mm).astype(np.float32)[..., None] / 255
    tone = 1.18 if leaf.face == "adaxial" else 0.85
    image = leaf.image * shade * (1 - weight) + reflected(leaf.image, cv2.INTER_LINEAR) * tone * weight
    stays = (leaf.coverage * (1 - beyond)).astype(np.uint8)
    veins = np.where(flap >= 128, reflected(leaf.veins, cv2.INTER_NEAREST), leaf.veins)
    coverage = np.maximum(stays, flap)
    veins[coverage < 128] = 0
    return replace(
        leaf,
        image=np.clip(image, 0, 255).astype(np.uint8),
        coverage=coverage,
        veins=veins.astype(np.uint8),
        folded=True,
    )


def tear(leaf: DrawnLeaf, rng: np.random.Generator) -> DrawnLeaf:
    """Remove one or two ragged pieces from the margin."""
    coverage = leaf.coverage.copy()
    for _ in range(int(rng.integers(1, 3))):
        fill(coverage, leaf.frame.to_px(_ragged_wedge(leaf, rng)), 0)
    return replace(leaf, coverage=coverage, veins=np.where(coverage < 128, 0, leaf.veins).astype(np.uint8), torn=True)


def insect_holes(leaf: DrawnLeaf, rng: np.random.Generator, count: int) -> DrawnLeaf:
    """Cut `count` small round holes into the blade; a leaf with holes still counts as complete."""
    coverage = leaf.coverage.copy()
    for _ in range(count):
        y = rng.uniform(0.15, 0.85) * leaf.traits.length_mm
        x = rng.uniform(-0.8, 0.8) * leaf.blade.half_width(1, np.array([y])).item()
        angle = np.linspace(0, 2 * np.pi, 14)[:-1]
        radius = rng.uniform(0.6, 2.6) * rng.uniform(0.8, 1.2, 13)
        hole = np.stack([x + radius * np.cos(angle), y + radius * rng.uniform(0.6, 1) * np.sin(angle)], axis=1)
        fill(coverage, leaf.frame.to_px(hole), 0)
    return replace(leaf, coverage=coverage, veins=np.where(coverage < 128, 0, leaf.veins).astype(np.uint8))


def _ragged_wedge(leaf: DrawnLeaf, rng: np.random.Generator) -> Points:
    """Return a polygon in blade coordinates from outside the margin to within the blade."""
    length, side = leaf.traits.length_mm, rng.choice([-1, 1])
    y = rng.uniform(0.2, 0.95) * length
    half = leaf.blade.half_width(int(side), np.array([y])).item()
    depth = rng.uniform(0.25, 0.75) * max(half, 6)
    opening = rng.uniform(0.08, 0.2) * length
    tip = np.array([side * (half - depth), y - 0.3 * opening])
    corners = [np.array([side * (half + 8), y + opening]), tip, np.array([side * (half + 8), y - opening])]
    edge, wander = [], np.zeros(2)
    for start, goal in itertools.pairwise(corners):
        for t in np.linspace(0, 1, 25)[:-1]:
            wander = 0.8 * wander + rng.normal(0, 0.6, 2)
            edge.append(start + t * (goal - start) + wander)
    return np.stack([*edge, corners[-1]])
