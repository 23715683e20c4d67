"""What happens to a leaf between the plant and the picture, done to views: drying, tearing, insects, mounting, paper.

Each change takes a view (S, S, 3), uint8, RGB, and a source of chance, and returns a new view of the same form. None
needs a stored mask: how much a pixel differs from the paper says how much of a plant it is. Only the exchange of the
paper finds the plant itself, on the view, which agrees with the mask from the full image (*Viola*, 9 sheets: of the
plant's pixels 97 to 99 % in views of the plant, 81 to 99 % in views of a leaf) and takes 10 ms for 258 pixels.
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
"""By how much red, green and blue of a plant are multiplied where it becomes an old or a fresh one altogether."""

_RIM = np.array([0.35, 0.5, 0.6], np.float32)  # of red, green and blue, that is missing where a leaf was bitten
_STEP = 4  # every fourth pixel each way is enough to know where the plant and what the paper is
_IS_PLANT = 0.4  # of plantness: green and brown have more, paper and its shadows less
_DARKEST_PAPER = 110  # the least of red, green and blue; leaves have less
_MOST_TORN = 0.25  # of the plant in the view
_SEARCHED = 256  # pixels of the longer side in which the plant is sought
_LEAST_SURE = 0.5  # confidence in a mask below which the paper is left alone
_PLANT_SHARES = 0.02, 0.9  # of a view; beyond, there is nothing to exchange or nothing to keep


def dried_or_fresh(view: View, random: np.random.Generator) -> View:
    """Shift the plant, and not the paper, between the green of a fresh leaf and the brown of an old sheet.

    Drying breaks chlorophyll down and oxidises phenols: red rises against green. Dark lines stay dark.
    """
    towards = BROWN if random.random() < 0.5 else GREEN
    gains = 255 * random.random() * (towards - 1)
    plantness = _plantness(view, _paper(view, random))
    channels = []
    for values, gain in zip(cv2.split(view), gains, strict=True):  # in bytes, for it is done to many views
        change = cv2.multiply(values, (plantness * abs(gain)).astype(np.uint8), scale=1 / 255)
        channels.append(cv2.add(values, change) if gain > 0 else cv2.subtract(values, change))
    return np.asarray(cv2.merge(channels), dtype=np.uint8)


def torn(view: View, random: np.random.Generator) -> View:
    """Take away a part of the plant along a ragged edge, 5 to 25 % of what the view shows of it at most."""
    paper, angle = _paper(view, random), random.uniform(0, 2 * np.pi)
    places = np.arange(len(view), dtype=np.float32) / len(view)
    along = np.float32(np.cos(angle)) * places + np.float32(np.sin(angle)) * places[:, None]
    plant = along[::_STEP, ::_STEP][_plantness(view[::_STEP, ::_STEP], paper) > _IS_PLANT]
    if not plant.size:
        return view
    straight = np.quantile(plant, 1 - random.uniform(0.05, _MOST_TORN))
    down, right = np.nonzero((along > straight) & (_darkest(view) < min(PAD_COLOUR)))
    # Teeth only give back of what the straight edge takes.
    across = np.cos(angle) * places[down] - np.sin(angle) * places[right]
    teeth = np.interp(across, np.sort(random.uniform(-1.5, 1.5, size=90)), random.exponential(0.01, size=90))
    gone = along[down, right] > straight + teeth
    result = view.copy()
    result[down[gone], right[gone]] = paper
    return result


def insect_holes(view: View, random: np.random.Generator) -> View:
    """Eat holes of 1 to 4 % of the side into the plant, with brown rims, through which the paper shows."""
    side, paper = len(view), _paper(view, random)
    plant = np.argwhere(_plantness(view[::_STEP, ::_STEP], paper) > _IS_PLANT) * _STEP
    if not len(plant):
        return view
    holes = np.zeros((side, side), np.uint8)
    for down, right in plant[random.integers(len(plant), size=random.integers(2, 10))]:
        radius = side * random.uniform(0.005, 0.02)
        for _ in range(3):  # three bites
            centre = np.array([right, down]) + random.normal(0, 0.5 * radius, size=2)
            cv2.circle(holes, tuple(map(int, centre)), max(1, round(radius * random.uniform(0.6, 1))), 255, -1)
    rim = cv2.dilate(holes, np.ones((3, 3), np.uint8), iterations=max(1, round(side / 150)))
    there = rim > 0
    inside, pixels = _soft(holes)[there], view[there]
    browned = pixels * (1 - _plantness(pixels, paper)[:, None] * _RIM)
    result = view.copy()
    result[there] = _bytes(browned * (1 - inside) + paper * inside)
    return result


def mounting_strip(view: View, random: np.random.Generator) -> View:
    """Lay one or two strips of paper or linen across the plant, as they hold it to the sheet."""
    side = len(view)
    plant = np.argwhere(_plantness(view[::_STEP, ::_STEP], _paper(view, random)) > _IS_PLANT) * _STEP
    if not len(plant):
        return view
    result = view.copy()
    for down, right in plant[random.integers(len(plant), size=random.integers(1, 3))]:
        size = side * random.uniform(0.25, 1.0), side * random.uniform(0.025, 0.06)
        corners = cv2.boxPoints(((float(right), float(down)), size, random.uniform(0, 180)))
        strip = cv2.fillConvexPoly(np.zeros((side, side), np.uint8), corners.astype(np.int32), 255)
        shadow = cv2.blur(strip, (side // 40 + 1, side // 40 + 1))
        there = shadow > 0
        cover = _soft(strip)[there] * np.float32(random.uniform(0.85, 1.0))
        threads = random.normal(0, random.uniform(1, 7), size=(len(cover), 1)).astype(np.float32)
        shaded = result[there] * (1 - shadow[there, None] * np.float32(0.25 / 255))
        result[there] = _bytes(shaded * (1 - cover) + (_some_paper(random, darkest=200) + threads) * cover)
    return result


def other_paper(view: View, random: np.random.Generator) -> View:
    """Lay the plant on another paper; labels and rulers go with the old one. A plant not clearly found stays."""
    side, inside = len(view), _without_padding(view)
    plant = find_plant(downscale(view[inside], _SEARCHED), view[inside].shape[1::-1])
    if plant.confidence < _LEAST_SURE or not _PLANT_SHARES[0] < plant.fraction < _PLANT_SHARES[1]:
        return view
    mask = np.zeros((side, side), np.uint8)
    mask[inside] = plant.full() * 255
    uneven = cv2.add(_field(random, 3, 6, side), _field(random, side // 2, 3, side))  # its lighting and its grain
    paper = cv2.merge([cv2.convertScaleAbs(uneven, beta=float(colour)) for colour in _some_paper(random, darkest=130)])
    # Around the plant its shadow and what the mask has missed go over to the new paper; farther off nothing does.
    near = cv2.dilate(mask, np.ones((5, 5), np.uint8), iterations=max(1, round(side / 120))) > 0
    kept, pixels = _soft(mask)[near], view[near]
    shading = np.clip(pixels / _paper(view, random), np.float32(0.3), np.float32(1.0))
    paper[near] = _bytes(pixels * kept + paper[near].astype(np.float32) * shading * (1 - kept))
    return np.asarray(paper, dtype=np.uint8)


def _field(random: np.random.Generator, points: int, deviation: float, side: int) -> NDArray[np.float32]:
    """Draw values (S, S) around 0 that change smoothly between this many points each way."""
    values = random.standard_normal((points, points), dtype=np.float32) * np.float32(random.random() * deviation)
    return np.asarray(cv2.resize(values, (side, side), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


CHANGES: dict[str, Callable[[View, np.random.Generator], View]] = {
    "other paper": other_paper,
    "dried or fresh": dried_or_fresh,
    "torn": torn,
    "insect holes": insect_holes,
    "mounting strip": mounting_strip,
}
"""All of them by their names, in the order in which they are done."""


def _plantness(pixels: View, paper: Colour) -> NDArray[np.float32]:
    """How much pixels (..., 3) are of a plant, (...), 0..1: paper reflects all colours, a plant at least not blue."""
    by_lightness = np.clip((0.9 - np.arange(256) / paper.min()) / 0.6, 0, 1).astype(np.float32)
    return np.asarray(by_lightness[_darkest(pixels)], dtype=np.float32)


def _darkest(pixels: View) -> NDArray[np.uint8]:
    """Return the least of red, green and blue (...) of pixels (..., 3), ten times as fast as ``min(axis=-1)``."""
    return np.minimum(np.minimum(pixels[..., 0], pixels[..., 1]), pixels[..., 2])


def _some_paper(random: np.random.Generator, *, darkest: float) -> Colour:
    """Draw the colour of a paper, from white or grey to the brown of an old one."""
    colour = random.uniform(darkest, 250) * (1 - random.random() * np.array([0.0, 0.05, 0.2]))
    return np.asarray(colour, dtype=np.float32)


def _paper(view: View, random: np.random.Generator) -> Colour:
    """The colour of the paper in a view, the padding around it not counted; where it shows none, that of some paper."""
    pixels = view[::_STEP, ::_STEP].reshape(-1, 3)
    darkest = _darkest(pixels)
    inside = darkest < min(PAD_COLOUR)
    if inside.any():
        light = pixels[inside & (darkest >= np.quantile(darkest[inside], 0.7))]
        paper = np.asarray(np.median(light, axis=0), dtype=np.float32)
        if paper.min() > _DARKEST_PAPER:
            return paper
    return _some_paper(random, darkest=210)


def _without_padding(view: View) -> tuple[slice, slice]:
    """Return where the view is not the white border that fills a square up."""
    inside = _darkest(view) < min(PAD_COLOUR)
    down, right = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
    return np.s_[int(down[0]) : int(down[-1]) + 1, int(right[0]) : int(right[-1]) + 1] if len(down) else np.s_[:, :]


def _soft(mask: NDArray[Any]) -> NDArray[np.float32]:
    """Return a mask (S, S), 0 or 255, as shares (S, S, 1) with a soft edge."""
    blurred = cv2.GaussianBlur(mask, (3, 3), 0).astype(np.float32)
    return np.asarray(blurred[..., None] / 255, dtype=np.float32)


def _bytes(values: NDArray[np.floating[Any]]) -> View:
    return np.asarray(np.clip(values + np.float32(0.5), 0, 255), dtype=np.uint8)
