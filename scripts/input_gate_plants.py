"""Plants as they grow: several in one picture, before a ground of any kind, near and far, in sun and shade."""

from __future__ import annotations

import cv2
import numpy as np
from input_gate_pictures import Picture, camera, side
from numpy.typing import NDArray

from leafid.demo.fresh.light import sample_light
from leafid.demo.leaf import smooth_noise
from leafid.demo.photographs.arrangements import ARRANGEMENTS, out_of_focus
from leafid.demo.photographs.grounds import GROUNDS
from leafid.demo.photographs.negatives import NEGATIVES
from leafid.demo.photographs.scene import Scene
from leafid.demo.photographs.stage import Stage

_GROUNDS = ("foliage", "grass", "soil", "stone", "sky", "wood", "black")
_PLANTS = ("shoot", "whorl", "pair", "compound", "hedge", "pile", "scattered")
_ASIDE = ("twigs", "flowers", "bark")


def undergrowth(seed: int) -> Picture:
    """One to four plants one behind the other, with twigs, flowers, bark and leaves out of focus."""
    rng, pixels = (np.random.default_rng([seed, 11, part]) for part in range(2))
    long = side(rng, 700)
    shape = (long, max(120, round(long / float(rng.choice([1.0, 4 / 3, 3 / 2])))))
    shape = shape if rng.random() < 0.4 else shape[::-1]
    stage = Stage(GROUNDS[str(rng.choice(_GROUNDS))](shape, pixels), sample_light(rng), floating=True)
    scene = Scene(stage, rng, pixels)
    if rng.random() < 0.3:
        out_of_focus(scene, int(rng.integers(1, 6)), sharp=0.02)
    for _ in range(int(rng.integers(1, 5))):
        if rng.random() < 0.25:
            NEGATIVES[str(rng.choice(_ASIDE))](scene)
        if rng.random() < 0.7:
            scene.another_plant()
        if rng.random() < 0.2:
            NEGATIVES["fronds"](scene)
        else:
            ARRANGEMENTS[str(rng.choice(_PLANTS))][0](scene)
    image = _further_away(stage.image, rng) if rng.random() < 0.35 else stage.image
    return Picture(camera(_sunny(image, rng), np.ones(shape, np.bool_), pixels), "good", "undergrowth")


def _further_away(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The same plants smaller and several times, mirrored, so that they fill the picture."""
    factor = float(rng.uniform(0.35, 0.7))
    size = [round(length * factor) for length in image.shape[1::-1]]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    right, low = (length - short for length, short in zip(image.shape[1::-1], size, strict=True))
    return np.asarray(np.pad(small, ((0, low), (0, right), (0, 0)), mode="symmetric"), np.float32)


def _sunny(image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Spots of sun, and haze, as between trees."""
    height, width = image.shape[:2]
    if rng.random() < 0.5:
        spots = smooth_noise(rng, (height, width), rng.uniform(0.03, 0.25) * min(height, width))
        light = np.clip(0.5 + rng.uniform(0.5, 3) * spots, 0, 1) * rng.uniform(0.2, 1.2)
        image = np.asarray(image * (0.6 + light[..., None]), np.float32)
    if rng.random() < 0.3:
        image = np.asarray(image + rng.uniform(0, 0.25) * (rng.uniform(0.6, 1, 3) - image), np.float32)
    return np.clip(image, 0, 1.2).astype(np.float32)
