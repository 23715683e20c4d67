"""What lies behind the leaves: from bare white to blurred foliage."""

import colorsys
from collections.abc import Callable

import cv2
import numpy as np

from leafid.demo.leaf import Image32, smooth_noise
from leafid.demo.traits import RGB

Shape = tuple[int, int]


def _even(shape: Shape, colour: RGB) -> Image32:
    image = np.empty((*shape, 3), np.float32)
    image[:] = colour
    return image


def _tinted(tone: Image32, colour: RGB) -> Image32:
    return np.asarray(tone[..., None] * np.array(colour, np.float32), dtype=np.float32)


def _gradient(shape: Shape, rng: np.random.Generator, spread: float) -> Image32:
    """Return uneven light [H, W] around 1."""
    corners = (1 + rng.uniform(-spread, spread, (3, 3))).astype(np.float32)
    return np.asarray(cv2.resize(corners, shape[::-1], interpolation=cv2.INTER_CUBIC), dtype=np.float32)


def _hsv(rng: np.random.Generator, hue: float, sat: tuple[float, float], val: tuple[float, float]) -> RGB:
    return colorsys.hsv_to_rgb(hue % 1, float(rng.uniform(*sat)), float(rng.uniform(*val)))


def white(shape: Shape, rng: np.random.Generator) -> Image32:
    """White, blown out or with uneven light."""
    if rng.random() < 0.4:
        return _even(shape, (1.0, 1.0, 1.0))
    tint = 1 - rng.uniform(0, 0.06, 3)
    return _tinted(
        _gradient(shape, rng, 0.08) * rng.uniform(0.75, 1.0), (float(tint[0]), float(tint[1]), float(tint[2]))
    )


def black(shape: Shape, rng: np.random.Generator) -> Image32:
    """Black, pure or with a trace of cloth."""
    if rng.random() < 0.4:
        return _even(shape, (0.0, 0.0, 0.0))
    tone = rng.uniform(0.01, 0.12) * (1 + 0.3 * smooth_noise(rng, shape, 0.1 * min(shape)))
    return np.asarray(
        _tinted(np.maximum(tone, 0).astype(np.float32), (1.0, 1.0, 1.0)) * (1 + rng.uniform(-0.1, 0.1, 3)), np.float32
    )


def paper(shape: Shape, rng: np.random.Generator) -> Image32:
    """Paper: fibres, often ruled or squared."""
    short = min(shape)
    tone = _gradient(shape, rng, 0.1) + 0.02 * smooth_noise(rng, shape, max(0.006 * short, 1))
    image = _tinted(tone.astype(np.float32), _hsv(rng, 0.11, (0.0, 0.3), (0.6, 1.0)))
    if rng.random() < 0.3:
        step, width = rng.uniform(0.03, 0.12) * short, max(round(0.002 * short), 1)
        ink = np.array(_hsv(rng, rng.random(), (0.1, 0.6), (0.3, 0.8)), np.float32)
        for at in np.arange(rng.uniform(0, step), shape[0], step).astype(int):
            image[at : at + width] = 0.5 * image[at : at + width] + 0.5 * ink
        if rng.random() < 0.5:
            for at in np.arange(rng.uniform(0, step), shape[1], step).astype(int):
                image[:, at : at + width] = 0.5 * image[:, at : at + width] + 0.5 * ink
    return image


def colour(shape: Shape, rng: np.random.Generator) -> Image32:
    """Any even colour, or a gradient of two."""
    first, second = (np.array(_hsv(rng, rng.random(), (0.0, 0.9), (0.1, 1.0)), np.float32) for _ in range(2))
    if rng.random() < 0.5:
        second = first
    share = np.clip(_gradient(shape, rng, 0.6) - 0.5, 0, 1)[..., None]
    return np.asarray(first * share + second * (1 - share), dtype=np.float32)


def wood(shape: Shape, rng: np.random.Generator) -> Image32:
    """Boards with grain."""
    short = min(shape)
    turned = rng.random() < 0.5
    h, w = shape if turned else shape[::-1]
    stretch = rng.uniform(12, 40)
    base = max(rng.uniform(0.004, 0.02) * short, 1.2)
    fine = smooth_noise(rng, (h, max(int(w / stretch), 4)), base)
    fine = np.asarray(cv2.resize(fine, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)
    bands = smooth_noise(rng, (h, max(int(w / 6), 4)), 12 * base)
    bands = np.asarray(cv2.resize(bands, (w, h), interpolation=cv2.INTER_LINEAR), np.float32)
    rings = np.sin(rng.uniform(3, 14) * bands + 0.8 * fine)
    tone = 1 + rng.uniform(0.05, 0.2) * rings + rng.uniform(0.03, 0.12) * fine
    if rng.random() < 0.6:
        for at in np.arange(rng.uniform(0, 0.3) * short, h, rng.uniform(0.12, 0.5) * short).astype(int):
            tone[at : at + max(round(0.006 * short), 1)] *= rng.uniform(0.2, 0.7)
            tone[at:] *= rng.uniform(0.9, 1.1)
    image = _tinted(tone.astype(np.float32), _hsv(rng, rng.uniform(0.04, 0.12), (0.1, 0.7), (0.25, 0.9)))
    return image if turned else np.ascontiguousarray(image.transpose(1, 0, 2))


def cloth(shape: Shape, rng: np.random.Generator) -> Image32:
    """Cloth: a weave, and folds."""
    short = min(shape)
    rows, columns = np.arange(shape[0], dtype=np.float32), np.arange(shape[1], dtype=np.float32)
    period = max(rng.uniform(0.004, 0.02) * short, 2.5)
    weave = np.sin(2 * np.pi * rows / period)[:, None] * np.sin(2 * np.pi * columns / period)
    folds = smooth_noise(rng, shape, rng.uniform(0.1, 0.4) * short)
    tone = 1 + rng.uniform(0.02, 0.12) * weave + rng.uniform(0.02, 0.25) * folds
    tone += rng.uniform(0.0, 0.06) * rng.standard_normal(shape, dtype=np.float32)
    image = _tinted(tone.astype(np.float32), _hsv(rng, rng.random(), (0.0, 0.8), (0.1, 0.95)))
    if rng.random() < 0.25:
        stripe = (np.sin(2 * np.pi * columns / (rng.uniform(0.05, 0.3) * short)) > rng.uniform(-0.5, 0.5))[
            None, :, None
        ]
        image = np.where(stripe, image, image[..., ::-1] * rng.uniform(0.6, 1.2)).astype(np.float32)
    return image


def soil(shape: Shape, rng: np.random.Generator) -> Image32:
    """Soil, gravel, litter: noise of every size, with stones."""
    short = min(shape)
    tone = np.ones(shape, np.float32)
    for octave in range(5):
        grain = max(0.1 * short / 2**octave, 1.2)
        tone += np.float32(rng.uniform(0.05, 0.2)) * smooth_noise(rng, shape, grain)
    image = _tinted(tone, _hsv(rng, rng.uniform(0.02, 0.14), (0.05, 0.6), (0.15, 0.7)))
    for _ in range(int(rng.integers(0, 80))):
        centre = (int(rng.uniform(0, shape[1])), int(rng.uniform(0, shape[0])))
        size = float(np.exp(rng.uniform(np.log(0.006), np.log(0.06)))) * short
        axes = (max(int(size), 1), max(int(size * rng.uniform(0.4, 1)), 1))
        own = _hsv(rng, rng.uniform(0.0, 0.15), (0.0, 0.5), (0.15, 0.85))
        turn = float(rng.uniform(0, 180))
        below = (centre[0] + int(0.15 * size), centre[1] + int(0.2 * size))
        cv2.ellipse(image, below, axes, turn, 0, 360, tuple(0.3 * c for c in own), -1, cv2.LINE_AA)
        cv2.ellipse(image, centre, axes, turn, 0, 360, own, -1, cv2.LINE_AA)
    return image


def stone(shape: Shape, rng: np.random.Generator) -> Image32:
    """Concrete, stone, skin-like textures: speckled grey."""
    short = min(shape)
    tone = _gradient(shape, rng, 0.15) + rng.uniform(0.02, 0.1) * smooth_noise(rng, shape, 0.03 * short)
    tone += rng.uniform(0.01, 0.12) * smooth_noise(rng, shape, max(0.004 * short, 1))
    return _tinted(tone.astype(np.float32), _hsv(rng, rng.random(), (0.0, 0.15), (0.3, 0.9)))


def sky(shape: Shape, rng: np.random.Generator) -> Image32:
    """Sky with clouds, or overcast."""
    blue = np.array(_hsv(rng, rng.uniform(0.54, 0.64), (0.05, 0.7), (0.6, 1.0)), np.float32)
    cloud = smooth_noise(rng, shape, 0.4 * min(shape)) + 0.5 * smooth_noise(rng, shape, 0.12 * min(shape))
    share = np.clip(0.5 * cloud + rng.uniform(-0.3, 0.8), 0, 1)[..., None]
    return np.asarray(blue * (1 - share) + np.float32(rng.uniform(0.85, 1.0)) * share, dtype=np.float32)


def foliage(shape: Shape, rng: np.random.Generator) -> Image32:
    """Leaves, twigs and gaps of light far behind the focus: everything is blurred."""
    factor = max(min(shape) // 160, 1)  # blurred anyway
    small = (max(shape[0] // factor, 8), max(shape[1] // factor, 8))
    short = min(small)
    hue = rng.uniform(0.18, 0.36)
    image = _tinted(
        (1 + 0.5 * smooth_noise(rng, small, 0.25 * short)).clip(0.05).astype(np.float32),
        _hsv(rng, hue, (0.2, 0.8), (0.03, 0.6)),
    )
    for _ in range(int(rng.integers(10, 70))):
        own = np.array(_hsv(rng, hue + rng.normal(0, 0.04), (0.2, 0.9), (0.03, 0.8)))
        centre = (int(rng.uniform(0, small[1])), int(rng.uniform(0, small[0])))
        length = float(np.exp(rng.uniform(np.log(0.05), np.log(0.4)))) * short
        axes = (max(int(length), 2), max(int(length * rng.uniform(0.15, 0.6)), 1))
        turn = float(rng.uniform(0, 360))
        cv2.ellipse(image, centre, axes, turn, 0, 360, tuple(own), -1, cv2.LINE_AA)
        cv2.ellipse(image, centre, axes, turn, 0, 180, tuple(own * rng.uniform(0.6, 1.3)), -1, cv2.LINE_AA)
    for _ in range(int(rng.integers(0, 8))):
        ends = [tuple(int(rng.uniform(-0.2, 1.2) * side) for side in small[::-1]) for _ in range(2)]
        bark = _hsv(rng, 0.08, (0.1, 0.6), (0.1, 0.6))
        cv2.line(image, ends[0], ends[1], bark, max(int(rng.uniform(0.005, 0.04) * short), 1), cv2.LINE_AA)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), max(rng.uniform(0.015, 0.07) * short, 1.6)), np.float32)
    for _ in range(int(rng.integers(1, 20)) if rng.random() < 0.5 else 0):  # lights out of focus
        centre = (int(rng.uniform(0, small[1])), int(rng.uniform(0, small[0])))
        layer = np.zeros(small, np.float32)
        cv2.circle(layer, centre, max(int(rng.uniform(0.02, 0.1) * short), 1), (1.0,), -1, cv2.LINE_AA)
        share = cv2.GaussianBlur(layer, (0, 0), max(0.006 * short, 0.6))[..., None] * rng.uniform(0.1, 0.8)
        glow = np.array(_hsv(rng, 0.15, (0.0, 0.3), (0.7, 1.0)))
        image = np.asarray(image * (1 - share) + glow * share, np.float32)
    return np.asarray(cv2.resize(image, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def grass(shape: Shape, rng: np.random.Generator) -> Image32:
    """Grass, needles, straw: thin lines in focus."""
    short = min(shape)
    hue = rng.uniform(0.08, 0.34)
    image = 0.4 * _even(shape, _hsv(rng, hue, (0.2, 0.8), (0.1, 0.5)))
    lean = rng.uniform(0, np.pi)
    for _ in range(int(rng.integers(80, 300))):
        start = rng.uniform(-0.1, 1.1, 2) * shape[::-1]
        angle = lean + rng.normal(0, 0.5)
        end = start + np.array([np.cos(angle), np.sin(angle)]) * short * rng.uniform(0.05, 0.5)
        own = _hsv(rng, hue + rng.normal(0, 0.03), (0.2, 0.8), (0.1, 0.8))
        width = max(round(float(rng.uniform(0.002, 0.012)) * short), 1)
        a, b = (tuple(int(v) for v in point) for point in (start, end))
        cv2.line(image, a, b, own, width, cv2.LINE_AA)
    return image


GROUNDS: dict[str, Callable[[Shape, np.random.Generator], Image32]] = {
    "white": white,
    "black": black,
    "paper": paper,
    "colour": colour,
    "wood": wood,
    "cloth": cloth,
    "soil": soil,
    "stone": stone,
    "sky": sky,
    "foliage": foliage,
    "grass": grass,
}
"""Grounds by name; each takes a shape [H, W] and a generator and gives an image [H, W, 3] in 0..1."""
