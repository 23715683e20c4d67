"""What is made of a picture for the input gate: the picture itself, smaller, blurred, or cut off."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from input_gate_pictures import Picture
from numpy.typing import NDArray
from PIL import Image

from leafid.images import open_image
from leafid.sheets.input_gate.gate import CLOSE_SIDE

Image8 = NDArray[np.uint8]

BLUR = (1.5, 9.0)
"""Blur of blurred pictures: standard deviation in pixels of the close look at the leaf."""
SOFT = 0.45
"""The same for good pictures, at most."""
CUT = (0.15, 0.5)
"""Share of the leaf's box that is left of leaves that are cut off."""
LEAST_LEAF = 70
"""Length in pixels of the smallest leaf in a good picture."""


@dataclass(frozen=True)
class Sample:
    """An image, uint8 RGB (H, W, 3), with the right answer and what was done to it."""

    image: Image8
    answer: str
    variant: str


def samples_of(picture: Picture, rng: np.random.Generator) -> Iterator[Sample]:
    """Yield the picture and what is made of it; nothing where its answer is not clear."""
    if not picture.answer:
        return
    picture = _turned(picture, rng)
    yield Sample(picture.image, picture.answer, "as it is")
    if picture.answer != "good":
        if rng.random() < 0.4:
            factor = float(rng.uniform(0.4, 0.9))
            yield Sample(_again(_reduced(picture.image, factor), rng), picture.answer, "smaller")
        return
    if picture.leaf is None:  # plants: any part of them, and another copy, are good as well
        image = _part(picture.image, rng)
        yield Sample(_again(_reduced(image, float(rng.uniform(0.5, 1))), rng), "good", "part")
        yield Sample(_again(blurred(picture, float(rng.uniform(0, SOFT)), rng), rng), "good", "soft")
        if rng.random() < 0.4:
            strength = float(np.exp(rng.uniform(*np.log(BLUR))))
            yield Sample(_again(blurred(picture, strength, rng), rng), "blurred", f"blur {strength:.1f}")
        return
    length = max(picture.leaf[2] - picture.leaf[0], picture.leaf[3] - picture.leaf[1])
    if length > 1.3 * LEAST_LEAF:
        yield Sample(_reduced(picture.image, float(rng.uniform(LEAST_LEAF / length, 1))), "good", "smaller")
    yield Sample(_again(blurred(picture, float(rng.uniform(0, SOFT)), rng), rng), "good", "soft")
    for _ in range(2):
        strength = float(np.exp(rng.uniform(*np.log(BLUR))))
        yield Sample(_again(blurred(picture, strength, rng), rng), "blurred", f"blur {strength:.1f}")
    if picture.kind in ("one leaf", "single", "coffee"):
        for _ in range(2):
            yield Sample(_again(cut(picture, float(rng.uniform(*CUT)), rng), rng), "cut_off", "cut")
        yield Sample(cut(picture, float(rng.uniform(0.9, 1)), rng), "good", "close frame")


def blurred(picture: Picture, strength: float, rng: np.random.Generator) -> Image8:
    """Blur a picture by defocus or movement; `strength` in pixels of the close look at its leaf."""
    box = picture.leaf or (0, 0, *picture.image.shape[1::-1])
    length = 1.16 * max(box[2] - box[0], box[3] - box[1])
    sigma = strength * max(1.0, length / CLOSE_SIDE)
    if sigma < 0.2:
        return picture.image
    kind = rng.random()
    if kind < 0.4:
        return np.asarray(cv2.GaussianBlur(picture.image, (0, 0), sigma), np.uint8)
    reach = int(np.ceil(4 * sigma)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    if kind < 0.75:  # the disk of a lens out of focus; its standard deviation along an axis is half its radius
        kernel = np.clip(2 * sigma + 0.5 - np.hypot(x, y), 0, 1)
    else:  # a movement with a little defocus; the standard deviation of a line is its length by the root of 12
        angle = rng.uniform(0, np.pi)
        along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        kernel = np.clip(1.9 * sigma + 0.5 - np.abs(along), 0, 1) * np.exp(-((across / max(0.5 * sigma, 0.5)) ** 2) / 2)
    return np.asarray(cv2.filter2D(picture.image, -1, (kernel / kernel.sum()).astype(np.float32)), np.uint8)


def cut(picture: Picture, share: float, rng: np.random.Generator) -> Image8:
    """Frame a picture so that `share` of its leaf's box is left; the other sides keep some ground."""
    if picture.leaf is None:
        raise ValueError("the picture's leaf is not known")
    left, top, right, bottom = picture.leaf
    box = np.array([[left, right], [top, bottom]], np.float64)
    margin = rng.uniform(0.02, 0.4, (2, 2)) * np.ptp(box, axis=1).max()
    frame = box + margin * [-1, 1]
    axes = [int(rng.integers(2))] if rng.random() < 0.7 else [0, 1]
    for axis in axes:
        left_of_it = share ** (1 / len(axes)) * np.ptp(box[axis])
        if rng.random() < 0.5:
            frame[axis] = box[axis, 0] - margin[axis, 0], box[axis, 0] + left_of_it
        else:
            frame[axis] = box[axis, 1] - left_of_it, box[axis, 1] + margin[axis, 1]
    height, width = picture.image.shape[:2]
    (x0, x1), (y0, y1) = np.clip(frame.round().astype(int), 0, [[width], [height]])
    return np.ascontiguousarray(picture.image[y0:y1, x0:x1])


def plantless_parts(masks: Path, *, first: int) -> Iterator[Image8]:
    """Cut squares without a plant out of every second sheet; those of the first are trained on, the others measured."""
    for mask_path in sorted((masks / "plant_masks").glob("*.png"))[first::2]:
        rgb = np.asarray(open_image(next((masks / "img").glob(f"{mask_path.stem}.*"))).rgb)
        mask = np.asarray(Image.open(mask_path).convert("L").resize(rgb.shape[1::-1], Image.Resampling.NEAREST)) > 0
        free = (~mask).astype(np.uint8)
        for _ in range(3):  # the largest squares, which do not overlap
            framed = np.pad(free, 1)  # a square must lie inside the image
            distance = cv2.distanceTransform(framed, cv2.DIST_C, 3)
            half = int(distance.max()) - 1
            row, column = (int(index) - 1 for index in np.unravel_index(int(distance.argmax()), distance.shape))
            part = np.s_[row - half : row + half, column - half : column + half]
            free[part] = 0
            yield np.ascontiguousarray(rgb[part])


def _turned(picture: Picture, rng: np.random.Generator) -> Picture:
    """Mirrored in half the cases."""
    if rng.random() < 0.5:
        return picture
    leaf, width = picture.leaf, picture.image.shape[1]
    turned = None if leaf is None else (width - leaf[2], leaf[1], width - leaf[0], leaf[3])
    return replace(picture, image=np.ascontiguousarray(picture.image[:, ::-1]), leaf=turned)


def _part(image: Image8, rng: np.random.Generator) -> Image8:
    """Half to all of each side."""
    height, width = (round(side * float(rng.uniform(0.5, 1))) for side in image.shape[:2])
    top, left = int(rng.integers(image.shape[0] - height + 1)), int(rng.integers(image.shape[1] - width + 1))
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def _reduced(image: Image8, factor: float) -> Image8:
    size = tuple(max(24, round(side * factor)) for side in image.shape[1::-1])
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _again(image: Image8, rng: np.random.Generator) -> Image8:
    """What comes after the lens: noise and compression."""
    if rng.random() < 0.5:
        noise = rng.standard_normal(image.shape, dtype=np.float32) * float(rng.uniform(0.5, 5))
        image = np.asarray(np.clip(image + noise, 0, 255), np.uint8)
    if rng.random() < 0.15:  # sent on in a smaller size, and shown larger again
        smaller = _reduced(image, float(rng.uniform(0.75, 0.95)))
        image = np.asarray(cv2.resize(smaller, image.shape[1::-1], interpolation=cv2.INTER_CUBIC), np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 97))]
        _, data = cv2.imencode(".jpg", image[..., ::-1], quality)
        image = np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])
    return image
