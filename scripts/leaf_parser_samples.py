"""Samples for training the leaf parser: scenes moved, turned, recoloured and damaged at random, with their targets."""

from typing import Any, NamedTuple

import cv2
import numpy as np
from leaf_parser_scenes import Scene
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.graph import OVERVIEW_MAPS, OVERVIEW_SIDE
from leafid.sheets.leaf_parser.leaf_view import Points, half_width_of, leaf_view
from leafid.sheets.leaf_parser.targets import LeafTruth, Map, overview_targets, view_targets

Image8 = NDArray[np.uint8]
Random = np.random.Generator

SMALLEST_LEAF = 56.0
"""Pixels from base to apex below which a leaf is no sample for reading."""


class OverviewSample(NamedTuple):
    """A picture for the overview network with its targets and weights, both [9, 64, 64]."""

    pixels: Image8
    maps: Map
    weights: Map


class LeafSample(NamedTuple):
    """A view [384, 192, 3] with a first mask [384, 192], and targets as of `view_targets`."""

    pixels: Image8
    prior: Map
    targets: dict[str, Map]


def overview_sample(scene: Scene, random: Random) -> OverviewSample:
    """Show a scene as the overview network would see it, turned and cut at random."""
    matrix, content = _placing(scene.labels.shape[:2], random)
    image, labels = _warped(scene, matrix)
    pixels = np.full((OVERVIEW_SIDE, OVERVIEW_SIDE, 3), 124, np.uint8)
    inside = np.zeros((OVERVIEW_SIDE, OVERVIEW_SIDE), np.uint8)
    pixels[: content[1], : content[0]] = damaged(image[: content[1], : content[0]], random)
    inside[: content[1], : content[0]] = labels[: content[1], : content[0]]
    if scene.kind in ("plant", "leaf"):
        return OverviewSample(pixels, *_mask_targets(scene.kind, inside))
    leaves = [leaf.moved(matrix) for leaf in scene.leaves]
    return OverviewSample(pixels, *overview_targets(inside, leaves, content))


def _mask_targets(kind: str, labels: Image8) -> tuple[Map, Map]:
    """Targets where only a mask is known: of the plant, or of a leaf and with it that of the plant."""
    side = OVERVIEW_SIDE // 4
    maps = np.zeros((len(OVERVIEW_MAPS), side, side), np.float32)
    weights = np.zeros_like(maps)
    share = cv2.resize(labels.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
    for channel in (0, 1) if kind == "leaf" else (1,):
        maps[channel], weights[channel] = share, 1
    return maps, weights


def _placing(shape: tuple[int, ...], random: Random) -> tuple[Points, tuple[int, int]]:
    """An affine map of the picture into the square, and the width and height of what is shown there."""
    height, width = shape[:2]
    if random.random() < 0.5:  # the whole picture, turned by right angles and mirrored
        turns = int(random.integers(4))
        shown = (height, width) if turns % 2 else (width, height)
        factor = OVERVIEW_SIDE / max(shown)
        angle, content = turns * np.pi / 2, (round(shown[0] * factor), round(shown[1] * factor))
    else:
        content = (OVERVIEW_SIDE, round(OVERVIEW_SIDE * random.uniform(0.5, 1)))
        content = content if random.random() < 0.5 else content[::-1]
        angle = random.uniform(0, 2 * np.pi)
        factor = min(content) / min(width, height) * float(np.exp(random.uniform(np.log(0.8), np.log(2.2))))
    mirror = 1.0 if random.random() < 0.5 else -1.0
    linear = factor * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) @ np.diag([mirror, 1])
    middle = np.array([width / 2, height / 2])
    if angle % (np.pi / 2):
        middle = middle + random.uniform(-0.2, 0.2, 2) * [width, height]
    return np.column_stack([linear, np.array(content) / 2 - linear @ middle]), content


def _warped(scene: Scene, matrix: Points) -> tuple[Image8, Image8]:
    image, labels = scene.image, scene.labels
    factor = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    at = matrix.copy()
    if factor < 0.7:
        size = (round(image.shape[1] * factor * 1.2), round(image.shape[0] * factor * 1.2))
        at[:, :2] = at[:, :2] @ np.diag([image.shape[1] / size[0], image.shape[0] / size[1]])
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        labels = np.asarray(cv2.resize(labels, size, interpolation=cv2.INTER_NEAREST), np.uint8)
    at[:, 2] += at[:, :2] @ np.array([0.5, 0.5]) - 0.5
    square = (OVERVIEW_SIDE, OVERVIEW_SIDE)
    shown = cv2.warpAffine(image, at, square, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    marked = cv2.warpAffine(labels, at, square, flags=cv2.INTER_NEAREST, borderValue=(0.0,))
    return np.asarray(shown, np.uint8), np.asarray(marked, np.uint8)


def readable(scene: Scene) -> list[int]:
    """Numbers (from 1) of the leaves that are large enough and seen well enough to be read."""
    return [
        number
        for number, leaf in enumerate(scene.leaves, start=1)
        if float(np.hypot(*(leaf.apex - leaf.base))) >= SMALLEST_LEAF
        and leaf.facts["visible_fraction"] > 0.25
        and int((scene.labels == number).sum()) > 400
    ]


def leaf_sample(scene: Scene, number: int, random: Random) -> LeafSample:
    """Show one leaf of a drawn scene as the leaf network would see it, with errors of the first step at random."""
    leaf = scene.leaves[number - 1]
    mask = (scene.labels == number).astype(np.float32)
    length = float(np.hypot(*(leaf.apex - leaf.base)))
    spread = length * (0.08 if random.random() < 0.15 else 0.022)
    base, apex = leaf.base + random.normal(0, spread, 2), leaf.apex + random.normal(0, spread, 2)
    upside_down = random.random() < 0.1
    if upside_down:
        base, apex = apex, base
    rows, columns = np.nonzero(mask)
    half_width = half_width_of(np.asarray(np.stack([columns, rows], axis=1) + 0.5, np.float64), base, apex)
    unknown = random.random() < 0.1  # two points given by hand: no first mask
    factor = float(np.exp(random.normal(0, 0.12)))
    view = leaf_view(base, apex, None if unknown else half_width, factor=factor)
    if random.random() < 0.5:
        view = view.mirrored()
    visible = view.cut_mask(mask)
    pixels = damaged(view.cut(_coarser(scene.image, length, random)), random)
    prior = np.zeros_like(visible) if unknown else view.cut_mask(_first_mask(scene, mask, random))
    return LeafSample(pixels, prior, view_targets(leaf, view, visible, upside_down=upside_down))


def mask_sample(scene: Scene, random: Random) -> LeafSample:
    """Return the view of a real leaf with a mask only; no other target has a weight."""
    rows, columns = np.nonzero(scene.labels)
    places = np.asarray(np.stack([columns, rows], axis=1) + 0.5, np.float64)
    _, _, axes = np.linalg.svd(places[:: max(1, len(places) // 2000)] - places.mean(axis=0), full_matrices=False)
    along = (places - places.mean(axis=0)) @ axes[0]
    ends = [places[int(along.argmin())], places[int(along.argmax())]]
    if random.random() < 0.5:
        ends.reverse()
    half_width = half_width_of(places, ends[0], ends[1])
    spread = 0.02 * float(np.hypot(*(ends[0] - ends[1])))
    base, apex = (end + random.normal(0, spread, 2) for end in ends)
    view = leaf_view(base, apex, half_width, factor=float(np.exp(random.normal(0, 0.12))))
    mask = scene.labels.astype(np.float32)
    nothing: dict[str, float] = dict.fromkeys(
        ("overlapped", "folded", "cut", "abaxial", "veins_visible", "visible_fraction"), 0.0
    )
    truth = LeafTruth(base, apex, np.stack([base, apex]), (), (), None, nothing)
    targets = view_targets(truth, view, view.cut_mask(mask))
    for name in ("fine", "coarse", "rows", "facts"):
        targets[f"{name}_weight"][1 if name == "fine" else 0 :] = 0
    pixels = damaged(view.cut(scene.image), random)
    return LeafSample(pixels, view.cut_mask(_first_mask(scene, mask, random)), targets)


def _first_mask(scene: Scene, mask: Map, random: Random) -> Map:
    """The mask as the overview would give it: in cells, with errors at its edge, sometimes with a neighbour's part."""
    height, width = mask.shape
    if random.random() < 0.08 and len(scene.leaves) > 1:
        other = (scene.labels == int(random.integers(1, len(scene.leaves) + 1))).astype(np.float32)
        mask = np.maximum(mask, other)
    cell = max(height, width) / (OVERVIEW_SIDE / 4) * float(np.exp(random.uniform(-0.3, 0.2)))
    cells = (max(2, round(width / cell)), max(2, round(height / cell)))
    small = np.asarray(cv2.resize(mask, cells, interpolation=cv2.INTER_AREA), np.float32)
    noise = random.standard_normal((max(2, cells[1] // 4), max(2, cells[0] // 4))).astype(np.float32)
    noise = np.asarray(cv2.resize(noise, cells, interpolation=cv2.INTER_LINEAR), np.float32)
    small = np.clip((small - 0.5) * 3 + 0.5 + noise * random.uniform(0, 0.9), 0, 1)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _coarser(image: Image8, length: float, random: Random) -> Image8:
    """Sometimes as if the leaf had been photographed at 100 to 400 pixels, and enlarged afterwards."""
    wanted = float(np.exp(random.uniform(np.log(90), np.log(600))))
    if random.random() < 0.6 or wanted >= length:
        return image
    size = (max(8, round(image.shape[1] * wanted / length)), max(8, round(image.shape[0] * wanted / length)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, image.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)


def damaged(image: Image8, random: Random) -> Image8:
    """Change light and colour, blur, add noise and JPEG blocks, each sometimes and by chance as much."""
    result: NDArray[np.floating[Any]] = image.astype(np.float32)
    if random.random() < 0.7:
        result = result * random.uniform(0.7, 1.35) + random.uniform(-25, 25)
        result = result * random.uniform(0.88, 1.12, 3).astype(np.float32)
    if random.random() < 0.3:
        result = 255 * (np.clip(result, 0, 255) / 255) ** random.uniform(0.6, 1.6)
    if random.random() < 0.3:
        grey = result.mean(axis=2, keepdims=True)
        result = grey + (result - grey) * (0.0 if random.random() < 0.15 else random.uniform(0.4, 1.6))
    if random.random() < 0.04:
        result = result[..., random.permutation(3)]
    if random.random() < 0.2:
        result = np.asarray(cv2.GaussianBlur(result, (0, 0), random.uniform(0.4, 1.6)), np.float32)
    if random.random() < 0.25:
        result = result + random.standard_normal(result.shape[:2]).astype(np.float32)[..., None] * random.uniform(2, 14)
    final = np.clip(result, 0, 255).astype(np.uint8)
    if random.random() < 0.2:
        quality = int(random.integers(25, 85))
        coded = cv2.imencode(".jpg", final, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        final = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(final, np.uint8)
