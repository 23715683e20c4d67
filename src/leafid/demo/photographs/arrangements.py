"""How leaves lie in a picture: alone, in pairs, on stems, in piles, in the hand, cut by the frame."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from leafid.demo.outline import Points
from leafid.demo.photographs.scene import Scene
from leafid.demo.photographs.stage import curve
from leafid.demo.photographs.things import put_card, put_finger, put_flower, skin


def _somewhere(scene: Scene, margin: float) -> Points:
    """Return a point of the frame, `margin` (relative to its sides) away from the edge."""
    return scene.rng.uniform(margin, 1 - margin, 2) * (scene.width, scene.height)


def _any_direction(scene: Scene) -> float:
    """Any direction; along the sides of the frame is commoner, as people lay leaves."""
    if scene.rng.random() < 0.45:
        return float(scene.rng.integers(4) * math.pi / 2 + scene.rng.normal(0, 0.12))
    return float(scene.rng.uniform(0, 2 * math.pi))


def _unit(direction: float) -> Points:
    return np.array([math.sin(direction), -math.cos(direction)])


def single(scene: Scene) -> None:
    """One leaf, whole, small in the frame or filling it."""
    form, direction = scene.form(), _any_direction(scene)
    length = scene.fitting(form, direction) * scene.rng.uniform(0.35, 0.97)
    room = 0.5 - 0.5 * length / scene.fitting(form, direction)
    centre = (0.5 + scene.rng.uniform(-room, room, 2)) * (scene.width, scene.height)
    if scene.rng.random() < 0.3:
        put_card(scene)
    scene.put_leaf(scene.centred(centre, direction, length), direction, length, form=form)


def scattered(scene: Scene) -> None:
    """Two to seven leaves laid down here and there, some of them of another plant."""
    count = int(scene.rng.integers(2, 8))
    length = scene.short * scene.rng.uniform(0.4, 0.95) * min(1.0, 1.6 / math.sqrt(count))
    if scene.rng.random() < 0.25:
        put_card(scene)
    for _ in range(count):
        if scene.rng.random() < 0.15:
            scene.another_plant()
        direction, own = _any_direction(scene), length * scene.rng.uniform(0.6, 1.3)
        form = scene.form()
        scene.put_leaf(scene.centred(_somewhere(scene, 0.12), direction, own), direction, own, form=form)


def rows(scene: Scene) -> None:
    """Leaves side by side, as for a scan."""
    columns, lines = int(scene.rng.integers(2, 6)), int(scene.rng.integers(1, 4))
    tilt = scene.rng.choice([0.0, math.pi]) + scene.rng.normal(0, 0.1)
    cell = np.array([scene.width / columns, scene.height / lines])
    if scene.rng.random() < 0.2:
        put_card(scene)
    for i in range(columns * lines):
        centre = (np.array([i % columns, i // columns]) + 0.5 + scene.rng.normal(0, 0.06, 2)) * cell
        form = scene.form()
        fit = min(cell[1], cell[0] * 100 / form.width)
        direction, own = tilt + scene.rng.normal(0, 0.12), fit * scene.rng.uniform(0.7, 0.98)
        scene.put_leaf(scene.centred(centre, direction, own), direction, own, form=form)


def _attach(scene: Scene, node: Points, direction: float, length: float) -> None:
    """Put a leaf on a node: its petiole first, then the blade, which may turn away from the petiole."""
    form = scene.form()
    base = node + _unit(direction) * max(form.petiole / 100 * length, 0.02 * length)
    scene.put_leaf(base, direction + scene.rng.normal(0, 0.2), length, node=node, form=form)


def pair(scene: Scene) -> None:
    """An opposite pair joined at its node, sometimes with a piece of stem."""
    rng = scene.rng
    up = _any_direction(scene)
    node = (0.5 + rng.uniform(-0.12, 0.12, 2)) * (scene.width, scene.height)
    opening = rng.uniform(0.5, 1.7)
    node = node - _unit(up) * 0.3 * scene.short * math.cos(opening)
    if rng.random() < 0.15:
        put_card(scene)
    length = scene.short * rng.uniform(0.28, 0.62)
    width = scene.short * rng.uniform(0.006, 0.022)
    if rng.random() < 0.75:
        below, above = (node - _unit(up + rng.normal(0, 0.2)) * scene.short * rng.uniform(0.03, 0.9),
                        node + _unit(up) * scene.short * rng.uniform(0.01, 0.3))  # fmt: skip
        scene.put_stem(curve(below, node, above), 1.3 * width, 0.7 * width)
    for side in rng.permutation([-1, 1]):
        _attach(scene, node, up + side * (opening + rng.normal(0, 0.12)), length * rng.uniform(0.8, 1.15))


def whorl(scene: Scene) -> None:
    """Three to seven leaves around a node, seen from above."""
    rng = scene.rng
    count, turn = int(rng.integers(3, 8)), rng.uniform(0, 2 * math.pi)
    node = (0.5 + rng.uniform(-0.12, 0.12, 2)) * (scene.width, scene.height)
    length = scene.short * rng.uniform(0.25, 0.5)
    for i in rng.permutation(count):
        _attach(scene, node, turn + 2 * math.pi * i / count + rng.normal(0, 0.12), length * rng.uniform(0.75, 1.15))
    if rng.random() < 0.3:
        put_flower(scene, node, 0.12 * length)


def shoot(scene: Scene) -> None:
    """A stem with leaves, opposite or alternate, young ones at its tip."""
    rng = scene.rng
    up = rng.choice([0.0, rng.uniform(0, 2 * math.pi)]) + rng.normal(0, 0.3)
    middle = (0.5 + rng.uniform(-0.15, 0.15, 2)) * (scene.width, scene.height)
    reach = scene.short * rng.uniform(0.45, 1.0)
    low, high = middle - _unit(up) * reach, middle + _unit(up) * reach * rng.uniform(0.3, 0.8)
    stem = curve(low, middle + rng.normal(0, 0.1 * scene.short, 2), high, steps=60)
    width = scene.short * rng.uniform(0.006, 0.025)
    nodes = int(rng.integers(2, 7))
    opposite, opening = rng.random() < 0.6, rng.uniform(0.6, 1.5)
    length = 2.0 * reach / nodes * rng.uniform(0.7, 1.5)
    length = min(length, 0.75 * scene.short)
    places = np.linspace(0.12, 0.97, nodes)
    leaves = [(place, side) for i, place in enumerate(places) for side in ((-1, 1) if opposite else ((-1) ** i,))]
    order = rng.permutation(len(leaves)) if rng.random() < 0.5 else np.arange(len(leaves))
    stem_after = int(rng.integers(0, len(leaves) + 1))
    for turn, i in enumerate(order):
        if turn == stem_after:
            scene.put_stem(stem, 1.3 * width, 0.6 * width)
        place, side = leaves[i]
        at = min(int(place * 59), 58)
        heading = stem[at + 1] - stem[at]
        along = math.atan2(heading[0], -heading[1])
        young = 1 - 0.5 * place**3
        _attach(scene, stem[at], along + side * opening * (1.1 - 0.3 * place) + rng.normal(0, 0.15),
                length * young * rng.uniform(0.75, 1.2))  # fmt: skip
    if stem_after == len(leaves):
        scene.put_stem(stem, 1.3 * width, 0.6 * width)
    if rng.random() < 0.25:
        put_flower(scene, stem[-1], rng.uniform(0.02, 0.1) * scene.short)


def compound(scene: Scene) -> None:
    """A pinnate leaf: leaflets on both sides of a rachis and one at its end."""
    rng = scene.rng
    up = _any_direction(scene)
    middle = np.array([scene.width, scene.height]) / 2
    reach = scene.short * rng.uniform(0.35, 0.55)
    rachis = curve(middle - _unit(up) * reach, middle + rng.normal(0, 0.1 * scene.short, 2), middle + _unit(up) * reach,
                   steps=60)  # fmt: skip
    count = int(rng.integers(3, 11))
    scene.plant = replace(scene.plant, petiole=3.0, ratio=max(scene.plant.ratio, 1.8))
    length = 2.2 * reach / count * rng.uniform(0.8, 1.8)
    scene.put_stem(rachis, 0.02 * scene.short, 0.006 * scene.short)
    for i in range(count):
        at = int(10 + 48 * i / count)
        heading = rachis[at + 1] - rachis[at]
        along = math.atan2(heading[0], -heading[1])
        for side in (-1, 1):
            _attach(scene, rachis[at], along + side * rng.uniform(0.9, 1.3), length * rng.uniform(0.85, 1.1))
    heading = rachis[-1] - rachis[-2]
    _attach(scene, rachis[-1], math.atan2(heading[0], -heading[1]), length)


def pile(scene: Scene) -> None:
    """Five to sixteen leaves on top of each other."""
    rng = scene.rng
    count = int(rng.integers(5, 17))
    length = scene.short * rng.uniform(0.3, 0.65)
    spread = scene.short * rng.uniform(0.1, 0.32)
    same = rng.uniform(0, 2 * math.pi) if rng.random() < 0.4 else None
    for _ in range(count):
        direction = rng.uniform(0, 2 * math.pi) if same is None else same + rng.normal(0, 0.35)
        centre = np.array([scene.width, scene.height]) / 2 + rng.normal(0, spread, 2)
        form, own = scene.form(), length * rng.uniform(0.7, 1.2)
        scene.put_leaf(scene.centred(centre, direction, own), direction, own, form=form)


def overlaid(scene: Scene) -> None:
    """Two or three large leaves, one on the other, often cut by the frame."""
    rng = scene.rng
    for _ in range(int(rng.integers(2, 4))):
        form, direction = scene.form(), _any_direction(scene)
        length = scene.fitting(form, direction) * rng.uniform(0.6, 1.15)
        centre = (0.5 + rng.normal(0, 0.17, 2)) * (scene.width, scene.height)
        scene.put_leaf(scene.centred(centre, direction, length), direction, length, form=form)


def close(scene: Scene) -> None:
    """A part of one leaf that is larger than the frame, with others beneath."""
    rng = scene.rng
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        form, direction = scene.form(), rng.uniform(0, 2 * math.pi)
        length = scene.fitting(form, direction) * rng.uniform(1.1, 2.4)
        centre = (0.5 + rng.normal(0, 0.3, 2)) * (scene.width, scene.height)
        scene.put_leaf(scene.centred(centre, direction, length), direction, length, form=form)


def held(scene: Scene) -> None:
    """One to three leaves held by fingers or laid on a hand."""
    rng, tone = scene.rng, skin(scene.rng)
    direction = rng.normal(0, 0.9)
    grip = (0.5 + rng.uniform(-0.15, 0.15, 2)) * (scene.width, scene.height)
    grip = grip - _unit(direction) * 0.25 * scene.short
    length, width = scene.short * rng.uniform(0.45, 0.85), scene.short * rng.uniform(0.08, 0.18)
    arm = direction + rng.normal(0, 0.7)
    across = np.array([math.cos(arm), math.sin(arm)])
    for i in range(int(rng.integers(1, 5))):
        tip = grip + across * width * (i - 1.2) * 1.05 + _unit(arm) * width * rng.uniform(0.2, 4.0)
        put_finger(scene, tip, arm + rng.normal(0, 0.12), width, tone)
    for _ in range(int(rng.choice([1, 1, 2, 3]))):
        base = grip + rng.normal(0, 0.03 * scene.short, 2)
        scene.put_leaf(base, direction + rng.normal(0, 0.3), length * rng.uniform(0.85, 1.1))
    if rng.random() < 0.75:
        tip = grip + _unit(direction) * width * rng.uniform(-0.3, 0.8)
        put_finger(scene, tip, arm + rng.choice([-1, 1]) * rng.uniform(0.2, 0.9), width * 1.1, tone)


def hedge(scene: Scene) -> None:
    """Leaves in focus all over the frame, as of a bush, with twigs and flowers between."""
    rng = scene.rng
    count = int(rng.integers(8, 26))
    length = scene.short * rng.uniform(0.2, 0.42)
    drooping, mixed = rng.uniform(0, 2 * math.pi), rng.random() < 0.3
    for _ in range(count):
        at = _somewhere(scene, -0.05)
        draw = rng.random()
        if mixed and rng.random() < 0.2:
            scene.another_plant()
        if draw < 0.12:
            far = at + rng.normal(0, 0.5 * scene.short, 2)
            scene.put_stem(
                curve(at, (at + far) / 2 + rng.normal(0, 20, 2), far), 0.02 * scene.short, 0.008 * scene.short
            )
        elif draw < 0.16:
            put_flower(scene, at, rng.uniform(0.03, 0.1) * scene.short)
        scene.put_leaf(at, drooping + rng.normal(0, 0.9), length * rng.uniform(0.5, 1.25))


def out_of_focus(scene: Scene, count: int, *, sharp: float) -> None:
    """Put leaves out of focus, of this and other plants; `sharp` is their least blur relative to the short side."""
    for _ in range(count):
        if scene.rng.random() < 0.3:
            scene.another_plant()
        length = scene.short * scene.rng.uniform(0.2, 1.0)
        sigma = max(scene.short * scene.rng.uniform(sharp, 3 * sharp), 2.0)
        scene.put_blurred(_somewhere(scene, -0.1), scene.rng.uniform(0, 2 * math.pi), length, sigma)


ARRANGEMENTS: dict[str, tuple[Callable[[Scene], None], float]] = {
    "single": (single, 0.22),
    "scattered": (scattered, 0.10),
    "rows": (rows, 0.04),
    "pair": (pair, 0.12),
    "whorl": (whorl, 0.04),
    "shoot": (shoot, 0.09),
    "compound": (compound, 0.02),
    "pile": (pile, 0.06),
    "overlaid": (overlaid, 0.06),
    "close": (close, 0.06),
    "held": (held, 0.05),
    "hedge": (hedge, 0.05),
}
"""Arrangements of leaves by name, each with its share of the pictures; the rest shows no leaf (see `negatives`)."""
