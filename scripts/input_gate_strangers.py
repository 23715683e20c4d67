"""Things that the input gate is never trained on: drawn only to measure it."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np
from input_gate_solids import any_colour, filled, lay, places, print_words, ring_of

from leafid.demo.leaf import Image32

Rng = np.random.Generator


def capsules(image: Image32, rng: Rng) -> Image32:
    """Capsules of two halves, often green."""
    first, second = any_colour(rng, green=0.5), any_colour(rng, green=0.3)
    if rng.random() < 0.5:
        second = first
    for centre, size, turn in places(image, rng, 40):
        ring = ring_of(rng, centre, size * np.array([1.1, 0.4]), 0.6, turn)
        mask = filled(image.shape, ring)
        lay(image, mask, first, rng)
        y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
        side = ((x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn)) > 0
        lay(image, np.asarray(mask * side, np.float32), second, rng, lift=0)
    return image


def screenshot(image: Image32, rng: Rng) -> Image32:
    """A page of a program: bars, buttons, lists, pictures."""
    height, width = image.shape[:2]
    dark = rng.random() < 0.4
    image[:] = rng.uniform(0.05, 0.2) if dark else rng.uniform(0.9, 1)
    ink = np.full(3, 0.85 if dark else 0.15)
    image[: height // 12] = any_colour(rng)
    y = height / 8
    while y < height:
        if rng.random() < 0.3:
            box = np.array([[0.05, 0], [0.05 + rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.25)]]) * (width, height) + [
                0,
                y,
            ]
            cv2.rectangle(image, box[0].astype(int).tolist(), box[1].astype(int).tolist(), any_colour(rng).tolist(), -1)
            y = box[1, 1] + 0.03 * height
        else:
            print_words(image, rng, np.array([0.06 * width, y]), 0.025 * height, ink, int(rng.integers(5, 40)))
            y += 0.045 * height
    return image


def face(image: Image32, rng: Rng) -> Image32:
    """A face or a doll: an oval with eyes and hair."""
    centre, short = np.array(image.shape[1::-1]) / 2, min(image.shape[:2])
    tone = np.array(colorsys.hsv_to_rgb(rng.uniform(0.03, 0.1), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.95)))
    size = short * rng.uniform(0.25, 0.42)
    lay(
        image,
        filled(image.shape, ring_of(rng, centre - [0, 0.3 * size], size * np.array([0.9, 1.0]), 1, 0)),
        any_colour(rng) * 0.5,
        rng,
    )
    lay(
        image,
        filled(image.shape, ring_of(rng, centre, size * np.array([0.72, 0.95]), 1, rng.normal(0, 0.1))),
        tone,
        rng,
        round_=0.5,
    )
    for side in (-1, 1):
        eye = centre + size * np.array([0.3 * side, -0.1])
        lay(
            image,
            filled(image.shape, ring_of(rng, eye, size * np.array([0.14, 0.07]), 1, 0)),
            np.full(3, 0.95),
            rng,
            round_=0,
            lift=0,
        )
        lay(
            image,
            filled(image.shape, ring_of(rng, eye, size * np.array([0.06, 0.06]), 1, 0)),
            any_colour(rng) * 0.4,
            rng,
            round_=0,
            lift=0,
        )
    lay(
        image,
        filled(image.shape, ring_of(rng, centre + size * np.array([0, 0.5]), size * np.array([0.25, 0.07]), 1, 0)),
        np.array([0.6, 0.25, 0.25]),
        rng,
        round_=0,
        lift=0,
    )
    return image


def code(image: Image32, rng: Rng) -> Image32:
    """A QR code or bar code on its ground."""
    short, count = min(image.shape[:2]), int(rng.integers(15, 40))
    cells = (rng.random((count, count)) < 0.5).astype(np.float32)
    if rng.random() < 0.4:
        cells[:] = cells[:1]
    side = int(short * rng.uniform(0.4, 0.9))
    shown = cv2.resize(cells, (side, side), interpolation=cv2.INTER_NEAREST)
    top, left = ((np.array(image.shape[:2]) - side) / 2).astype(int)
    image[top : top + side, left : left + side] = shown[..., None] * 0.9 + 0.05
    return image


def handwriting(image: Image32, rng: Rng) -> Image32:
    """Lines written by hand."""
    ink, size = any_colour(rng, green=0) * 0.5, rng.uniform(0.03, 0.1) * min(image.shape[:2])
    for y in np.arange(2 * size, image.shape[0] - size, 2.4 * size):
        t = np.linspace(0, rng.uniform(0.4, 0.9), 500)
        x = 0.05 * image.shape[1] + t * image.shape[1]
        high = sum(
            rng.uniform(0.2, 0.6) * np.sin(t * image.shape[1] / size * rng.uniform(1.5, 7) + rng.uniform(0, 6))
            for _ in range(4)
        )
        line = np.stack([x + 0.4 * size * np.sin(5 * high), y + 0.6 * size * high], 1)
        for word in np.array_split(line, int(rng.integers(3, 9))):
            cv2.polylines(
                image,
                [word[: int(0.85 * len(word))].astype(np.int32)],
                False,
                ink.tolist(),
                max(1, int(size / 14)),
                cv2.LINE_AA,
            )
    return image


def crumpled(image: Image32, rng: Rng) -> Image32:
    """Crumpled paper or foil: flat facets with sharp edges."""
    height, width = image.shape[:2]
    points = rng.random((int(rng.integers(30, 160)), 2)) * (width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    nearest = np.stack([np.hypot(x - px, y - py) for px, py in points]).argmin(axis=0)
    slopes = rng.normal(0, 1, (len(points), 2))
    tone = 0.75 + 0.12 * slopes[nearest, 0] + 0.15 * (slopes[nearest, 1] * (x - points[nearest, 0]) / width * 6)
    image[:] = np.clip(tone[..., None] * any_colour(rng, green=0.1) ** 0.3, 0, 1)
    return image


STRANGERS: dict[str, Callable[[Image32, Rng], Image32]] = {
    "capsules": capsules,
    "screenshot": screenshot,
    "face": face,
    "code": code,
    "handwriting": handwriting,
    "crumpled": crumpled,
}
"""Things that are drawn only to measure."""
