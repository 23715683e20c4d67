"""The picture while it is being drawn: things are laid on it from back to front, and who owns a pixel is kept."""

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from leafid.demo.fresh.fresh_leaf import FreshLeaf, Patch
from leafid.demo.fresh.light import Light
from leafid.demo.leaf import Image32, fill, taper
from leafid.demo.outline import Points
from leafid.demo.traits import RGB

THING = -1
"""Owner of pixels that show neither ground nor a leaf in focus: stems, petioles, hands, rulers, blurred leaves."""


@dataclass(frozen=True)
class LaidLeaf:
    """A leaf on the stage, with its number as owner of pixels."""

    number: int
    leaf: FreshLeaf
    petiole: Points


class Stage:
    """Image [H, W, 3] RGB in 0..1, and owners [H, W]: 0 ground, `THING`, or the number of a leaf from 1."""

    def __init__(self, ground: Image32, light: Light, *, floating: bool) -> None:
        self.image = ground
        self.light = light
        self.floating = floating  # too far from the ground to cast a shadow on it
        self.owner: npt.NDArray[np.int16] = np.zeros(ground.shape[:2], np.int16)
        self.leaves: list[LaidLeaf] = []

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]

    def lay_leaf(self, leaf: FreshLeaf, petiole: Points, lift: float) -> None:
        """Lay a leaf whose truth is wanted; `lift` is its height above what is below, in pixels."""
        number = len(self.leaves) + 1
        self.lay(leaf.patch, lift, number)
        self.leaves.append(LaidLeaf(number, leaf, petiole))

    def lay(self, patch: Patch, lift: float, owner: int = THING) -> None:
        """Lay a patch with its shadow; what hangs over the frame is cut off."""
        height, width = self.shape
        column, row = patch.offset
        h, w = patch.alpha.shape
        if lift > 0.3:
            self._cast(patch, lift)
        top, left = max(row, 0), max(column, 0)
        bottom, right = min(row + h, height), min(column + w, width)
        if top >= bottom or left >= right:
            return
        inner, outer = np.s_[top - row : bottom - row, left - column : right - column], np.s_[top:bottom, left:right]
        alpha = patch.alpha[inner]
        area = self.image[outer]
        area += (patch.image[inner] - area) * alpha[..., None]
        self.owner[outer][alpha >= 0.5] = owner

    def _cast(self, patch: Patch, lift: float) -> None:
        lx, ly, lz = self.light.direction
        shift = np.clip(np.array([-lx, -ly]) / max(lz, 0.3) * lift, -4 * lift, 4 * lift)
        soft = max(lift * self.light.softness, 0.6)
        rim = int(3 * soft) + 1
        column, row = (int(v) for v in np.round(np.array(patch.offset) + shift - rim))
        height, width = self.shape
        h, w = patch.alpha.shape[0] + 2 * rim, patch.alpha.shape[1] + 2 * rim
        top, left, bottom, right = max(row, 0), max(column, 0), min(row + h, height), min(column + w, width)
        if top >= bottom or left >= right:
            return
        alpha = softened(np.pad(patch.alpha, rim), soft)
        dark = 1 - self.light.shadow * alpha[top - row : bottom - row, left - column : right - column]
        if self.floating:
            dark = np.where(self.owner[top:bottom, left:right] == 0, 1, dark)
        self.image[top:bottom, left:right] *= dark[..., None].astype(np.float32)


def softened(layer: Image32, sigma: float) -> Image32:
    """Blur a layer [h, w] by `sigma` pixels, on a smaller copy where nothing finer than that is left anyway."""
    height, width = layer.shape
    factor = int(np.clip(sigma / 2, 1, 8))
    if factor == 1 or min(height, width) < 4 * factor:
        return np.asarray(cv2.GaussianBlur(layer, (0, 0), sigma), dtype=np.float32)
    small = cv2.resize(layer, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / factor)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def stalk(line: Points, start: float, end: float, colour: RGB, rng: np.random.Generator) -> Patch:
    """Return a stalk along a line [N, 2] in pixels whose width runs from `start` to `end`, lighter along its middle."""
    polygon = taper(line, max(start, 1.0), max(end, 1.0))
    low = np.floor(polygon.min(axis=0)).astype(int) - 3
    width, height = (int(side) for side in np.ceil(polygon.max(axis=0)).astype(int) - low + 4)
    layers = np.zeros((2, height, width), np.uint8)
    fill(layers[0], polygon - low, min(start, 1.0) * 255)
    fill(layers[1], taper(line, max(0.45 * start, 0.5), max(0.45 * end, 0.5)) - low, 255)
    core = cv2.GaussianBlur(layers[1], (0, 0), max(0.2 * start, 0.4)).astype(np.float32) / 255
    light = 0.7 + 0.5 * core + 0.04 * rng.standard_normal((height, width), dtype=np.float32)
    image = np.clip(np.array(colour, np.float32) * light[..., None], 0, 1).astype(np.float32)
    return Patch(image, layers[0].astype(np.float32) / 255, (int(low[0]), int(low[1])))


def curve(*points: Points, steps: int = 24) -> Points:
    """Return a Bezier curve [steps, 2] of two to four control points."""
    t = np.linspace(0, 1, steps)[:, None]
    level = [np.broadcast_to(np.asarray(p, np.float64), (steps, 2)) for p in points]
    while len(level) > 1:
        level = [(1 - t) * a + t * b for a, b in itertools.pairwise(level)]
    return np.asarray(level[0])
