"""Two photographs in one picture, of one plant or of two; and leaves so slim that they look like sticks."""

from __future__ import annotations

import cv2
import numpy as np
from input_gate_pictures import PLAIN, Image8, Picture, camera, side, unlike

from leafid.demo.fresh.forms import Plant
from leafid.demo.fresh.light import sample_light
from leafid.demo.fresh.looks import PlantLook
from leafid.demo.photographs.arrangements import single
from leafid.demo.photographs.grounds import GROUNDS
from leafid.demo.photographs.scene import Scene
from leafid.demo.photographs.seen import seen_leaf
from leafid.demo.photographs.stage import Stage, curve, stalk
from leafid.demo.photographs.things import put_card

_SAME_LIGHT, _SAME_GROUND, _THREE = 0.5, 0.6, 0.15
_UNLIKE = 1.4  # ratio of length-width ratios of leaves of two plants


def tiled(seed: int, *, mixed: bool) -> Picture:
    """Photos of a leaf each beside or above each other: of one plant, or (`mixed`) of plants with unlike leaves."""
    rng, pixels = (np.random.default_rng([seed, 9, part]) for part in range(2))
    long = side(rng, 800)
    shape = (long, max(120, round(long / float(rng.choice([1.0, 4 / 3, 3 / 2])))))
    shape = shape if rng.random() < 0.4 else shape[::-1]
    grounds = (
        [str(rng.choice(PLAIN))] * 3 if rng.random() < _SAME_GROUND else [str(rng.choice(PLAIN)) for _ in range(3)]
    )
    one, plant, look, good = _photo(shape, grounds[0], None, rng, pixels)
    parts, others = [one], [plant]
    for ground in grounds[1 : 3 if rng.random() < _THREE else 2]:
        other = (others[-1], look) if not mixed else None
        part, own, look, clear = _photo(shape, ground, other, rng, pixels, others if mixed else [])
        parts, others, good = [*parts, part], [*others, own], good and clear
    return Picture(
        laid_together(parts, rng),
        ("several_plants" if mixed else "good") if good else "",
        "two photographs of two plants" if mixed else "two photographs of one plant",
    )


def laid_together(parts: list[Image8], rng: np.random.Generator) -> Image8:
    """Lay pictures beside or above each other, in half the cases with the first one's light, sometimes with a gap."""
    across = rng.random() < 0.7
    length = min(part.shape[0 if across else 1] for part in parts)
    sized = []
    for part in parts:
        factor = length / part.shape[0 if across else 1]
        size = (
            (max(1, round(part.shape[1] * factor)), length)
            if across
            else (length, max(1, round(part.shape[0] * factor)))
        )
        sized.append(np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.float32))
    if rng.random() < _SAME_LIGHT:
        tones = [
            np.median(np.concatenate([part[:6].reshape(-1, 3), part[-6:].reshape(-1, 3)]), axis=0) for part in sized
        ]
        sized = [part * ((tones[0] + 4) / (tone + 4)) for part, tone in zip(sized, tones, strict=True)]
    if rng.random() < 0.2:
        gap = np.full_like(sized[0][:, :1] if across else sized[0][:1], rng.choice([0, 255]))
        sized.insert(1, np.repeat(gap, int(rng.integers(1, 12)), axis=1 if across else 0))
    return np.asarray(np.clip(np.concatenate(sized, axis=1 if across else 0), 0, 255), np.uint8)


def slim(seed: int) -> Picture:
    """Needles and straps, one or some from a base, or in tufts all over: leaves without a net of veins."""
    rng, pixels = (np.random.default_rng([seed, 10, part]) for part in range(2))
    long = side(rng, 800)
    shape = (long, max(120, round(long / float(rng.choice([1.0, 4 / 3, 3 / 2])))))
    shape = shape if rng.random() < 0.6 else shape[::-1]
    tufts = 1 if rng.random() < 0.75 else int(rng.integers(3, 14))
    ground = str(rng.choice([*PLAIN, "black", "white"] if tufts == 1 else [*PLAIN, "grass", "foliage"]))
    stage = Stage(GROUNDS[ground](shape, pixels), sample_light(rng), floating=False)
    scene = Scene(stage, rng, pixels)
    if rng.random() < 0.3:
        put_card(scene)
    wide = float(np.exp(rng.uniform(np.log(0.012), np.log(0.16))))
    for _ in range(tufts):
        length = scene.short * rng.uniform(0.55, 0.9) / tufts**0.4
        centre = np.array([scene.width, scene.height]) * (0.5 + rng.normal(0, 0.06 if tufts == 1 else 0.25, 2))
        middle = rng.normal(0, 0.4) + (rng.random() < 0.3) * np.pi / 2
        base = centre - 0.5 * length * np.array([np.sin(middle), -np.cos(middle)])
        spread = rng.uniform(0.05, 0.9)
        for _ in range(int(rng.choice([1, 1, 2, 3, 5, 8]))):
            direction = middle + rng.normal(0, spread)
            heading = np.array([np.sin(direction), -np.cos(direction)])
            tip, across = base + heading * length * rng.uniform(0.8, 1.1), np.array([-heading[1], heading[0]])
            bow = rng.normal(0, 0.12) * length * across
            steps = curve(base, (base + tip) / 2 + bow, tip, steps=30)
            half = max(wide * length, 1.5)
            for start, end, narrow in ((0, 8, (0.35, 1.0)), (7, 22, (1.0, 0.95)), (21, 31, (0.95, 0.08))):
                part = stalk(steps[start:end], narrow[0] * half, narrow[1] * half, scene.look.adaxial.blade, pixels)
                stage.lay(part, scene.habit.lift * length * 0.3)
            if half > 6:  # a midrib or parallel veins
                for shift in np.linspace(-0.3, 0.3, int(rng.choice([1, 3, 5]))):
                    vein = stalk(steps[:-2] + shift * half * across, 0.06 * half, 0.02 * half, scene.look.stalk, pixels)
                    stage.lay(vein, 0.0)
    return Picture(camera(stage.image, np.ones(shape, np.bool_), pixels), "good", "slim leaves")


def _photo(
    shape: tuple[int, int],
    ground: str,
    plant: tuple[Plant, PlantLook] | None,
    rng: np.random.Generator,
    pixels: np.random.Generator,
    others: list[Plant] | None = None,
) -> tuple[Image8, Plant, PlantLook, bool]:
    """Photograph one leaf of a plant, or of a plant that is unlike others; also say whether it is seen whole."""
    stage = Stage(GROUNDS[ground](shape, pixels), sample_light(rng), floating=False)
    scene = Scene(stage, rng, pixels)
    if plant is not None:
        scene.plant, scene.look = plant
    for _ in range(20):
        if all(unlike(scene.plant, other, _UNLIKE) for other in others or []):
            break
        scene.another_plant()
    single(scene)
    image = camera(stage.image, stage.owner > 0, pixels)
    leaf = seen_leaf(stage.leaves[0], stage.owner, image) if stage.leaves else None
    whole = leaf is not None and leaf.visible_fraction > 0.8 and max(leaf.visible.shape) > 0.15 * max(shape)
    return image, scene.plant, scene.look, bool(whole)
