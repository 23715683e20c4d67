"""Drawn pictures for the input gate: photographs and sheets with a leaf, and everything else that people send."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import cv2
import numpy as np
from input_gate_more_things import MORE_THINGS
from input_gate_strangers import STRANGERS
from input_gate_things import THINGS
from numpy.typing import NDArray

from leafid.demo import HERBARIA, draw_photograph, draw_sheet, sheet_spec
from leafid.demo.fresh.forms import Plant
from leafid.demo.fresh.light import sample_light
from leafid.demo.furniture import Desk, lay_barcode, lay_colour_chart, lay_label, lay_pocket, lay_ruler, press_stamp
from leafid.demo.paper import bare_sheet
from leafid.demo.paper import photographed as scanned
from leafid.demo.photographs.arrangements import ARRANGEMENTS, single
from leafid.demo.photographs.camera import photographed
from leafid.demo.photographs.grounds import GROUNDS
from leafid.demo.photographs.negatives import NEGATIVES
from leafid.demo.photographs.scene import Scene
from leafid.demo.photographs.seen import seen_leaf
from leafid.demo.photographs.stage import Stage

Image8 = NDArray[np.uint8]

PLAIN = ("white", "black", "paper", "colour", "wood", "cloth", "soil", "stone")
"""Grounds without a plant on them."""
NO_LEAF = ("nothing", "bark", "flowers", "powder", "writing", "spirals", "twigs", "hand", "shapes")
"""Arrangements of drawn photographs that are refused; fronds are plants."""
_SEEN = 0.6  # visible share from which a leaf can be identified
_CUT = 0.45  # visible share below which it cannot
_LEAST = 0.15  # length of a leaf as a share of the frame's long side, from which it is large enough
_TINY = (0.02, 0.06)  # the same for a leaf that is too small
_UNLIKE = 1.7  # ratio of length-width ratios from which two leaves are clearly of different form


@dataclass(frozen=True)
class Picture:
    """A drawn picture.

    Attributes:
        image: uint8 RGB (H, W, 3).
        answer: `good`, a reason for refusal, or empty where either might be right.
        kind: what it shows.
        leaf: left, top, right, bottom of the largest leaf in pixels; None where none is known.
    """

    image: Image8
    answer: str
    kind: str
    leaf: tuple[int, int, int, int] | None = None


def photograph(seed: int) -> Picture:
    """Any drawn photograph with leaves, judged by its truth."""
    for attempt in range(20):
        drawn = draw_photograph(1000 * seed + attempt, long_side=side(np.random.default_rng([seed, 1])))
        if drawn.arrangement not in NEGATIVES:
            break
    long = max(drawn.image.shape[:2])
    seen = [leaf for leaf in drawn.leaves if not leaf.folded and leaf.facing > 0.5]
    lengths = [float(np.hypot(*(leaf.base_xy - leaf.apex_xy))) / long for leaf in seen]
    clear = [leaf.visible_fraction >= _SEEN and length >= _LEAST for leaf, length in zip(seen, lengths, strict=True)]
    answer = "good" if any(clear) else ""
    if drawn.leaves and all(leaf.visible_fraction < _CUT and leaf.cut_by_frame for leaf in drawn.leaves):
        answer = "cut_off" if drawn.arrangement == "close" else ""
    if not drawn.leaves:
        return Picture(drawn.image, "", drawn.arrangement)
    largest = max(drawn.leaves, key=lambda leaf: int(leaf.visible.sum()))
    (left, top), (height, width) = largest.offset, largest.visible.shape
    return Picture(drawn.image, answer, drawn.arrangement, (left, top, left + width, top + height))


def foliage(seed: int) -> Picture:
    """Any drawn photograph of a plant: shoots, hedges, piles, fronds, with or without a leaf that is seen whole."""
    long_side = int(np.exp(np.random.default_rng(seed).uniform(np.log(260), np.log(900))))
    for attempt in range(20):
        drawn = draw_photograph(40_000_000 + 100 * seed + attempt, long_side=long_side)
        if drawn.arrangement not in ("single", "close", *NO_LEAF):
            break
    is_plant = drawn.arrangement == "fronds" or (drawn.leaves and drawn.arrangement != "close")
    return Picture(drawn.image, "good" if is_plant else "", drawn.arrangement)


def pressed(seed: int) -> Picture:
    """A sheet with labels, ruler and a plant of any form, olive to brown."""
    rng, pixels = (np.random.default_rng([seed, 8, part]) for part in range(2))
    herbarium, px_per_mm = HERBARIA[int(rng.integers(len(HERBARIA)))], float(rng.uniform(1.0, 2.2))
    desk = Desk(bare_sheet(herbarium, px_per_mm, rng), px_per_mm)
    for lay in (lay_ruler, lay_colour_chart, press_stamp):
        lay(desk, herbarium, rng)
    lay_label(desk, herbarium, herbarium.label, ["Herbarium", f"No. {seed}", "1931"], rng)
    stage = Stage(np.asarray(desk.image / 255, np.float32), sample_light(rng), floating=False)
    before = stage.image.copy()
    ARRANGEMENTS[str(rng.choice(["shoot", "whorl", "pair", "compound", "scattered", "hedge"]))][0](
        Scene(stage, rng, pixels)
    )
    plant = np.abs(stage.image - before).max(axis=2, keepdims=True) > 0.02
    dry = stage.image.mean(axis=2, keepdims=True) * np.array([1.15, rng.uniform(0.85, 1.1), rng.uniform(0.5, 0.8)])
    share = float(rng.uniform(0.3, 1))
    mixed = np.where(plant, (1 - share) * stage.image + share * dry, stage.image)
    small = float(rng.uniform(0.45, 1))  # the plant takes a part of the sheet only
    height, width = before.shape[:2]
    size = (round(width * small), round(height * small))
    top, left = int(rng.uniform(0, height - size[1] + 1)), int(rng.uniform(0, width - size[0] + 1))
    part = np.s_[top : top + size[1], left : left + size[0]]
    weight = cv2.resize(plant.astype(np.float32), size, interpolation=cv2.INTER_AREA)[..., None]
    laid = cv2.resize(mixed.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    before[part] += weight * (laid - before[part])
    return Picture(np.asarray(np.clip(before * 255, 0, 255), np.uint8), "good", "pressed plant")


def sheet(seed: int) -> Picture:
    """A drawn herbarium sheet."""
    rng = np.random.default_rng([seed, 2])
    drawn = draw_sheet(sheet_spec(int(rng.integers(48)), seed=7000 + seed, px_per_mm=float(rng.uniform(1.2, 3.0))))
    largest = int(np.bincount(drawn.leaves[(drawn.leaves > 0) & (drawn.leaves < 255)]).argmax())
    rows, columns = np.nonzero(drawn.leaves == largest)
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    return Picture(np.asarray(drawn.image), "good", "sheet", box)


def bare(seed: int) -> Picture:
    """A sheet with ruler, chart, label and stamp, or a part of it, without a plant."""
    rng = np.random.default_rng([seed, 3])
    herbarium, px_per_mm = HERBARIA[int(rng.integers(len(HERBARIA)))], float(rng.uniform(1.5, 4))
    desk = Desk(bare_sheet(herbarium, px_per_mm, rng), px_per_mm)
    lines = ["Mitragyna speciosa Korth.", "A. Collector  123", "12 May 1931"]
    for lay in (lay_ruler, lay_colour_chart, lay_pocket, press_stamp):
        if rng.random() < 0.8:
            lay(desk, herbarium, rng)
    lay_label(desk, herbarium, herbarium.label, lines, rng)
    lay_barcode(desk, herbarium, f"K{seed:09d}", rng)
    image = np.asarray(scanned(desk.image, rng))
    if rng.random() < 0.6:
        height, width = (int(rng.uniform(0.15, 0.6) * side) for side in image.shape[:2])
        top, left = int(rng.uniform(0, image.shape[0] - height)), int(rng.uniform(0, image.shape[1] - width))
        if rng.random() < 0.5:  # the label
            left, top = (round(side * px_per_mm - 5) for side in herbarium.label)
            width, height = (round(side * px_per_mm + 10) for side in herbarium.label_size)
        image = np.ascontiguousarray(image[max(top, 0) : top + height, max(left, 0) : left + width])
    return Picture(image, "not_a_leaf", "bare sheet")


def no_leaf(seed: int, kind: str | None = None) -> Picture:
    """A photograph without a leaf: of `NO_LEAF`, or things of `THINGS`."""
    rng, pixels = (np.random.default_rng([seed, 4, part]) for part in range(2))
    shape = _shape(rng)
    kind = kind or str(rng.choice([*NO_LEAF, *THINGS, *MORE_THINGS]))
    ground = str(rng.choice(PLAIN))
    if kind in NO_LEAF:
        if kind == "flowers" and rng.random() < 0.3:
            ground = "foliage"
        stage = Stage(GROUNDS[ground](shape, pixels), sample_light(rng), floating=False)
        NEGATIVES[kind](Scene(stage, rng, pixels))
        image = stage.image
    else:
        image = {**THINGS, **MORE_THINGS, **STRANGERS}[kind](GROUNDS[ground](shape, pixels), rng)
    if kind in ("screenshot", "text", "gradient", "noise", "chart", "emblem", "plan") and rng.random() < 0.7:
        return Picture(np.asarray(np.clip(image * 255, 0, 255), np.uint8), "not_a_leaf", kind)
    return Picture(camera(image, np.ones(shape, np.bool_), pixels), "not_a_leaf", kind)


def laid_out(seed: int, *, mixed: bool) -> Picture:
    """Two to four whole leaves beside each other: of one plant, or (`mixed`) of plants with unlike leaves."""
    rng, pixels = (np.random.default_rng([seed, 5, part]) for part in range(2))
    shape = _shape(rng)
    stage = Stage(GROUNDS[str(rng.choice(PLAIN))](shape, pixels), sample_light(rng), floating=False)
    scene = Scene(stage, rng, pixels)
    plants = [(scene.plant, scene.look)]
    while mixed and len(plants) < (3 if rng.random() < 0.3 else 2):
        scene.another_plant()
        if all(unlike(scene.plant, plant) for plant, _ in plants):
            plants.append((scene.plant, scene.look))
    count = int(rng.integers(2, 5)) if not mixed else max(len(plants), int(rng.integers(2, 5)))
    across = scene.width > scene.height
    cells = np.linspace(0, max(shape), count + 1)
    tilt, turned = rng.choice([0.0, np.pi, np.pi / 2]), rng.random() < 0.3
    for number in range(count):
        scene.plant, scene.look = plants[number % len(plants)]
        middle = (cells[number] + cells[number + 1]) / 2
        centre = np.array([middle, scene.short / 2] if across else [scene.short / 2, middle])
        centre += rng.normal(0, 0.03 * scene.short, 2)
        direction = (rng.uniform(0, 2 * np.pi) if turned else tilt) + rng.normal(0, 0.15)
        form = scene.form()
        along = max(form.width / 100, 1.0) if turned else 1.0
        cell = np.array([max(shape) / count, scene.short]) if across else np.array([scene.short, max(shape) / count])
        reach = np.abs([np.sin(direction), np.cos(direction)]), np.abs([np.cos(direction), np.sin(direction)])
        length = float((cell / (reach[0] + form.width / 100 * reach[1])).min()) / along * rng.uniform(0.7, 0.97)
        scene.put_leaf(scene.centred(centre, direction, length), direction, length, form=form)
    image = camera(stage.image, stage.owner > 0, pixels)
    seen = [seen_leaf(laid, stage.owner, image) for laid in stage.leaves]
    whole = len(seen) == count and all(leaf is not None and leaf.visible_fraction > 0.85 for leaf in seen)
    answer = ("several_plants" if mixed else "good") if whole else ""
    return Picture(image, answer, "unlike leaves" if mixed else "leaves of one plant")


def tiny(seed: int) -> Picture:
    """A leaf that is much too small in its frame."""
    rng, pixels = (np.random.default_rng([seed, 6, part]) for part in range(2))
    shape = _shape(rng)
    stage = Stage(GROUNDS[str(rng.choice(PLAIN))](shape, pixels), sample_light(rng), floating=False)
    scene = Scene(stage, rng, pixels)
    direction, length = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(*_TINY)) * max(shape)
    centre = rng.uniform(0.1, 0.9, 2) * (scene.width, scene.height)
    scene.put_leaf(scene.centred(centre, direction, length), direction, length)
    return Picture(camera(stage.image, stage.owner > 0, pixels), "too_small", "tiny leaf")


def one_leaf(seed: int, largest: int = 600) -> Picture:
    """One whole leaf on plain ground; leaves of all colours, with or without clear veins."""
    rng, pixels = (np.random.default_rng([seed, 7, part]) for part in range(2))
    stage = Stage(GROUNDS[str(rng.choice(PLAIN))](_shape(rng, largest), pixels), sample_light(rng), floating=False)
    scene = Scene(stage, rng, pixels)
    if rng.random() < 0.3:  # yellow, red and brown leaves
        colour = colorsys.hsv_to_rgb(float(rng.uniform(0.97, 1.17)) % 1, rng.uniform(0.3, 0.9), rng.uniform(0.3, 0.9))
        single(scene)
        grey = stage.image.mean(axis=2, keepdims=True)
        own = (stage.owner > 0)[..., None]
        tinted = grey / max(float(grey[own].mean()) if own.any() else 1, 0.05) * np.array(colour, np.float32) * 0.8
        stage.image = np.where(own, np.clip(tinted, 0, 1), stage.image).astype(np.float32)
    else:
        single(scene)
    image = camera(stage.image, stage.owner > 0, pixels)
    leaf = seen_leaf(stage.leaves[0], stage.owner, image) if stage.leaves else None
    if leaf is None:
        return Picture(image, "", "one leaf")
    (left, top), (height, width) = leaf.offset, leaf.visible.shape
    good = leaf.visible_fraction > 0.8 and max(height, width) / max(image.shape) > _LEAST
    return Picture(image, "good" if good else "", "one leaf", (left, top, left + width, top + height))


def camera(image: NDArray[np.float32], subject: NDArray[np.bool_], rng: np.random.Generator) -> Image8:
    """As any camera does, or as a good one: exposure, colour cast, noise, but no blur."""
    if rng.random() < 0.35:
        return photographed(image, subject, rng)
    tone = float(image[subject].mean()) if subject.any() else 0.5
    goal = float(np.clip(tone, rng.uniform(0.15, 0.3), rng.uniform(0.5, 0.75)))
    image = image * (goal / max(tone, 0.03)) * np.exp(rng.normal(0, 0.06, 3))
    image = np.clip(image, 0, 1) ** np.exp(rng.normal(0, 0.15)) + rng.uniform(0, 0.02) * rng.standard_normal(
        image.shape
    )
    return np.asarray(np.clip(image * 255, 0, 255), np.uint8)


def unlike(one: Plant, other: Plant, least: float = _UNLIKE) -> bool:
    """Whether leaves are clearly of different form: in their length-width ratio, or lobed and not."""
    ratio = max(one.ratio, other.ratio) / min(one.ratio, other.ratio)
    lobed = [max(plant.lobes, 0.5 if plant.palmate else 0.0) for plant in (one, other)]
    return ratio > least or abs(lobed[0] - lobed[1]) > 0.35


def side(rng: np.random.Generator, largest: int = 600) -> int:
    """Long side of a picture in pixels."""
    return int(np.exp(rng.uniform(np.log(220), np.log(largest))))


def _shape(rng: np.random.Generator, largest: int = 600) -> tuple[int, int]:
    """Height and width."""
    long = side(rng, largest)
    short = max(120, round(long / float(rng.choice([1.0, 4 / 3, 3 / 2, 16 / 9]))))
    return (long, short) if rng.random() < 0.5 else (short, long)
