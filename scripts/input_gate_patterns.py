"""Things without a leaf that fill the picture: cloth, walls, landscapes, emblems, plans."""

from __future__ import annotations

import cv2
import numpy as np
from input_gate_solids import any_colour, filled, print_words

from leafid.demo.leaf import Image32, smooth_noise

Rng = np.random.Generator


def fabric(image: Image32, rng: Rng) -> Image32:
    """Cloth, wallpaper, wrapping: checks, stripes, dots or a motif again and again, perhaps in folds."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    if rng.random() < 0.6:
        far = rng.uniform(0, 0.05) * min(height, width)
        x, y = (c + far * smooth_noise(rng, (height, width), 0.25 * min(height, width)) for c in (x, y))
    step, turn = rng.uniform(0.03, 0.25) * min(height, width), rng.choice([0, np.pi / 4, rng.uniform(0, np.pi)])
    u, v = (x * np.cos(turn) + y * np.sin(turn)) / step, (y * np.cos(turn) - x * np.sin(turn)) / step
    image[:] = any_colour(rng)
    kind, second = rng.integers(4), any_colour(rng)
    if kind == 0:  # stripes of several widths, one way or both
        for way in (u, v)[: int(rng.integers(1, 3))]:
            for _ in range(int(rng.integers(1, 4))):
                share = (np.mod(way + rng.random(), 1) < rng.uniform(0.05, 0.5))[..., None] * rng.uniform(0.4, 1)
                image += share * (any_colour(rng) - image)
    else:  # a motif in every cell: dots, petals, stars, leaf-like drops
        a, b = np.mod(u, 1) - 0.5, np.mod(v + 0.5 * (np.floor(u) % 2) * (kind == 1), 1) - 0.5
        angle, away = np.arctan2(b, a), np.hypot(a, b)
        lobes = int(rng.choice([0, 3, 4, 5, 6, 8]))
        edge = rng.uniform(0.15, 0.45) * (
            1 + rng.uniform(0.1, 0.6) * np.cos(lobes * angle + rng.uniform(0, 6)) * (lobes > 0)
        )
        share = np.clip((edge - away) * step, 0, 1)[..., None]
        image += share * (second - image)
        share = np.clip((0.4 * edge - away) * step, 0, 1)[..., None]
        image += share * (any_colour(rng) - image)
    weave = 1 + rng.uniform(0, 0.08) * np.sin(u * step * rng.uniform(1, 3)) * np.sin(v * step * rng.uniform(1, 3))
    folds = 1 + rng.uniform(0, 0.2) * smooth_noise(rng, (height, width), rng.uniform(0.05, 0.3) * min(height, width))
    image *= (weave * folds)[..., None]
    return np.clip(image, 0, 1)


def wall(image: Image32, rng: Rng) -> Image32:
    """Bricks, tiles, paving, windows of a house, shelves of books: rectangles in rows."""
    height, width = image.shape[:2]
    tall, base = rng.uniform(0.05, 0.3) * height, any_colour(rng, green=0.1)
    image[:] = any_colour(rng, green=0.05)
    gap, spread, long = rng.uniform(0.02, 0.2) * tall, rng.uniform(0, 0.4), rng.uniform(0.3, 3) * tall
    shift, varied = rng.choice([0, 0.5]), rng.random() < 0.3
    for row, top in enumerate(np.arange(-rng.random() * tall, height, tall)):
        left = -((row * shift) % 1) * long - rng.random() * 0.1 * long
        while left < width:
            own = long * (rng.uniform(0.5, 1.6) if varied else 1)
            tone = np.clip(base * np.exp(spread * rng.normal(0, 1)) + 0.3 * spread * rng.normal(0, 1, 3), 0, 1)
            a, b = (int(left + gap), int(top + gap)), (int(left + own - gap), int(top + tall - gap))
            cv2.rectangle(image, a, b, tone.tolist(), -1)
            left += own
    grain = smooth_noise(rng, (height, width), rng.uniform(1, 6))
    image *= (1 + rng.uniform(0, 0.1) * grain)[..., None]
    if rng.random() < 0.5:  # seen from the side
        corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
        moved = corners + rng.uniform(-0.25, 0.25, (4, 2)).astype(np.float32) * (width, height) * np.array([1, 0.5])
        matrix = cv2.getPerspectiveTransform(corners, moved.astype(np.float32))
        image[:] = cv2.warpPerspective(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT)
    return np.clip(image, 0, 1)


def landscape(image: Image32, rng: Rng) -> Image32:
    """Sky, hills, fields, water, roofs: bands that lie behind each other, hazy far away."""
    height, width = image.shape[:2]
    y = np.linspace(0, 1, height, dtype=np.float32)[:, None, None]
    top, low = any_colour(rng, green=0), np.array([rng.uniform(0.6, 1)] * 3)
    image[:] = top * (1 - y) + low * y
    image += (0.1 * np.maximum(smooth_noise(rng, (height, width), 0.2 * min(height, width)), 0))[..., None]
    x = np.arange(width)
    for level in np.sort(rng.uniform(0.3, 0.95, int(rng.integers(1, 6)))):
        line = (
            level * height
            + np.cumsum(rng.normal(0, rng.uniform(0.1, 1.5), width))
            + 0.05 * height * np.sin(x / width * rng.uniform(1, 15) + rng.uniform(0, 6))
        )
        if rng.random() < 0.3:  # roofs and walls
            steps = np.repeat(rng.uniform(-0.15, 0.05, width // 8 + 1) * height, rng.integers(8, 60))[:width]
            line = level * height + np.resize(steps, width)
        ring = np.concatenate([np.stack([x, line], 1), [[width, height], [0, height]]])
        tone = any_colour(rng, green=0.6) * rng.uniform(0.3, 1)
        rough = 1 + rng.uniform(0, 0.35) * smooth_noise(rng, (height, width), rng.uniform(1, 12))
        mask = filled(image.shape, ring)[..., None]
        image += mask * (np.clip(tone * rough[..., None], 0, 1) - image)
    return np.clip(image, 0, 1)


def emblem(image: Image32, rng: Rng) -> Image32:
    """Logos, icons, flags, signs, cartoons: flat shapes with sharp edges, stars, arrows, letters."""
    height, width = image.shape[:2]
    if rng.random() < 0.7:
        image[:] = any_colour(rng) ** rng.uniform(0.1, 1)
    centre, short = np.array([width, height]) / 2, min(height, width)
    for number in range(int(rng.integers(1, 7))):
        points, size = int(rng.integers(3, 12)), short * rng.uniform(0.1, 0.5) / (1 + 0.3 * number)
        angle = np.linspace(0, 2 * np.pi, 2 * points, endpoint=False) + rng.uniform(0, 6)
        away = np.where(np.arange(2 * points) % 2, rng.uniform(0.3, 1.1), 1.0) * size
        ring = (
            centre
            + rng.normal(0, 0.12, 2) * short * (number > 0)
            + np.stack([away * np.cos(angle), away * np.sin(angle)], 1)
        )
        if rng.random() < 0.4:
            t = np.linspace(0, 1, 20)[:, None]
            ring = np.concatenate([(1 - t) * a + t * b for a, b in zip(ring, np.roll(ring, -1, 0), strict=True)])
            ring = cv2.GaussianBlur(ring.astype(np.float32), (1, 0), rng.uniform(1, 12), borderType=cv2.BORDER_REFLECT)
        colour = any_colour(rng, green=0.3)
        if rng.random() < 0.3:
            cv2.polylines(
                image, [ring.astype(np.int32)], True, (0.3 * colour).tolist(), max(1, short // 80), cv2.LINE_AA
            )
        mask = filled(image.shape, ring)[..., None]
        image += mask * (colour - image)
    if rng.random() < 0.4:
        print_words(image, rng, centre + short * np.array([-0.4, 0.35]), 0.15 * short, any_colour(rng))
    return np.clip(image, 0, 1)


def plan(image: Image32, rng: Rng) -> Image32:
    """Maps, circuits, crosswords, forms, sheets of music: many thin lines, some areas, small print."""
    height, width = image.shape[:2]
    short = min(height, width)
    image[:] = any_colour(rng) ** rng.uniform(0.05, 1)
    ink, kind = any_colour(rng) * 0.6, rng.integers(3)
    for _ in range(int(rng.integers(5, 60))):
        start, thick = rng.random(2) * (width, height), max(1, int(rng.uniform(0.002, 0.015) * short))
        if kind == 0:  # roads and rivers
            line = start + np.cumsum(np.cumsum(rng.normal(0, 0.4, (80, 2)), axis=0) / 6 + rng.normal(0, 2, 2), axis=0)
        elif kind == 1:  # at right angles
            steps = rng.normal(0, 0.1 * short, (int(rng.integers(2, 8)), 2)) * (np.arange(2) == rng.integers(2))
            line = start + np.cumsum(steps + 0, axis=0)
            cv2.circle(image, line[-1].astype(int).tolist(), 2 * thick, ink.tolist(), -1, cv2.LINE_AA)
        else:
            y = int(start[1])
            line = np.array([[0.05 * width, y], [0.95 * width, y]])
        cv2.polylines(
            image, [line.astype(np.int32)], False, (ink * rng.uniform(0.6, 1.4)).clip(0, 1).tolist(), thick, cv2.LINE_AA
        )
        if rng.random() < 0.3:
            print_words(image, rng, start, rng.uniform(0.015, 0.04) * short, ink, int(rng.integers(2, 10)))
    return np.clip(image, 0, 1)
