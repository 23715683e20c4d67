"""Augmentations of herbarium leaves: drying, tearing, insect holes, mounting strips, other paper.

Each takes a view (S, S, 3), uint8, RGB, and a random generator, and returns a new view of the same shape. They need no
stored mask: the difference of a pixel from the paper is the likelihood that it shows the plant. Only ``other_paper``
segments the plant, in the view itself (agreement with the mask of the full image: docs/results.md).
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets import PAD_COLOUR, downscale, find_plant

View = NDArray[np.uint8]
Colour = NDArray[np.float32]

BROWN, GREEN = np.array([1.25, 0.92, 0.8], np.float32), np.array([0.65, 1.12, 0.8], np.float32)
"""Factors of red, green and blue of a plant at full strength: an old sheet, a fresh leaf."""

_RIM = np.array([0.35, 0.5, 0.6], np.float32)  # share of red, green and blue that the brown rim of a bite lacks
_SUBSAMPLING = 4  # every fourth pixel each way is enough to locate the plant and to estimate the paper
_PLANT_LIKELIHOOD = 0.4  # green and brown have more, paper and its shadows less
_DARKEST_PAPER = 110  # minimum of red, green and blue; leaves have less
_MAX_TORN = 0.25  # share of the plant in the view
_SEARCHED = 256  # longer side, in pixels, of the image in which the plant is segmented
_MIN_CONFIDENCE = 0.5  # of a mask; below it the paper is kept
_PLANT_SHARES = 0.02, 0.9  # of a view; outside these limits the mask is likely wrong


def dried_or_fresh(view: View, random: np.random.Generator) -> View:
    """Shift the colour of the plant, not the paper, towards the green of a fresh leaf or the brown of an old sheet.

    Drying degrades chlorophyll and oxidises phenols, so red rises relative to green. Dark lines stay dark.
    """
    towards = BROWN if random.random() < 0.5 else GREEN
    gains = 255 * random.random() * (towards - 1)
    likelihood = _plant_likelihood(view, _paper_colour(view, random))
    channels = []
    for values, gain in zip(cv2.split(view), gains, strict=True):  # 8-bit arithmetic, for speed
        change = cv2.multiply(values, (likelihood * abs(gain)).astype(np.uint8), scale=1 / 255)
        channels.append(cv2.add(values, change) if gain > 0 else cv2.subtract(values, change))
    return np.asarray(cv2.merge(channels), dtype=np.uint8)


def torn(view: View, random: np.random.Generator) -> View:
    """Remove a part of the plant along a ragged edge: at most 5 to 25 % of its pixels in the view."""
    paper, angle = _paper_colour(view, random), random.uniform(0, 2 * np.pi)
    positions = np.arange(len(view), dtype=np.float32) / len(view)
    along = np.float32(np.cos(angle)) * positions + np.float32(np.sin(angle)) * positions[:, None]
    coarse = view[::_SUBSAMPLING, ::_SUBSAMPLING]
    plant = along[::_SUBSAMPLING, ::_SUBSAMPLING][_plant_likelihood(coarse, paper) > _PLANT_LIKELIHOOD]
    if not plant.size:
        return view
    straight = np.quantile(plant, 1 - random.uniform(0.05, _MAX_TORN))
    down, right = np.nonzero((along > straight) & (_darkest(view) < min(PAD_COLOUR)))
    # Teeth are never negative: the ragged edge removes less than the straight one, never more.
    across = np.cos(angle) * positions[down] - np.sin(angle) * positions[right]
    teeth = np.interp(across, np.sort(random.uniform(-1.5, 1.5, size=90)), random.exponential(0.01, size=90))
    gone = along[down, right] > straight + teeth
    result = view.copy()
    result[down[gone], right[gone]] = paper
    return result


def insect_holes(view: View, random: np.random.Generator) -> View:
    """Cut holes with brown rims, 1 to 4 % of the side wide, into the plant; the paper shows through."""
    side, paper = len(view), _paper_colour(view, random)
    plant = _plant_pixels(view, paper)
    if not len(plant):
        return view
    holes = np.zeros((side, side), np.uint8)
    for down, right in plant[random.integers(len(plant), size=random.integers(2, 10))]:
        radius = side * random.uniform(0.005, 0.02)
        for _ in range(3):  # three overlapping bites make the hole irregular
            centre = np.array([right, down]) + random.normal(0, 0.5 * radius, size=2)
            cv2.circle(holes, tuple(map(int, centre)), max(1, round(radius * random.uniform(0.6, 1))), 255, -1)
    rim = cv2.dilate(holes, np.ones((3, 3), np.uint8), iterations=max(1, round(side / 150)))
    changed = rim > 0
    inside, pixels = _soft_mask(holes)[changed], view[changed]
    browned = pixels * (1 - _plant_likelihood(pixels, paper)[:, None] * _RIM)
    result = view.copy()
    result[changed] = _to_uint8(browned * (1 - inside) + paper * inside)
    return result


def mounting_strip(view: View, random: np.random.Generator) -> View:
    """Cover the plant with one or two mounting strips of paper or linen."""
    side = len(view)
    plant = _plant_pixels(view, _paper_colour(view, random))
    if not len(plant):
        return view
    result = view.copy()
    for down, right in plant[random.integers(len(plant), size=random.integers(1, 3))]:
        size = side * random.uniform(0.25, 1.0), side * random.uniform(0.025, 0.06)
        corners = cv2.boxPoints(((float(right), float(down)), size, random.uniform(0, 180)))
        strip = cv2.fillConvexPoly(np.zeros((side, side), np.uint8), corners.astype(np.int32), 255)
        shadow = cv2.blur(strip, (side // 40 + 1, side // 40 + 1))
        changed = shadow > 0
        cover = _soft_mask(strip)[changed] * np.float32(random.uniform(0.85, 1.0))
        threads = random.normal(0, random.uniform(1, 7), size=(len(cover), 1)).astype(np.float32)
        shaded = result[changed] * (1 - shadow[changed, None] * np.float32(0.25 / 255))
        linen = _random_paper_colour(random, darkest=200) + threads
        result[changed] = _to_uint8(shaded * (1 - cover) + linen * cover)
    return result


def other_paper(view: View, random: np.random.Generator) -> View:
    """Replace the paper, and labels and rulers on it; a view whose plant mask is uncertain is returned unchanged."""
    side, inside = len(view), _without_padding(view)
    plant = find_plant(downscale(view[inside], _SEARCHED), view[inside].shape[1::-1])
    if plant.confidence < _MIN_CONFIDENCE or not _PLANT_SHARES[0] < plant.fraction < _PLANT_SHARES[1]:
        return view
    mask = np.zeros((side, side), np.uint8)
    mask[inside] = plant.full() * 255
    uneven = cv2.add(_smooth_noise(random, 3, 6, side), _smooth_noise(random, side // 2, 3, side))  # lighting, grain
    colours = _random_paper_colour(random, darkest=130)
    paper = cv2.merge([cv2.convertScaleAbs(uneven, beta=float(colour)) for colour in colours])
    # Near the plant, its shadow and parts that the mask has missed are multiplied onto the new paper.
    near = cv2.dilate(mask, np.ones((5, 5), np.uint8), iterations=max(1, round(side / 120))) > 0
    kept, pixels = _soft_mask(mask)[near], view[near]
    shading = np.clip(pixels / _paper_colour(view, random), np.float32(0.3), np.float32(1.0))
    paper[near] = _to_uint8(pixels * kept + paper[near].astype(np.float32) * shading * (1 - kept))
    return np.asarray(paper, dtype=np.uint8)


def _smooth_noise(random: np.random.Generator, points: int, deviation: float, side: int) -> NDArray[np.float32]:
    """Draw values (S, S) around 0, interpolated between this many random points each way."""
    values = random.standard_normal((points, points), dtype=np.float32) * np.float32(random.random() * deviation)
    return np.asarray(cv2.resize(values, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


LEAF_AUGMENTATIONS: dict[str, Callable[[View, np.random.Generator], View]] = {
    "other paper": other_paper,
    "dried or fresh": dried_or_fresh,
    "torn": torn,
    "insect holes": insect_holes,
    "mounting strip": mounting_strip,
}
"""All changes by name, in the order in which they are applied."""


def _plant_pixels(view: View, paper: Colour) -> NDArray[np.int64]:
    """Return row and column (N, 2) of every fourth pixel each way that shows the plant."""
    coarse = view[::_SUBSAMPLING, ::_SUBSAMPLING]
    return np.argwhere(_plant_likelihood(coarse, paper) > _PLANT_LIKELIHOOD) * _SUBSAMPLING


def _plant_likelihood(pixels: View, paper: Colour) -> NDArray[np.float32]:
    """Return how likely pixels (..., 3) show a plant, (...), 0..1.

    Paper reflects all colours; a plant absorbs at least blue, so its darkest channel is much darker than the paper.
    """
    by_lightness = np.clip((0.9 - np.arange(256) / paper.min()) / 0.6, 0, 1).astype(np.float32)
    return np.asarray(by_lightness[_darkest(pixels)], dtype=np.float32)


def _darkest(pixels: View) -> NDArray[np.uint8]:
    """Return the minimum of red, green and blue (...) of pixels (..., 3); much faster than ``min(axis=-1)``."""
    return np.minimum(np.minimum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])


def _random_paper_colour(random: np.random.Generator, *, darkest: float) -> Colour:
    """Draw the colour of a paper, from white or grey to the brown of an old one."""
    colour = random.uniform(darkest, 250) * (1 - random.random() * np.array([0.0, 0.05, 0.2]))
    return np.asarray(colour, dtype=np.float32)


def _paper_colour(view: View, random: np.random.Generator) -> Colour:
    """Return the colour of the paper in a view, padding excluded; a random paper colour where no paper is visible."""
    pixels = view[::_SUBSAMPLING, ::_SUBSAMPLING].reshape(-1, 3)
    darkest = _darkest(pixels)
    inside = darkest < min(PAD_COLOUR)
    if inside.any():
        light = pixels[inside & (darkest >= np.quantile(darkest[inside], 0.7))]
        paper = np.asarray(np.median(light, axis=0), dtype=np.float32)
        if paper.min() > _DARKEST_PAPER:
            return paper
    return _random_paper_colour(random, darkest=210)


def _without_padding(view: View) -> tuple[slice, slice]:
    """Return the slices of a view without the white border that makes it square."""
    inside = _darkest(view) < min(PAD_COLOUR)
    down, right = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return np.s_[int(down[0]) : int(down[-1]) + 1, int(right[0]) : int(right[-1]) + 1] if len(down) else np.s_[:, :]


def _soft_mask(mask: NDArray[Any]) -> NDArray[np.float32]:
    """Return a mask (S, S), 0 or 255, as weights (S, S, 1), 0..1, with a soft edge."""
    blurred = cv2.GaussianBlur(mask, (3, 3), 0).astype(np.float32)
    return np.asarray(blurred[..., None] / 255, dtype=np.float32)


def _to_uint8(values: NDArray[np.floating[Any]]) -> View:
    return np.asarray(np.clip(values + np.float32(0.5), 0, 255), dtype=np.uint8)
