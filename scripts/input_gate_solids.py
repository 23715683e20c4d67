"""Drawing of solid things, and of print, for the pictures of the input gate."""

from __future__ import annotations

import colorsys

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.demo.leaf import Image32

Rng = np.random.Generator
Map = NDArray[np.float32]

_LETTERS = list("aeionrstlmcdgpu AEST.,-0123456789")
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_COMPLEX, cv2.FONT_HERSHEY_DUPLEX)


def any_colour(rng: Rng, *, green: float = 0.25) -> NDArray[np.float32]:
    """Any colour, RGB in 0..1; a green one with this probability."""
    hue = rng.uniform(0.18, 0.42) if rng.random() < green else rng.random()
    return np.array(
        colorsys.hsv_to_rgb(float(hue), float(rng.uniform(0, 0.95)), float(rng.uniform(0.15, 1))), np.float32
    )


def filled(shape: tuple[int, ...], points: NDArray[np.floating]) -> Map:
    """A polygon [N, 2] as a mask [H, W], 0 to 1."""
    mask = np.zeros(shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.round(points * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return np.asarray(mask / 255, np.float32)


def ring_of(
    rng: Rng, centre: NDArray[np.floating], half: NDArray[np.floating], power: float, turn: float
) -> NDArray[np.floating]:
    """Points of a superellipse: power 1 an ellipse, below it towards a rectangle."""
    t = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    ring = np.stack([np.sign(np.cos(t)) * np.abs(np.cos(t)) ** power, np.sign(np.sin(t)) * np.abs(np.sin(t)) ** power])
    cos, sin = np.cos(turn), np.sin(turn)
    return np.asarray((np.array([[cos, -sin], [sin, cos]]) @ (ring * half[:, None])).T + centre)


def lay(
    image: Image32, mask: Map, colour: NDArray[np.floating], rng: Rng, *, round_: float = 1.0, lift: float = 1.0
) -> None:
    """Lay a thing with shadow and shading; `round_` 0 is flat."""
    left, top, width, height = cv2.boundingRect((mask > 0).astype(np.uint8))
    if not width:
        return
    far = max(width, height) // 2 + 4
    part = np.s_[max(top - far, 0) : top + height + far, max(left - far, 0) : left + width + far]
    image, mask = image[part], mask[part]
    distance = cv2.distanceTransform((mask > 0.5).astype(np.uint8), cv2.DIST_L2, 3)
    height = np.sqrt(1 - (1 - np.clip(distance / max(float(distance.max()), 1e-6), 0, 1)) ** 2)
    size = max(float(distance.max()), 1.0)
    shadow = np.roll(
        cv2.GaussianBlur(mask, (0, 0), max(0.3 * size * lift, 0.5)), (int(0.3 * size), int(0.2 * size)), (0, 1)
    )
    image *= (1 - 0.45 * lift * shadow * (1 - mask))[..., None]
    slope = cv2.GaussianBlur(height.astype(np.float32), (0, 0), max(0.08 * size, 0.6))
    light = (
        0.75
        + 0.3 * height
        + round_ * size * 0.35 * (cv2.Sobel(slope, cv2.CV_32F, 1, 0) + cv2.Sobel(slope, cv2.CV_32F, 0, 1)) / 8
    )
    light = light if round_ > 0 else np.ones_like(light)
    gloss = np.clip(height - 0.97, 0, 1) * 8 * rng.uniform(0, 1) * (round_ > 0)
    tone = np.clip(light[..., None] * colour + gloss[..., None], 0, 1)
    image += mask[..., None] * (tone.astype(np.float32) - image)


def places(image: Image32, rng: Rng, most: int) -> list[tuple[NDArray[np.floating], float, float]]:
    """Centre, size and turn of each of some things, small when there are many."""
    count = int(np.exp(rng.uniform(0, np.log(most))))
    short = min(image.shape[:2])
    size = short * float(rng.uniform(0.08, 0.42)) / max(1.0, count**0.42)
    middle = np.array(image.shape[1::-1]) / 2
    spread = rng.uniform(0.12, 0.35)
    return [
        (
            middle + rng.normal(0, spread, 2) * image.shape[1::-1] * (count > 1),
            size * float(rng.uniform(0.9, 1.1)),
            float(rng.uniform(0, 7)),
        )
        for _ in range(count)
    ]


def print_words(
    image: Image32, rng: Rng, at: NDArray[np.floating], height: float, colour: NDArray[np.floating], letters: int = 12
) -> None:
    """Print letters at a place [2] with this height in pixels."""
    words = "".join(rng.choice(_LETTERS, letters))
    place = (int(at[0]), int(at[1]))
    layer = np.zeros(image.shape[:2], np.uint8)  # letters can be drawn in 8 bits only
    thick, size = max(1, int(height / 14)), max(height / 24, 0.15)
    cv2.putText(layer, words, place, int(rng.choice(_FONTS)), size, (255,), thick, cv2.LINE_AA)
    image += (layer.astype(np.float32) / 255)[..., None] * (np.clip(colour, 0, 1).astype(np.float32) - image)
