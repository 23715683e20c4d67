"""Drawn leaves on an even ground, whose characters do not depend on each other, for training the leaf parser."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.demo import DEMO_TAXA, draw_leaf, sample_leaf, sample_plant
from leafid.demo.taxa import APEX_FORMS, BASE_FORMS
from leafid.sheets.leaf_parser.targets import LeafTruth

Image8 = NDArray[np.uint8]


def draw_plate(random: np.random.Generator) -> tuple[Image8, Image8, tuple[LeafTruth, ...]]:
    """One to three leaves with characters that do not depend on each other, on an even ground of any colour."""
    long_side = int(random.choice([256, 384, 512, 768]))
    height, width = (long_side, round(long_side * random.uniform(0.5, 1)))
    if random.random() < 0.5:
        height, width = width, height
    image = _ground(height, width, random)
    labels = np.zeros((height, width), np.uint8)
    leaves: list[LeafTruth] = []
    for number in range(1, int(random.choice([1, 1, 1, 2, 3])) + 1):
        plant = sample_plant(str(random.choice(DEMO_TAXA)), random)
        traits = sample_leaf(plant, random)
        pairs = int(random.integers(4, 19))
        length = traits.length_mm
        traits = replace(
            traits,
            width_mm=length / float(np.exp(random.uniform(np.log(1.0), np.log(4.0)))),
            pairs_left=pairs,
            pairs_right=int(np.clip(pairs + random.integers(-2, 3), 3, 20)),
            vein_angle_deg=float(random.uniform(35, 72)),
            apex_form=str(random.choice(APEX_FORMS)),
            base_form=str(random.choice(BASE_FORMS)),
            undulation=float(random.choice([0.0, 0.01, 0.03])),
        )
        if traits.apex_form != "acuminate":
            traits = replace(traits, tip_mm=0.0)
        scale = min(height, width) / max(traits.length_mm, traits.width_mm) * random.uniform(0.35, 0.95)
        green = _fresh(random)
        look = replace(
            plant.look,
            adaxial=green,
            abaxial=green,
            vein_contrast=float(random.uniform(0.15, 0.6) * random.choice([1, 1, -1])),
        )
        leaf = draw_leaf(
            traits,
            look,
            random,
            px_per_mm=scale,
            face="abaxial" if random.random() < 0.4 else "adaxial",
            direction_deg=float(random.uniform(0, 360)),
        )
        room = np.array([width - leaf.image.shape[1], height - leaf.image.shape[0]], np.float64)
        offset = np.round(random.uniform(0.0, 1.0, 2) * room + random.normal(0, 0.01, 2) * width).astype(int)
        _lay(image, labels, leaf.image, leaf.coverage, offset, number)

        def move(points: NDArray[np.float64], leaf: Any = leaf, offset: Any = offset) -> NDArray[np.float64]:  # noqa: ANN401
            return np.asarray(leaf.frame.to_px(points) + offset)

        midrib = leaf.midrib_px + offset
        facts = {"abaxial": float(leaf.face == "abaxial"), "veins_visible": 1.0, "folded": 0.0}
        facts |= {"area": float(leaf.mask.sum())}
        leaves.append(
            LeafTruth(
                midrib[0],
                midrib[-1],
                midrib,
                tuple(map(move, leaf.venation.left)),
                tuple(map(move, leaf.venation.right)),
                None,
                facts,
            )
        )
    return image, labels, tuple(_seen(leaf, labels, i) for i, leaf in enumerate(leaves, 1))


def _seen(leaf: LeafTruth, labels: Image8, number: int) -> LeafTruth:
    facts = dict(leaf.facts)
    share = min(1.0, float((labels == number).sum()) / max(facts.pop("area"), 1.0))
    outline = np.concatenate([leaf.midrib, *leaf.left, *leaf.right])
    size = np.array(labels.shape[::-1])
    cut = float(((outline < 0) | (outline >= size)).any(axis=1).mean() > 0.005)
    facts |= {"visible_fraction": share, "cut": cut, "overlapped": float(share < 0.98 and not cut)}
    return replace(leaf, facts=facts)


def _lay(
    image: Image8, labels: Image8, patch: Image8, coverage: Image8, offset: NDArray[np.int64], number: int
) -> None:
    height, width = labels.shape
    left, top = max(int(offset[0]), 0), max(int(offset[1]), 0)
    right, bottom = min(int(offset[0]) + patch.shape[1], width), min(int(offset[1]) + patch.shape[0], height)
    if right <= left or bottom <= top:
        return
    inner = np.s_[top - offset[1] : bottom - offset[1], left - offset[0] : right - offset[0]]
    outer = np.s_[top:bottom, left:right]
    alpha = coverage[inner].astype(np.float32)[..., None] / 255
    image[outer] = (patch[inner] * alpha + image[outer] * (1 - alpha)).astype(np.uint8)
    labels[outer][coverage[inner] >= 128] = number


def _fresh(random: np.random.Generator) -> tuple[float, float, float]:
    hue, saturation, value = random.uniform(25, 50), random.uniform(60, 230), random.uniform(50, 210)
    pixel = np.array([[[hue, saturation, value]]], np.uint8)
    red, green, blue = (cv2.cvtColor(pixel, cv2.COLOR_HSV2RGB)[0, 0] / 255).tolist()
    return red, green, blue


def _ground(height: int, width: int, random: np.random.Generator) -> Image8:
    kind = random.random()
    colour = np.full(3, 0.0 if kind < 0.2 else 250.0) if kind < 0.5 else random.uniform(0, 255, 3)
    ground = np.broadcast_to(colour, (height, width, 3)).astype(np.float32)
    if kind > 0.3:
        for grain in (4, 16, 80):
            cells = (max(2, height // grain), max(2, width // grain))
            coarse = (random.standard_normal((*cells, 1)) + 0.3 * random.standard_normal((*cells, 3))).astype(
                np.float32
            )
            strength = random.uniform(0, 14 if kind < 0.8 else 30)
            ground = ground + strength * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(ground, 0, 255).astype(np.uint8)
