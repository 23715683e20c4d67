"""More things that are no leaf: single ones with parts, animals, meals, blossoms."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np
from input_gate_patterns import emblem, fabric, landscape, plan, wall
from input_gate_solids import any_colour, filled, lay, places, print_words, ring_of

from leafid.demo.leaf import Image32

Rng = np.random.Generator


def coins(image: Image32, rng: Rng) -> Image32:
    """Coins, buttons, washers, rings, wheels: round things with rings and holes."""
    colour = any_colour(rng, green=0.1)
    for centre, size, turn in places(image, rng, 30):
        squeeze = np.array([1.0, rng.uniform(0.6, 1.0)])
        for share in (1.0, *np.sort(rng.uniform(0.2, 0.9, int(rng.integers(1, 4))))[::-1]):
            tone = np.clip(colour * rng.uniform(0.5, 1.4), 0, 1)
            lay(
                image, filled(image.shape, ring_of(rng, centre, share * size * squeeze, 1, turn)), tone, rng, round_=0.5
            )
        for hole in range(int(rng.choice([0, 1, 2, 4]))):
            angle = turn + hole * np.pi / 2
            at = centre + 0.2 * size * np.array([np.cos(angle), np.sin(angle)])
            dark = filled(image.shape, ring_of(rng, at, np.full(2, 0.08 * size), 1, 0))
            lay(image, dark, np.full(3, 0.1), rng, round_=0, lift=0)
    return image


def vessel(image: Image32, rng: Rng) -> Image32:
    """A bottle, cup, vase, pot, lamp or spoon: a thing turned on a lathe, with gloss and perhaps a label."""
    height, width = image.shape[:2]
    colour, glass = any_colour(rng, green=0.35), rng.random() < 0.3
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        tall = rng.uniform(0.4, 0.95) * height
        low = rng.uniform(0.05, 1) * (height - tall)
        knots = rng.uniform(0.05, 0.35, int(rng.integers(3, 8))) * min(tall, width)
        half = np.interp(np.linspace(0, 1, 60), np.linspace(0, 1, len(knots)), knots)
        half = cv2.GaussianBlur(half[:, None].astype(np.float32), (1, 0), 0.1 + rng.uniform(0, 4))[:, 0]
        middle, y = rng.uniform(0.3, 0.7) * width, low + np.linspace(0, tall, 60)
        ring = np.concatenate([np.stack([middle + half, y], 1), np.stack([middle - half, y], 1)[::-1]])
        mask = filled(image.shape, ring)
        before = image.copy()
        lay(image, mask, colour, rng, round_=rng.uniform(0.3, 1))
        if glass:
            image += 0.6 * mask[..., None] * (before - image)
        if rng.random() < 0.5:
            at, size = np.array([middle - knots.min(), low + 0.5 * tall]), rng.uniform(0.02, 0.06) * height
            print_words(image, rng, at, size, np.clip(1 - colour, 0, 1))
        streak = filled(image.shape, np.stack([middle + half * rng.uniform(-0.7, 0.4), y], 1)[[5, 25, 50, 30]])
        image += (cv2.GaussianBlur(streak, (0, 0), 2) * rng.uniform(0, 0.7))[..., None]
        colour = any_colour(rng, green=0.35)
    return np.clip(image, 0, 1)


def animal(image: Image32, rng: Rng) -> Image32:
    """Beetles, spiders, butterflies, fish, worms, shells: a body with legs, wings, fins, spots."""
    colour = any_colour(rng)
    for centre, size, turn in places(image, rng, 6):
        size = 1.6 * size
        cos, sin = np.cos(turn), np.sin(turn)

        def at(point: tuple[float, float], cos: float = cos, sin: float = sin) -> np.ndarray:
            return centre + size * np.array([cos * point[0] - sin * point[1], sin * point[0] + cos * point[1]])  # noqa: B023

        long, wide = rng.uniform(0.5, 1), rng.uniform(0.1, 0.45)
        for leg in range(int(rng.choice([0, 0, 3, 4]))):
            start = long * (leg - 1.5) / 3
            for side in (-1, 1):
                bend = (start + rng.uniform(-0.2, 0.2), side * rng.uniform(0.4, 0.7))
                foot = (bend[0] + rng.uniform(-0.3, 0.3), side * rng.uniform(0.7, 1.1))
                line = np.round([at((start, 0)), at(bend), at(foot)]).astype(np.int32)
                cv2.polylines(image, [line], False, (0.5 * colour).tolist(), max(1, int(size / 30)), cv2.LINE_AA)
        if rng.random() < 0.4:
            wing = any_colour(rng)
            for side in (-1, 1):
                for share in (1.0, 0.7):
                    t = np.linspace(0, 2 * np.pi, 40)
                    reach = share * rng.uniform(0.7, 0.9) * (0.5 + 0.5 * np.cos(t))
                    along = (1.7 - share) * side * 0.9 + 0.55 * np.sin(t) * side
                    ring = np.array(
                        [
                            at((float(r * np.cos(a + 1.2)) * 1.4, float(side * r * abs(np.sin(a + 1.2 * side)) * 1.8)))
                            for r, a in zip(reach, along, strict=True)
                        ]
                    )
                    lay(image, filled(image.shape, ring), np.clip(wing * rng.uniform(0.6, 1.1), 0, 1), rng, round_=0.2)
        lay(
            image,
            filled(image.shape, ring_of(rng, centre, size * np.array([long, wide]), rng.uniform(0.8, 1.3), turn)),
            colour,
            rng,
        )
        lay(
            image,
            filled(image.shape, ring_of(rng, at((long, 0)), np.full(2, 0.6 * wide * size), 1, 0)),
            colour * 0.8,
            rng,
        )
        for _ in range(int(rng.integers(0, 9))):
            spot = at((rng.uniform(-0.7, 0.7) * long, rng.uniform(-0.5, 0.5) * wide))
            lay(
                image,
                filled(image.shape, ring_of(rng, spot, size * rng.uniform(0.02, 0.08, 2), 1, 0)),
                any_colour(rng),
                rng,
                round_=0,
                lift=0,
            )
    return image


def meal(image: Image32, rng: Rng) -> Image32:
    """A plate or bowl with things to eat."""
    centre, short = np.array(image.shape[1::-1]) / 2, min(image.shape[:2])
    size = short * rng.uniform(0.3, 0.5)
    for share in (1.0, 0.75):
        lay(
            image,
            filled(image.shape, ring_of(rng, centre, np.full(2, share * size), 1, 0)),
            np.full(3, rng.uniform(0.7, 1)),
            rng,
            round_=0.2,
        )
    for _ in range(int(rng.integers(1, 5))):
        colour, long = (
            np.array(colorsys.hsv_to_rgb(rng.uniform(0, 0.35), rng.uniform(0.2, 0.95), rng.uniform(0.3, 1))),
            rng.uniform(1, 4),
        )
        power, own = rng.uniform(0.4, 1.1), size * rng.uniform(0.03, 0.25)
        for _ in range(int(rng.integers(1, 30))):
            at = centre + size * 0.3 * rng.normal(0, 1, 2)
            ring = ring_of(rng, at, own * np.array([1, 1 / long]), power, rng.uniform(0, 6))
            lay(image, filled(image.shape, ring), np.clip(colour * rng.uniform(0.7, 1.2), 0, 1), rng)
    return image


def blossom(image: Image32, rng: Rng) -> Image32:
    """A flower that fills the picture, or a spray of buds and flowers on stalks, with no leaf."""
    height, width = image.shape[:2]
    short, petals = min(height, width), int(rng.choice([3, 4, 5, 5, 5, 6, 8, 13]))
    hue, green = rng.random(), rng.random() < 0.25
    tone = colorsys.hsv_to_rgb(rng.uniform(0.15, 0.3) if green else hue, rng.uniform(0, 0.8), rng.uniform(0.5, 1))
    stalk = np.array(colorsys.hsv_to_rgb(rng.uniform(0.08, 0.33), rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.7)))
    if rng.random() < 0.4:
        image *= rng.uniform(0.02, 0.4)
    count = 1 if rng.random() < 0.5 else int(rng.integers(2, 25))
    size = short * rng.uniform(0.25, 0.48) / count**0.5
    slim, tip, root = rng.uniform(0.2, 0.6), rng.uniform(0.5, 1.5), np.array([width * rng.random(), height])
    squeeze, closed = rng.uniform(0.4, 1), rng.uniform(0, 0.8) * (count > 1)
    for _ in range(count):
        centre = np.array([width, height]) * (0.5 + (rng.normal(0, 0.2, 2) if count > 1 else rng.normal(0, 0.04, 2)))
        line = np.array(
            [
                (1 - t) ** 2 * root + 2 * t * (1 - t) * (root + centre) / 2 + t * t * centre
                for t in np.linspace(0, 1, 12)
            ]
        )
        cv2.polylines(image, [line.astype(np.int32)], False, stalk.tolist(), max(1, int(0.08 * size)), cv2.LINE_AA)
        if rng.random() < closed:  # a bud or a fruit
            ring = ring_of(rng, centre, size * np.array([0.45, rng.uniform(0.25, 0.45)]), 1, rng.uniform(0, 6))
            lay(image, filled(image.shape, ring), np.clip(0.5 * (np.array(tone) + stalk), 0, 1), rng)
            continue
        turn = rng.uniform(0, 6)
        for petal in range(petals):
            t = np.linspace(0, 1, 24)
            half = slim * np.sin(np.pi * t**tip) ** rng.uniform(0.6, 1.1)
            ring = np.concatenate([np.stack([t, half], 1), np.stack([t, -half], 1)[::-1]]) * size
            angle = turn + 2 * np.pi * petal / petals + rng.normal(0, 0.08)
            around = ring @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
            own = np.clip(np.array(tone) * rng.uniform(0.85, 1.1), 0, 1)
            lay(image, filled(image.shape, centre + around * [1, squeeze]), own, rng, round_=rng.uniform(0.1, 0.5))
        middle = np.array(colorsys.hsv_to_rgb(rng.uniform(0.05, 0.3), rng.uniform(0.2, 1), rng.uniform(0.3, 1)))
        lay(
            image,
            filled(image.shape, ring_of(rng, centre, np.full(2, size * rng.uniform(0.08, 0.3)), 1, 0)),
            middle,
            rng,
        )
    return np.clip(image, 0, 1)


MORE_THINGS: dict[str, Callable[[Image32, Rng], Image32]] = {
    "coins": coins,
    "vessel": vessel,
    "fabric": fabric,
    "wall": wall,
    "landscape": landscape,
    "animal": animal,
    "meal": meal,
    "emblem": emblem,
    "plan": plan,
    "blossom": blossom,
}
"""Things that are trained on, by name; each is drawn on the ground that it is given."""
