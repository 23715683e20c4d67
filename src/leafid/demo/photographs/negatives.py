"""Pictures without a measurable leaf: bark, flowers, powder, writing, noise, spirals, blurred foliage."""

from collections.abc import Callable

import cv2
import numpy as np

from leafid.demo.fresh.fresh_leaf import Patch
from leafid.demo.leaf import smooth_noise
from leafid.demo.outline import Points
from leafid.demo.photographs.scene import Scene
from leafid.demo.photographs.stage import curve, stalk
from leafid.demo.photographs.things import put_card, put_finger, put_flower, skin


def _at(scene: Scene) -> Points:
    return scene.rng.uniform(0, 1, 2) * (scene.width, scene.height)


def nothing(scene: Scene) -> None:
    """The bare ground."""


def bark(scene: Scene) -> None:
    """A trunk with fissures over all or part of the frame."""
    rng, (height, width) = scene.rng, scene.stage.shape
    grain = rng.uniform(0.02, 0.08) * scene.short
    tone = smooth_noise(scene.pixels, (max(height // 5, 4), width), grain)
    tone = np.asarray(cv2.resize(tone, (width, height), interpolation=cv2.INTER_CUBIC), np.float32)
    tone = 1 - 0.5 * np.exp(-((tone / 0.35) ** 2)) + 0.15 * smooth_noise(scene.pixels, (height, width), 0.4 * grain)
    colour = np.array([1.0, rng.uniform(0.7, 1.0), rng.uniform(0.5, 0.95)]) * rng.uniform(0.2, 0.7)
    left, right = (0, width) if rng.random() < 0.5 else sorted((rng.uniform(0, 1, 2) * width).astype(int).tolist())
    if right - left < 8:
        return
    image = np.clip(tone[:, left:right, None] * colour, 0, 1).astype(np.float32)
    scene.stage.lay(Patch(image, np.ones(image.shape[:2], np.float32), (left, 0)), 0.02 * scene.short)


def flowers(scene: Scene) -> None:
    """Flowers or fruits."""
    count = int(scene.rng.integers(1, 3) if scene.rng.random() < 0.6 else scene.rng.integers(3, 30))
    for _ in range(count):
        put_flower(scene, _at(scene), scene.rng.uniform(0.04, 0.35) * scene.short)


def powder(scene: Scene) -> None:
    """A heap of powder or crumbs."""
    rng, (height, width) = scene.rng, scene.stage.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    centre, size = (0.5 + rng.normal(0, 0.1, 2)) * (width, height), rng.uniform(0.2, 0.6) * scene.short
    away = np.hypot(x - centre[0], (y - centre[1]) * rng.uniform(1, 1.6)) / size
    away = away + 0.12 * smooth_noise(scene.pixels, (height, width), 0.15 * scene.short)
    alpha = np.clip((1 - away) * 12, 0, 1).astype(np.float32)
    grain = smooth_noise(scene.pixels, (height, width), max(rng.uniform(0.003, 0.02) * scene.short, 1))
    tone = np.clip(1.1 - 0.4 * away + rng.uniform(0.05, 0.3) * grain, 0, 1.5)
    colour = np.array([rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.65), rng.uniform(0.1, 0.35)])
    image = np.clip(tone[..., None] * colour, 0, 1).astype(np.float32)
    scene.stage.lay(Patch(image, alpha, (0, 0)), 0.03 * scene.short)


def writing(scene: Scene) -> None:
    """Cards, labels and rulers."""
    for _ in range(int(scene.rng.integers(1, 6))):
        put_card(scene)


def spirals(scene: Scene) -> None:
    """Coils, ferns' crooks, rings, wires: curves that are no veins."""
    rng = scene.rng
    for _ in range(int(rng.integers(1, 8))):
        turns, size = rng.uniform(0.5, 5), rng.uniform(0.1, 0.5) * scene.short
        t = np.linspace(0, 1, 120)
        angle = 2 * np.pi * turns * t + rng.uniform(0, 6)
        line = _at(scene) + size * (t ** rng.uniform(0.3, 1.2) * np.stack([np.cos(angle), np.sin(angle)])).T
        scene.put_stem(line, rng.uniform(0.004, 0.03) * scene.short, rng.uniform(0.002, 0.02) * scene.short)


def twigs(scene: Scene) -> None:
    """Bare stems, roots, grass."""
    rng = scene.rng
    for _ in range(int(rng.integers(1, 25))):
        a, b = _at(scene), _at(scene)
        width = rng.uniform(0.003, 0.04) * scene.short
        scene.put_stem(
            curve(a, (a + b) / 2 + rng.normal(0, 0.15 * scene.short, 2), b), width, width * rng.uniform(0.3, 1)
        )


def fronds(scene: Scene) -> None:
    """Fronds and needles: an axis with many narrow strips on both sides, too slim for blades with veins."""
    rng = scene.rng
    for _ in range(int(rng.integers(1, 6))):
        a, b = _at(scene), _at(scene)
        axis = curve(a, (a + b) / 2 + rng.normal(0, 0.1 * scene.short, 2), b, steps=60)
        length, count = rng.uniform(0.04, 0.22) * scene.short, int(rng.integers(15, 58))
        slim, lean = rng.uniform(0.03, 0.1), rng.uniform(0.7, 1.4)
        # With gaps between them, so that strips do not grow together into a blade.
        gap = float(np.hypot(*np.diff(axis, axis=0).T).sum()) / count
        for i in np.linspace(1, 58, count).astype(int):
            heading = axis[i + 1] - axis[i - 1]
            heading = heading / max(float(np.hypot(*heading)), 1e-6)
            for side in (-1, 1):
                across = side * np.array([-heading[1], heading[0]])
                own = length * (1 - 0.8 * i / 60) * rng.uniform(0.85, 1.1)
                tip = axis[i] + own * (np.sin(lean) * across + np.cos(lean) * heading)
                line = curve(axis[i], (axis[i] + tip) / 2 + 0.1 * own * heading, tip, steps=8)
                wide = min(slim * own, 0.45 * gap)
                blade = stalk(line, wide, 0.3 * wide, scene.look.adaxial.blade, scene.pixels)
                scene.stage.lay(blade, scene.habit.lift * own)
        scene.put_stem(axis, 0.012 * scene.short, 0.004 * scene.short)


def hand(scene: Scene) -> None:
    """Fingers without a leaf."""
    rng, tone = scene.rng, skin(scene.rng)
    for _ in range(int(rng.integers(1, 6))):
        put_finger(scene, _at(scene), rng.normal(0, 0.8), rng.uniform(0.06, 0.2) * scene.short, tone)


def shapes(scene: Scene) -> None:
    """Noise, stripes and checks."""
    rng, (height, width) = scene.rng, scene.stage.shape
    if rng.random() < 0.5:
        scene.stage.image[:] = scene.pixels.random((height, width, 1 if rng.random() < 0.5 else 3), dtype=np.float32)
        return
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    step, turn = rng.uniform(0.02, 0.3) * scene.short, rng.uniform(0, np.pi)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    wave = np.sin(2 * np.pi * u / step) * (np.sin(2 * np.pi * v / step) if rng.random() < 0.5 else 1)
    first, second = rng.random((2, 3))
    share = np.clip(0.5 + wave * rng.uniform(0.5, 5), 0, 1)[..., None]
    scene.stage.image[:] = (first * share + second * (1 - share)).astype(np.float32)


NEGATIVES: dict[str, Callable[[Scene], None]] = {
    "nothing": nothing,
    "bark": bark,
    "flowers": flowers,
    "powder": powder,
    "writing": writing,
    "spirals": spirals,
    "twigs": twigs,
    "fronds": fronds,
    "hand": hand,
    "shapes": shapes,
}
"""Arrangements without a leaf by name."""
