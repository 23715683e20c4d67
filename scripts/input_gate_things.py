"""Things that are no leaf, drawn on a ground: what people send by mistake or to try the program."""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.demo.leaf import Image32, smooth_noise

Rng = np.random.Generator
Map = NDArray[np.float32]

_LETTERS = list("aeionrstlmcdgpu AEST.,-0123456789")
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_DUPLEX)


def _colour(rng: Rng, *, green: float = 0.25) -> NDArray[np.float32]:
    hue = rng.uniform(0.18, 0.42) if rng.random() < green else rng.random()
    return np.array(colorsys.hsv_to_rgb(float(hue), float(rng.uniform(0, 0.95)), float(rng.uniform(0.15, 1))), np.float32)


def _polygon(shape: tuple[int, ...], points: NDArray[np.floating]) -> Map:
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(mask / 255, np.float32)


def _ring(rng: Rng, centre: NDArray[np.floating], half: NDArray[np.floating], power: float, turn: float) -> NDArray[np.floating]:
    """Points of a superellipse: power 1 an ellipse, below it towards a rectangle."""
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    ring = np.stack([np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power, np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power])
    cos, sin = np.cos(turn), np.sin(turn)
    return np.asarray((np.array([[cos, -sin], [sin, cos]]) @ (ring * half[:, None])).T + centre)


def _lay(image: Image32, mask: Map, colour: NDArray[np.floating], rng: Rng, *, round_: float = 1.0, lift: float = 1.0) -> None:
    """Lay a thing with shadow and shading; `round_` 0 is flat."""
    distance = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    height = np.sqrt(1 - (1 - np.clip(distance / max(float(distance.max()), 1e-6), 0, 1)) ** 2)
    size = max(float(distance.max()), 1.0)
    shadow = np.roll(cv2.GaussianBlur(mask, (0, 0), max(0.3 * size * lift, 0.5)), (int(0.3 * size), int(0.2 * size)), (0, 1))
    image *= (1 - 0.45 * lift * shadow * (1 - mask))[..., None]
    slope = cv2.GaussianBlur(height.astype(np.float32), (0, 0), max(0.08 * size, 0.6))
    light = 0.75 + 0.3 * height + round_ * size * 0.35 * (cv2.Sobel(slope, cv2.CV_32F, 1, 0) + cv2.Sobel(slope, cv2.CV_32F, 0, 1)) / 8
    light = light if round_ > 0 else np.ones_like(light)
    gloss = np.clip(height - 0.97, 0, 1) * 8 * rng.uniform(0, 1) * (round_ > 0)
    tone = np.clip(light[..., None] * colour + gloss[..., None], 0, 1)
    image += mask[..., None] * (tone.astype(np.float32) - image)


def _places(image: Image32, rng: Rng, most: int) -> list[tuple[NDArray[np.floating], float, float]]:
    """Centre, size and turn of each of some things, small when there are many."""
    count = int(np.exp(rng.uniform(0, np.log(most))))
    short = min(image.shape[:2])
    size = short * float(rng.uniform(0.08, 0.42)) / max(1.0, count**0.42)
    middle = np.array(image.shape[1::-1]) / 2
    spread = rng.uniform(0.12, 0.35)
    return [
        (middle + rng.normal(0, spread, 2) * image.shape[1::-1] * (count > 1), size * float(rng.uniform(0.9, 1.1)), float(rng.uniform(0, 7)))
        for _ in range(count)
    ]


def tablets(image: Image32, rng: Rng) -> Image32:
    """Round and oval tablets."""
    colour, long, power = _colour(rng), rng.uniform(1, 2.2), rng.uniform(0.7, 1)
    for centre, size, turn in _places(image, rng, 60):
        _lay(image, _polygon(image.shape, _ring(rng, centre, np.array([size * long, size]) / 2, power, turn)), colour, rng, round_=0.6)
        if rng.random() < 0.5:
            reach = size / 2 * np.array([-np.sin(turn), np.cos(turn)])
            ends = [tuple(np.round(end).astype(int).tolist()) for end in (centre - reach, centre + reach)]
            cv2.line(image, ends[0], ends[1], (colour * 0.7).tolist(), max(1, int(size / 25)), cv2.LINE_AA)
    return image


def seeds(image: Image32, rng: Rng) -> Image32:
    """Seeds, beans, nuts, stones, coffee."""
    base, long = np.array(colorsys.hsv_to_rgb(rng.uniform(0.02, 0.16), rng.uniform(0.1, 0.8), rng.uniform(0.2, 0.9))), rng.uniform(1, 2.6)
    for centre, size, turn in _places(image, rng, 250):
        ring = _ring(rng, centre, np.array([size * long, size]) / 2, rng.uniform(0.9, 1.15), turn)
        ring += rng.normal(0, 0.02 * size, ring.shape)
        _lay(image, _polygon(image.shape, ring), np.clip(base * rng.uniform(0.8, 1.2), 0, 1), rng)
    return image


def fruits(image: Image32, rng: Rng) -> Image32:
    """Round fruits and vegetables, some of them green."""
    colour = _colour(rng, green=0.4)
    for centre, size, turn in _places(image, rng, 12):
        size *= 1.6
        long = rng.uniform(0.9, 1.5)
        _lay(image, _polygon(image.shape, _ring(rng, centre, np.array([size * long, size]) / 2, 1.0, turn)), np.clip(colour * rng.uniform(0.85, 1.1), 0, 1), rng)
    return image


def blocks(image: Image32, rng: Rng) -> Image32:
    """Boxes, books, bottles, cans, plates: flat shapes of one colour, often green."""
    for centre, size, turn in _places(image, rng, 8):
        turn = turn if rng.random() < 0.5 else float(rng.normal(0, 0.05))
        half = size * np.array([rng.uniform(0.8, 2.2), rng.uniform(0.8, 1.2)])
        colour = _colour(rng, green=0.4)
        _lay(image, _polygon(image.shape, _ring(rng, centre, half, float(rng.choice([0.05, 0.3, 1.0])), turn)), colour, rng, round_=float(rng.choice([0, 0.4])))
        for _ in range(int(rng.integers(0, 3))):
            _print(image, rng, centre - half * rng.uniform(0.2, 0.8), size * rng.uniform(0.1, 0.3), 1 - colour)
    return image


def tools(image: Image32, rng: Rng) -> Image32:
    """Pens, cables, cutlery, sticks, rulers: long things."""
    for centre, size, turn in _places(image, rng, 10):
        half = size * np.array([rng.uniform(1.5, 5), rng.uniform(0.05, 0.25)])
        _lay(image, _polygon(image.shape, _ring(rng, centre, half, 0.3, turn)), _colour(rng), rng)
    return image


def text(image: Image32, rng: Rng) -> Image32:
    """A printed page."""
    ground, ink = rng.uniform(0.75, 1), rng.uniform(0, 0.35)
    if rng.random() < 0.6:
        image[:] = ground
    size = rng.uniform(0.015, 0.09) * min(image.shape[:2])
    for y in np.arange(1.5 * size, image.shape[0], size * rng.uniform(1.5, 2.2)):
        if rng.random() < 0.9:
            _print(image, rng, np.array([0.05 * image.shape[1], y]), size, np.full(3, ink), int(rng.integers(10, 90)))
    return image


def chart(image: Image32, rng: Rng) -> Image32:
    """Plots, tables and plans: straight lines, bars and curves on an even ground."""
    height, width = image.shape[:2]
    image[:] = rng.choice([1.0, rng.uniform(0, 1)])
    for _ in range(int(rng.integers(2, 30))):
        ends = (rng.uniform(0, 1, (2, 2)) * (width, height)).astype(int)
        colour, kind = _colour(rng).tolist(), rng.integers(4)
        if kind == 0:
            ends[1, int(rng.integers(2))] = ends[0, int(rng.integers(2))]
            cv2.line(image, ends[0].tolist(), ends[1].tolist(), colour, int(rng.integers(1, 4)), cv2.LINE_AA)
        elif kind == 1:
            cv2.rectangle(image, ends[0].tolist(), ends[1].tolist(), colour, int(rng.choice([-1, 1, 2])))
        elif kind == 2:
            x = np.linspace(0, width, 100)
            y = height * (0.5 + np.cumsum(rng.normal(0, 0.02, 100)))
            cv2.polylines(image, [np.stack([x, y], 1).astype(np.int32)], False, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
        else:
            cv2.circle(image, ends[0].tolist(), int(rng.uniform(0.02, 0.3) * min(height, width)), colour, int(rng.choice([-1, 1, 2])), cv2.LINE_AA)
    return image


def noise(image: Image32, rng: Rng) -> Image32:
    """Noise of any spectrum, grey or coloured."""
    shape = (image.shape[0], image.shape[1])
    own = np.zeros_like(image)
    for _ in range(int(rng.integers(1, 5))):
        grain = float(np.exp(rng.uniform(0, np.log(0.3 * min(shape)))))
        own += np.stack([smooth_noise(rng, shape, grain) for _ in range(3)], axis=2) if rng.random() < 0.5 else smooth_noise(rng, shape, grain)[..., None]
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
    ink, short = _colour(rng, green=0.15) * rng.uniform(0, 0.7), min(image.shape[:2])
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
    mask = _polygon(image.shape, _ring(rng, centre, half, rng.uniform(0.15, 0.5), rng.normal(0, 0.2)))
    grain = smooth_noise(rng, mask.shape, max(rng.uniform(0.004, 0.015) * short, 1))
    folds = np.exp(-((smooth_noise(rng, mask.shape, 0.15 * short) / rng.uniform(0.05, 0.2)) ** 2))
    _lay(image, mask, _colour(rng, green=0.6), rng, round_=0.4)
    image *= (1 + mask * (rng.uniform(0.03, 0.2) * grain))[..., None]
    image += (mask * folds * rng.uniform(0, 0.35))[..., None]
    if rng.random() < 0.7:
        own = half * rng.uniform(0.3, 0.7)
        _lay(image, _polygon(image.shape, _ring(rng, centre, own, 0.05, 0)), np.full(3, rng.uniform(0.7, 1)), rng, round_=0, lift=0)
        for line in range(int(rng.integers(1, 5))):
            _print(image, rng, centre - own * 0.8 + [0, own[1] * 0.4 * line + 0.2 * own[1]], 0.25 * own[1], _colour(rng) * 0.5)
    return np.clip(image, 0, 1)


def skin(image: Image32, rng: Rng) -> Image32:
    """Fur, wool, hair, carpet: threads in one direction, with waves."""
    shape = (image.shape[0], image.shape[1])
    grain = rng.uniform(1, 5)
    tone = smooth_noise(rng, (max(int(shape[0] / rng.uniform(8, 30)), 4), shape[1]), grain)
    tone = cv2.resize(tone, shape[::-1], interpolation=cv2.INTER_CUBIC)
    shift = smooth_noise(rng, shape, 0.3 * min(shape)) * rng.uniform(2, 30)
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]].astype(np.float32)
    tone = cv2.remap(tone, x + shift, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    image[:] = np.clip(_colour(rng) * (0.8 + rng.uniform(0.05, 0.3) * tone)[..., None], 0, 1)
    return image


# Never trained on: only the measurement draws them.


def capsules(image: Image32, rng: Rng) -> Image32:
    """Capsules of two halves, often green."""
    first, second = _colour(rng, green=0.5), _colour(rng, green=0.3)
    if rng.random() < 0.5:
        second = first
    for centre, size, turn in _places(image, rng, 40):
        ring = _ring(rng, centre, size * np.array([1.1, 0.4]), 0.6, turn)
        mask = _polygon(image.shape, ring)
        _lay(image, mask, first, rng)
        y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]]
        side = ((x - centre[0]) * np.cos(turn) + (y - centre[1]) * np.sin(turn)) > 0
        _lay(image, np.asarray(mask * side, np.float32), second, rng, lift=0)
    return image


def screenshot(image: Image32, rng: Rng) -> Image32:
    """A page of a program: bars, buttons, lists, pictures."""
    height, width = image.shape[:2]
    dark = rng.random() < 0.4
    image[:] = rng.uniform(0.05, 0.2) if dark else rng.uniform(0.9, 1)
    ink = np.full(3, 0.85 if dark else 0.15)
    image[: height // 12] = _colour(rng)
    y = height / 8
    while y < height:
        if rng.random() < 0.3:
            box = np.array([[0.05, 0], [0.05 + rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.25)]]) * (width, height) + [0, y]
            cv2.rectangle(image, box[0].astype(int).tolist(), box[1].astype(int).tolist(), _colour(rng).tolist(), -1)
            y = box[1, 1] + 0.03 * height
        else:
            _print(image, rng, np.array([0.06 * width, y]), 0.025 * height, ink, int(rng.integers(5, 40)))
            y += 0.045 * height
    return image


def face(image: Image32, rng: Rng) -> Image32:
    """A face or a doll: an oval with eyes and hair."""
    centre, short = np.array(image.shape[1::-1]) / 2, min(image.shape[:2])
    tone = np.array(colorsys.hsv_to_rgb(rng.uniform(0.03, 0.1), rng.uniform(0.2, 0.6), rng.uniform(0.3, 0.95)))
    size = short * rng.uniform(0.25, 0.42)
    _lay(image, _polygon(image.shape, _ring(rng, centre - [0, 0.3 * size], size * np.array([0.9, 1.0]), 1, 0)), _colour(rng) * 0.5, rng)
    _lay(image, _polygon(image.shape, _ring(rng, centre, size * np.array([0.72, 0.95]), 1, rng.normal(0, 0.1))), tone, rng, round_=0.5)
    for side in (-1, 1):
        eye = centre + size * np.array([0.3 * side, -0.1])
        _lay(image, _polygon(image.shape, _ring(rng, eye, size * np.array([0.14, 0.07]), 1, 0)), np.full(3, 0.95), rng, round_=0, lift=0)
        _lay(image, _polygon(image.shape, _ring(rng, eye, size * np.array([0.06, 0.06]), 1, 0)), _colour(rng) * 0.4, rng, round_=0, lift=0)
    _lay(image, _polygon(image.shape, _ring(rng, centre + size * np.array([0, 0.5]), size * np.array([0.25, 0.07]), 1, 0)), np.array([0.6, 0.25, 0.25]), rng, round_=0, lift=0)
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
    ink, size = _colour(rng, green=0) * 0.5, rng.uniform(0.03, 0.1) * min(image.shape[:2])
    for y in np.arange(2 * size, image.shape[0] - size, 2.4 * size):
        t = np.linspace(0, rng.uniform(0.4, 0.9), 500)
        x = 0.05 * image.shape[1] + t * image.shape[1]
        high = sum(rng.uniform(0.2, 0.6) * np.sin(t * image.shape[1] / size * rng.uniform(1.5, 7) + rng.uniform(0, 6)) for _ in range(4))
        line = np.stack([x + 0.4 * size * np.sin(5 * high), y + 0.6 * size * high], 1)
        for word in np.array_split(line, int(rng.integers(3, 9))):
            cv2.polylines(image, [word[: int(0.85 * len(word))].astype(np.int32)], False, ink.tolist(), max(1, int(size / 14)), cv2.LINE_AA)
    return image


def crumpled(image: Image32, rng: Rng) -> Image32:
    """Crumpled paper or foil: flat facets with sharp edges."""
    height, width = image.shape[:2]
    points = rng.random((int(rng.integers(30, 160)), 2)) * (width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    nearest = np.stack([np.hypot(x - px, y - py) for px, py in points]).argmin(axis=0)
    slopes = rng.normal(0, 1, (len(points), 2))
    tone = 0.75 + 0.12 * slopes[nearest, 0] + 0.15 * (slopes[nearest, 1] * (x - points[nearest, 0]) / width * 6)
    image[:] = np.clip(tone[..., None] * _colour(rng, green=0.1) ** 0.3, 0, 1)
    return image


def _print(image: Image32, rng: Rng, at: NDArray[np.floating], height: float, colour: NDArray[np.floating], letters: int = 12) -> None:
    words = "".join(rng.choice(_LETTERS, letters))
    place = (int(at[0]), int(at[1]))
    layer = np.zeros(image.shape[:2], np.uint8)  # letters can be drawn in 8 bits only
    thick, size = max(1, int(height / 14)), max(height / 24, 0.15)
    cv2.putText(layer, words, place, int(rng.choice(_FONTS)), size, (255,), thick, cv2.LINE_AA)
    image += (layer.astype(np.float32) / 255)[..., None] * (np.clip(colour, 0, 1).astype(np.float32) - image)


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
HELD_OUT_THINGS: dict[str, Callable[[Image32, Rng], Image32]] = {
    "capsules": capsules,
    "screenshot": screenshot,
    "face": face,
    "code": code,
    "handwriting": handwriting,
    "crumpled": crumpled,
}
"""Things that are drawn only to measure."""
