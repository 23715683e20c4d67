"""Things that are no leaf, drawn on a ground: what people send by mistake or to try the program."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np
from input_gate_solids import any_colour, filled, lay, places, print_words, ring_of

from leafid.demo.leaf import Image32, smooth_noise

Rng = np.random.Generator


def tablets(image: Image32, rng: Rng) -> Image32:
    """Round and oval tablets."""
    colour, long, power = any_colour(rng), rng.uniform(1, 2.2), rng.uniform(0.7, 1)
    for centre, size, turn in places(image, rng, 60):
        lay(
            image,
            filled(image.shape, ring_of(rng, centre, np.array([size * long, size]) / 2, power, turn)),
            colour,
            rng,
            round_=0.6,
        )
        if rng.random() < 0.5:
            reach = size / 2 * np.array([-np.sin(turn), np.cos(turn)])
            ends = [tuple(np.round(end).astype(int).tolist()) for end in (centre - reach, centre + reach)]
            cv2.line(image, ends[0], ends[1], (colour * 0.7).tolist(), max(1, int(size / 25)), cv2.LINE_AA)
    return image


def seeds(image: Image32, rng: Rng) -> Image32:
    """Seeds, beans, nuts, stones, coffee."""
    base, long = (
        np.array(colorsys.hsv_to_rgb(rng.uniform(0.02, 0.16), rng.uniform(0.1, 0.8), rng.uniform(0.2, 0.9))),
        rng.uniform(1, 2.6),
    )
    for centre, size, turn in places(image, rng, 60):
        ring = ring_of(rng, centre, np.array([size * long, size]) / 2, rng.uniform(0.9, 1.15), turn)
        ring += rng.normal(0, 0.02 * size, ring.shape)
        lay(image, filled(image.shape, ring), np.clip(base * rng.uniform(0.8, 1.2), 0, 1), rng)
    return image


def fruits(image: Image32, rng: Rng) -> Image32:
    """Round fruits and vegetables, some of them green."""
    colour = any_colour(rng, green=0.4)
    for centre, size, turn in places(image, rng, 12):
        size *= 1.6
        long = rng.uniform(0.9, 1.5)
        lay(
            image,
            filled(image.shape, ring_of(rng, centre, np.array([size * long, size]) / 2, 1.0, turn)),
            np.clip(colour * rng.uniform(0.85, 1.1), 0, 1),
            rng,
        )
    return image


def blocks(image: Image32, rng: Rng) -> Image32:
    """Boxes, books, bottles, cans, plates: flat shapes of one colour, often green."""
    for centre, size, turn in places(image, rng, 8):
        turn = turn if rng.random() < 0.5 else float(rng.normal(0, 0.05))
        half = size * np.array([rng.uniform(0.8, 2.2), rng.uniform(0.8, 1.2)])
        colour = any_colour(rng, green=0.4)
        lay(
            image,
            filled(image.shape, ring_of(rng, centre, half, float(rng.choice([0.05, 0.3, 1.0])), turn)),
            colour,
            rng,
            round_=float(rng.choice([0, 0.4])),
        )
        for _ in range(int(rng.integers(0, 3))):
            print_words(image, rng, centre - half * rng.uniform(0.2, 0.8), size * rng.uniform(0.1, 0.3), 1 - colour)
    return image


def tools(image: Image32, rng: Rng) -> Image32:
    """Pens, cables, cutlery, sticks, rulers: long things."""
    for centre, size, turn in places(image, rng, 10):
        half = size * np.array([rng.uniform(1.5, 5), rng.uniform(0.05, 0.25)])
        lay(image, filled(image.shape, ring_of(rng, centre, half, 0.3, turn)), any_colour(rng), rng)
    return image


def text(image: Image32, rng: Rng) -> Image32:
    """A printed page."""
    ground, ink = rng.uniform(0.75, 1), rng.uniform(0, 0.35)
    if rng.random() < 0.6:
        image[:] = ground
    size = rng.uniform(0.015, 0.09) * min(image.shape[:2])
    for y in np.arange(1.5 * size, image.shape[0], size * rng.uniform(1.5, 2.2)):
        if rng.random() < 0.9:
            print_words(
                image, rng, np.array([0.05 * image.shape[1], y]), size, np.full(3, ink), int(rng.integers(10, 90))
            )
    return image


def chart(image: Image32, rng: Rng) -> Image32:
    """Plots, tables and plans: straight lines, bars and curves on an even ground."""
    height, width = image.shape[:2]
    image[:] = rng.choice([1.0, rng.uniform(0, 1)])
    for _ in range(int(rng.integers(2, 30))):
        ends = (rng.uniform(0, 1, (2, 2)) * (width, height)).astype(int)
        colour, kind = any_colour(rng).tolist(), rng.integers(4)
        if kind == 0:
            ends[1, int(rng.integers(2))] = ends[0, int(rng.integers(2))]
            cv2.line(image, ends[0].tolist(), ends[1].tolist(), colour, int(rng.integers(1, 4)), cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(image, ends[0].tolist(), ends[1].tolist(), colour, int(rng.choice([-1, 1, 2])))
        elif kind == 2:
            x = np.linspace(0, width, 100)
            y = height * (0.5 + np.cumsum(rng.normal(0, 0.02, 100)))
            cv2.polylines(
                image, [np.stack([x, y], 1).astype(np.int32)], False, colour, int(rng.integers(1, 4)), cv2.LINE_AA
            )
        else:
            cv2.circle(
                image,
                ends[0].tolist(),
                int(rng.uniform(0.02, 0.3) * min(height, width)),
                colour,
                int(rng.choice([-1, 1, 2])),
                cv2.LINE_AA,
            )
    return image


def noise(image: Image32, rng: Rng) -> Image32:
    """Noise of any spectrum, grey or coloured."""
    shape = (image.shape[0], image.shape[1])
    own = np.zeros_like(image)
    for _ in range(int(rng.integers(1, 5))):
        grain = float(np.exp(rng.uniform(0, np.log(0.3 * min(shape)))))
        own += (
            np.stack([smooth_noise(rng, shape, grain) for _ in range(3)], axis=2)
            if rng.random() < 0.5
            else smooth_noise(rng, shape, grain)[..., None]
        )
    image[:] = np.clip(rng.uniform(0.3, 0.7) + rng.uniform(0.05, 0.35) * own * rng.uniform(0.3, 1, 3), 0, 1)
    return image


def gradient(image: Image32, rng: Rng) -> Image32:
    """Even colours that run into each other: nothing in focus, a covered lens, a wall."""
    corners = rng.uniform(0, 1, (int(rng.integers(1, 4)), int(rng.integers(1, 4)), 3)) * rng.uniform(0.3, 1)
    grown = cv2.resize(corners.astype(np.float32), image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    image[:] = np.clip(grown + rng.uniform(0, 0.03) * rng.standard_normal(image.shape), 0, 1)
    return image


def doodle(image: Image32, rng: Rng) -> Image32:
    """Pen strokes on paper: loops, coils, zigzags, thin or thick."""
    ink, short = any_colour(rng, green=0.15) * rng.uniform(0, 0.7), min(image.shape[:2])
    for _ in range(int(rng.integers(1, 7))):
        t = np.linspace(0, 1, 300)
        turns, kind = rng.uniform(1, 9), rng.integers(4)
        centre, size = rng.uniform(0.3, 0.7, 2) * image.shape[1::-1], rng.uniform(0.12, 0.5) * short
        angle = 2 * np.pi * turns * t
        if kind == 0:
            line = (t[:, None] ** rng.uniform(0.5, 1.2)) * np.stack([np.cos(angle), np.sin(angle)], 1)
        elif kind == 1:
            line = np.stack([2 * t - 1 + 0.2 * np.cos(angle), 0.3 * np.sin(angle)], 1)
        elif kind == 2:
            line = np.stack([np.cos(angle * rng.integers(1, 4)), np.sin(angle)], 1)
        else:
            line = np.cumsum(rng.normal(0, 0.08, (300, 2)), axis=0)
        points = (centre + size * line).astype(np.int32)
        cv2.polylines(image, [points], False, ink.tolist(), max(1, int(rng.uniform(0.002, 0.015) * short)), cv2.LINE_AA)
    return image


def crumbs(image: Image32, rng: Rng) -> Image32:
    """Cut and crushed dry plant matter, tobacco, tea: small angular pieces all over, or in a heap."""
    heap = rng.random() < 0.6
    hue = rng.uniform(0.05, 0.3)
    for _ in range(int(rng.integers(400, 1500))):
        centre = np.array(image.shape[1::-1]) * (rng.normal(0.5, 0.14, 2) if heap else rng.random(2))
        size = min(image.shape[:2]) * rng.uniform(0.006, 0.03)
        ring = centre + rng.normal(0, size, (int(rng.integers(3, 6)), 2))
        colour = colorsys.hsv_to_rgb(hue + rng.normal(0, 0.02), rng.uniform(0.2, 0.7), rng.uniform(0.15, 0.7))
        cv2.fillPoly(image, [cv2.convexHull(ring.astype(np.int32))], colour, cv2.LINE_AA)
    return image


def bag(image: Image32, rng: Rng) -> Image32:
    """A bag or jar of powder with a label."""
    centre, short = np.array(image.shape[1::-1]) / 2, min(image.shape[:2])
    half = short * rng.uniform(0.25, 0.45, 2)
    mask = filled(image.shape, ring_of(rng, centre, half, rng.uniform(0.15, 0.5), rng.normal(0, 0.2)))
    grain = smooth_noise(rng, mask.shape, max(rng.uniform(0.004, 0.015) * short, 1))
    folds = np.exp(-((smooth_noise(rng, mask.shape, 0.15 * short) / rng.uniform(0.05, 0.2)) ** 2))
    lay(image, mask, any_colour(rng, green=0.6), rng, round_=0.4)
    image *= (1 + mask * (rng.uniform(0.03, 0.2) * grain))[..., None]
    image += (mask * folds * rng.uniform(0, 0.35))[..., None]
    if rng.random() < 0.7:
        own = half * rng.uniform(0.3, 0.7)
        lay(
            image,
            filled(image.shape, ring_of(rng, centre, own, 0.05, 0)),
            np.full(3, rng.uniform(0.7, 1)),
            rng,
            round_=0,
            lift=0,
        )
        for line in range(int(rng.integers(1, 5))):
            print_words(
                image,
                rng,
                centre - own * 0.8 + [0, own[1] * 0.4 * line + 0.2 * own[1]],
                0.25 * own[1],
                any_colour(rng) * 0.5,
            )
    return np.clip(image, 0, 1)


def skin(image: Image32, rng: Rng) -> Image32:
    """Fur, wool, hair, carpet: threads in one direction, with waves."""
    shape = (image.shape[0], image.shape[1])
    grain = rng.uniform(1, 5)
    tone = smooth_noise(rng, (max(int(shape[0] / rng.uniform(8, 30)), 4), shape[1]), grain)
    tone = np.asarray(cv2.resize(tone, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
    shift = smooth_noise(rng, shape, 0.3 * min(shape)) * rng.uniform(2, 30)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    waved = cv2.remap(tone, x + shift, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    image[:] = np.clip(any_colour(rng) * (0.8 + rng.uniform(0.05, 0.3) * waved)[..., None], 0, 1)
    return image


THINGS: dict[str, Callable[[Image32, Rng], Image32]] = {
    "tablets": tablets,
    "seeds": seeds,
    "fruits": fruits,
    "blocks": blocks,
    "tools": tools,
    "text": text,
    "chart": chart,
    "noise": noise,
    "gradient": gradient,
    "doodle": doodle,
    "crumbs": crumbs,
    "bag": bag,
    "fur": skin,
}
"""Things that are trained on, by name; each is drawn on the ground that it is given."""
