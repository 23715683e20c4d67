"""Things in the picture that are no leaves: fingers, rulers with colour patches, labels, flowers, fruits."""

import colorsys

import cv2
import numpy as np

from leafid.demo.fresh.fresh_leaf import Patch
from leafid.demo.leaf import Image32, fill
from leafid.demo.outline import Points
from leafid.demo.photographs.scene import Scene
from leafid.demo.photographs.stage import curve, softened
from leafid.demo.traits import RGB

_SKIN: tuple[RGB, ...] = (
    (0.95, 0.78, 0.68),
    (0.87, 0.66, 0.52),
    (0.72, 0.5, 0.36),
    (0.5, 0.33, 0.23),
    (0.3, 0.2, 0.15),
)


def rounded(line: Points, start: float, end: float, colour: RGB, rng: np.random.Generator) -> Patch:
    """Return a thick round thing along a line, as a finger: its ends are round and its sides in shade."""
    low = np.floor(line.min(axis=0) - 0.6 * max(start, end)).astype(int) - 2
    high = np.ceil(line.max(axis=0) + 0.6 * max(start, end)).astype(int) + 3
    width, height = (int(side) for side in high - low)
    layer = np.zeros((height, width), np.uint8)
    widths = np.linspace(start, end, len(line))
    for point, size in zip(line - low, widths, strict=True):
        centre = (int(point[0] * 16), int(point[1] * 16))
        cv2.circle(layer, centre, max(int(size * 8), 8), (255,), -1, cv2.LINE_AA, 4)
    alpha = np.asarray(layer / 255, np.float32)
    inner = softened(alpha, max(0.22 * start, 0.6))
    light = 0.35 + 0.75 * inner**1.5 + 0.02 * rng.standard_normal((height, width), dtype=np.float32)
    image = np.clip(np.array(colour, np.float32) * light[..., None], 0, 1).astype(np.float32)
    return Patch(image, alpha, (int(low[0]), int(low[1])))


def put_finger(scene: Scene, tip: Points, direction: float, width: float, skin: RGB) -> None:
    """Put a finger whose tip is at `tip` and that comes from the frame's edge; `direction` is where it points."""
    heading = np.array([np.sin(direction), -np.cos(direction)])
    root = tip - heading * (scene.width + scene.height)
    far = float(np.hypot(*(root - tip)))
    line = curve(root, tip - heading * width * 2 + scene.rng.normal(0, 0.3 * width, 2), tip, steps=int(8 * far / width))
    size = np.array([scene.width, scene.height])
    shown = line[((line > -width) & (line < size + width)).all(axis=1)]
    if len(shown) > 0:
        scene.stage.lay(rounded(shown, 1.2 * width, 0.85 * width, skin, scene.pixels), 0.15 * width)
    if scene.rng.random() < 0.5:
        nail = tip - heading * 0.1 * width
        across = np.array([-heading[1], heading[0]])
        t = np.linspace(0, 2 * np.pi, 17)[:-1, None]
        ring = nail + 0.3 * width * np.cos(t) * across + 0.38 * width * np.sin(t) * heading
        pale: RGB = (min(skin[0] * 1.12, 1), min(skin[1] * 1.1, 1), min(skin[2] * 1.1, 1))
        put_flat(scene, ring, pale, 0.0)


def skin(rng: np.random.Generator) -> RGB:
    """Sample a colour of skin, or of a glove."""
    if rng.random() < 0.1:
        return colorsys.hsv_to_rgb(float(rng.random()), float(rng.uniform(0, 0.7)), float(rng.uniform(0.2, 0.95)))
    first, second = (np.array(_SKIN[int(rng.integers(len(_SKIN)))]) for _ in range(2))
    red, green, blue = (float(v) for v in first + (second - first) * rng.uniform(0, 0.5))
    return red, green, blue


def put_flat(scene: Scene, polygon: Points, colour: RGB, lift: float) -> None:
    """Put a flat thing of one colour."""
    low = np.floor(polygon.min(axis=0)).astype(int) - 2
    width, height = (int(side) for side in np.ceil(polygon.max(axis=0)).astype(int) - low + 3)
    layer = np.zeros((height, width), np.uint8)
    fill(layer, polygon - low, 255)
    image: Image32 = np.empty((height, width, 3), np.float32)
    image[:] = colour
    scene.stage.lay(Patch(image, np.asarray(layer / 255, np.float32), (int(low[0]), int(low[1]))), lift)


def put_card(scene: Scene) -> None:
    """Put a scale bar with colour patches, a ruler or a written label near an edge of the frame."""
    rng, short = scene.rng, scene.short
    width = max(int(min(rng.uniform(0.18, 0.5) * short, 0.8 * scene.width)), 24)
    height = max(int(width * rng.uniform(0.15, 0.6)), 10)
    dark = rng.random() < 0.5
    ground, ink = (rng.uniform(0.0, 0.2), rng.uniform(0.75, 1)) if dark else (rng.uniform(0.75, 1), rng.uniform(0, 0.3))
    card = np.full((height, width, 3), ground, np.float32)
    kind = rng.choice(["bar", "ruler", "label"])
    if kind == "bar":
        y, ticks = int(0.3 * height), int(rng.integers(1, 11))
        cv2.line(card, (int(0.08 * width), y), (int(0.92 * width), y), (ink,) * 3, max(width // 120, 1))
        for x in np.linspace(0.08, 0.92, ticks + 1) * width:
            cv2.line(card, (int(x), y), (int(x), y + height // 6), (ink,) * 3, max(width // 120, 1))
        _write(card, f"0   {ticks} cm", (int(0.08 * width), int(0.68 * height)), 0.2 * height, ink)
        count = int(rng.integers(3, 8))
        for i in range(count):
            own = colorsys.hsv_to_rgb(float(rng.random()), float(rng.uniform(0, 1)), float(rng.uniform(0.2, 1)))
            left, right = (int(width * (0.08 + 0.84 * (i + k) / count)) for k in (0, 1))
            cv2.rectangle(card, (left, int(0.75 * height)), (right, int(0.93 * height)), own, -1)
    elif kind == "ruler":
        step = max(float(width / rng.integers(10, 60)), 2.5)
        for i, x in enumerate(np.arange(0.02 * width, 0.98 * width, step)):
            reach = int(height * (0.5 if i % 10 == 0 else 0.35 if i % 5 == 0 else 0.22))
            cv2.line(card, (int(x), 0), (int(x), reach), (ink,) * 3, 1)
    else:
        for y in np.linspace(0.25, 0.9, int(rng.integers(2, 6))):
            text = "".join(rng.choice(list("aeionrstlm cdgpu.-,")) for _ in range(int(rng.integers(6, 26))))
            _write(card, text, (int(0.05 * width), int(y * height)), 0.15 * height, ink)
    if rng.random() < 0.25:
        card = np.ascontiguousarray(np.rot90(card))
    h, w = card.shape[:2]
    column = int(rng.choice([rng.uniform(0, 0.08), rng.uniform(0.92, 1)]) * max(scene.width - w, 0))
    row = int(rng.uniform(0, 1) * max(scene.height - h, 0))
    scene.stage.lay(Patch(card, np.ones((h, w), np.float32), (column, row)), 0.005 * short)


def _write(card: Image32, text: str, at: tuple[int, int], height: float, ink: float) -> None:
    layer = np.zeros(card.shape[:2], np.uint8)  # letters can be drawn in 8 bits only
    cv2.putText(layer, text, at, cv2.FONT_HERSHEY_SIMPLEX, height / 22, (255,), max(int(height / 12), 1), cv2.LINE_AA)
    card += (layer.astype(np.float32) / 255)[..., None] * (np.float32(ink) - card)


def put_flower(scene: Scene, centre: Points, size: float) -> None:
    """Put a flower, a head or a fruit: coloured lobes around a middle; `size` is its radius in pixels."""
    rng = scene.rng
    petals = int(rng.integers(*((0, 1), (3, 9), (10, 40))[int(rng.integers(3))]))
    own = colorsys.hsv_to_rgb(float(rng.choice([rng.uniform(0.75, 1.18), rng.random()])) % 1,
                              float(rng.uniform(0.0, 0.95)), float(rng.uniform(0.4, 1.0)))  # fmt: skip
    turn, slim = rng.uniform(0, 6), rng.uniform(0.6, 1.6) * np.pi / max(petals, 1)
    for i in range(petals):
        angle = turn + 2 * np.pi * i / petals
        far = centre + size * np.array([np.cos(angle), np.sin(angle)]) * rng.uniform(0.8, 1.1)
        line = curve(centre, far, steps=10)
        shade = float(rng.uniform(0.75, 1.1))
        colour: RGB = (min(own[0] * shade, 1), min(own[1] * shade, 1), min(own[2] * shade, 1))
        width = max(size * slim, 1.5)
        scene.stage.lay(rounded(line, 0.4 * width, width, colour, scene.pixels), 0.05 * size)
    middle = colorsys.hsv_to_rgb(
        float(rng.uniform(0.05, 0.3)), float(rng.uniform(0.2, 0.9)), float(rng.uniform(0.2, 1))
    )
    radius = size if petals == 0 else size * rng.uniform(0.1, 0.4)
    spot = np.repeat(centre[None], 2, axis=0)
    scene.stage.lay(rounded(spot, 2 * radius, 2 * radius, middle, scene.pixels), 0.1 * radius)


def put_border(scene: Scene) -> None:
    """Put a frame around the picture, sometimes with round corners, as on web pages; it covers what it covers."""
    rng, (height, width) = scene.rng, scene.stage.shape
    edge = int(rng.uniform(0, 0.05) * scene.short)
    corner = int(rng.uniform(0.02, 0.2) * scene.short) if rng.random() < 0.6 else 0
    opening = np.zeros((height, width), np.uint8)
    cv2.rectangle(opening, (edge + corner, edge), (width - 1 - edge - corner, height - 1 - edge), 255, -1)
    cv2.rectangle(opening, (edge, edge + corner), (width - 1 - edge, height - 1 - edge - corner), 255, -1)
    for x in (edge + corner, width - 1 - edge - corner):
        for y in (edge + corner, height - 1 - edge - corner):
            cv2.circle(opening, (x, y), corner, 255, -1, cv2.LINE_AA)
    tone = np.full((height, width, 3), rng.choice([0.0, 1.0, rng.random()]), np.float32)
    scene.stage.lay(Patch(tone, np.asarray(1 - opening / 255, np.float32), (0, 0)), 0.0)


def put_watermark(scene: Scene) -> None:
    """Write over the picture; what is under the letters still counts as seen."""
    rng, image = scene.rng, scene.stage.image
    layer = np.zeros(scene.stage.shape, np.uint8)
    size = rng.uniform(0.03, 0.12) * scene.short
    text = "".join(rng.choice(list("AEIONRSTLM aeionrstlm.@2019")) for _ in range(int(rng.integers(5, 30))))
    at = (int(rng.uniform(0, 0.6) * scene.width), int(rng.uniform(0.1, 1) * scene.height))
    cv2.putText(layer, text, at, cv2.FONT_HERSHEY_SIMPLEX, size / 22, (255,), max(int(size / 12), 1), cv2.LINE_AA)
    share = (layer / 255 * rng.uniform(0.2, 1)).astype(np.float32)[..., None]
    image += share * (np.float32(rng.choice([0.0, 1.0])) - image)
