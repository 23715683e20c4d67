"""Find a printed scale bar on a card: a white line with ticks, a number with its unit below, and colour patches.

The line says how long the bar is in pixels, its ticks how many parts it has. Cards of this kind are printed with bars
of 5 mm, 1 cm, 3 cm, 5 cm and 10 cm; which one it is follows from the number of parts, the number in the middle, and the
letters of the unit. Where one of these signs lacks, no scale is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.ruler_scale import find_ruler_scale

Map = NDArray[np.float32]

WORKING_SIDE = 1600  # long side to which the image is reduced; it is never enlarged
_MIN_BAR = 24  # pixels of the shortest bar; a shorter one is not exact to 2 %
_MIN_CONTRAST = 45.0  # grey levels by which line and writing are lighter than their card
_THICK = 0.07  # of the line, at most, as a share of its length
_PARTS = (10, 5, 3)
_TICKS = (0.005, 0.03)  # where ticks are looked for below the line, as shares of its length
_WRITING = 0.09  # where the number begins below the line, as a share of its length
_PATCHES = (0.2, 1.1)  # where colour patches are looked for below the line
_MIN_SATURATION = 0.33
_MIN_HUES = 3  # of the patches, in sectors of 30 degrees
_MIN_COVERED = 0.75  # share of the bar's length under which colour patches lie
_BESIDE = 0.08  # share of the length by which patches may reach beyond the bar
_NARROW_C = 0.82  # width of the unit's first letter by that of its last, below which it is c and not m


@dataclass(frozen=True)
class ScaleBar:
    """A scale bar.

    Attributes:
        px_per_mm: pixels of the image per mm.
        length_mm: length of the bar that is printed on it.
        line: x of its left and right end, and y, in pixels of the image.
    """

    px_per_mm: float
    length_mm: float
    line: tuple[float, float, float]


def find_scale(image: NDArray[np.uint8]) -> float | None:
    """Return the pixels per mm of an image, uint8 RGB (H, W, 3), by a ruler or else a scale bar; None without both."""
    ruler = find_ruler_scale(image)
    if ruler is not None:
        return ruler.px_per_mm
    bar = find_scale_bar(image)
    return None if bar is None else bar.px_per_mm


def find_scale_bar(image: NDArray[np.uint8]) -> ScaleBar | None:
    """Find the scale bar of an image whose card lies upright; None without one that can be read.

    Args:
        image: uint8 RGB (H, W, 3).
    """
    scale = min(1.0, WORKING_SIDE / max(image.shape[:2]))
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.float32)
    for left, top, width, height in _lines(grey):
        bar = _read_bar(image, grey, (left, top, width, height))
        if bar is not None:
            line = (bar.line[0] / scale, bar.line[1] / scale, bar.line[2] / scale)
            return ScaleBar(bar.px_per_mm / scale, bar.length_mm, line)
    return None


def _light(grey: Map, reach: int) -> NDArray[np.uint8]:
    """Where thin things are lighter than what surrounds them, 0 or 1."""
    raised = cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, np.ones((reach, reach), np.uint8))
    return np.asarray(raised > _MIN_CONTRAST, np.uint8)


def _lines(grey: Map) -> list[tuple[int, int, int, int]]:
    """Boxes (left, top, width, height) of light, nearly level lines, the longest first."""
    thin = cv2.dilate(_light(grey, 15), np.ones((3, 1), np.uint8))
    level = cv2.morphologyEx(thin, cv2.MORPH_OPEN, np.ones((1, _MIN_BAR), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(level, connectivity=8)
    boxes = [(int(x), int(y), int(w), int(h)) for x, y, w, h, _ in stats[1:]]
    return sorted((box for box in boxes if box[3] <= max(6, _THICK * box[2] + 2)), key=lambda box: -box[2])


def _read_bar(image: NDArray[np.uint8], grey: Map, box: tuple[int, int, int, int]) -> ScaleBar | None:
    left, top, width, height = box
    below = round(_PATCHES[1] * width)
    if top + below + 2 > grey.shape[0] + 0.5 * width or left < 2:
        return None
    ends = _exact_ends(grey, box)
    if ends is None:
        return None
    start, end = ends
    length = end - start
    parts = _parts(grey, top + height, start, end)
    patches_top = _patches(image, top + height, start, end)
    if parts is None or patches_top is None:
        return None
    length_mm = _printed_length(grey, parts, (top + height + round(_WRITING * length), patches_top), start, end)
    if length_mm is None:
        return None
    return ScaleBar(length / length_mm, length_mm, (start, end, top + height / 2))


def _exact_ends(grey: Map, box: tuple[int, int, int, int]) -> tuple[float, float] | None:
    """Where the line's brightness falls to half at both ends, between the pixels."""
    left, top, width, height = box
    margin = max(4, round(0.06 * width))
    first, last = max(0, left - margin), min(grey.shape[1], left + width + margin)
    profile = grey[top : top + height, first:last].max(axis=0)
    inner = float(np.median(profile[margin : margin + width]))
    outer = float(np.median(np.concatenate([profile[: margin // 2], profile[-(margin // 2) :]])))
    if inner - outer < _MIN_CONTRAST:
        return None
    over = profile > (inner + outer) / 2
    middle = len(profile) // 2
    if not over[middle]:
        return None
    start, end = middle, middle
    while start > 0 and over[start - 1]:
        start -= 1
    while end < len(profile) - 1 and over[end + 1]:
        end += 1
    if start == 0 or end == len(profile) - 1:
        return None

    def crossing(outside: int, inside: int) -> float:
        share = ((inner + outer) / 2 - profile[outside]) / max(1e-6, profile[inside] - profile[outside])
        return float(outside + 0.5 + share * (inside - outside))

    return first + crossing(start - 1, start), first + crossing(end + 1, end)


def _parts(grey: Map, under: int, start: float, end: float) -> int | None:
    """Into how many parts ticks divide the bar; None where they are not even."""
    length = end - start
    rows = grey[under + round(_TICKS[0] * length) : under + max(2, round(_TICKS[1] * length)) + 1]
    if not rows.size:
        return None
    profile = rows.mean(axis=0)
    thick = max(1.0, 0.012 * length)

    def light(places: NDArray[np.float64], take: float) -> Map:
        reach = np.arange(-take, take + 1)
        columns = np.clip(np.round(places[:, None] + reach).astype(int), 0, len(profile) - 1)
        return np.asarray(profile[columns].max(axis=1), np.float32)

    for parts in _PARTS:
        share = np.arange(parts + 1) / parts
        ticks = start + thick + share * (length - 2 * thick)
        if length / parts < 4:
            continue
        at = light(ticks, 1.0 if length / parts < 8 else 2.0)
        between = light((ticks[1:] + ticks[:-1]) / 2, 0.0)
        if at.min() - between.max() > 0.35 * (float(np.median(at)) - float(np.median(between))) > 8:
            return parts
    return None


def _patches(image: NDArray[np.uint8], under: int, start: float, end: float) -> int | None:
    """Row at which colour patches begin below the bar; None where there are none of its width."""
    length = end - start
    first, last = under + round(_PATCHES[0] * length), under + round(_PATCHES[1] * length)
    beside = round(_BESIDE * length)
    left, right = max(0, round(start) - 3 * beside), round(end) + 3 * beside
    part = image[first:last, left:right].astype(np.float32)
    if part.shape[0] < 3:
        return None
    hsv = np.asarray(cv2.cvtColor(part / 255, cv2.COLOR_RGB2HSV), np.float32)
    coloured = (hsv[..., 1] > _MIN_SATURATION) & (hsv[..., 2] > 0.25)
    rows = np.flatnonzero(coloured.mean(axis=1) > 0.35)
    if not len(rows):
        return None
    band = coloured[rows]
    columns = np.flatnonzero(band.mean(axis=0) > 0.4) + left
    inside = columns[(columns >= start - beside) & (columns <= end + beside)]
    hues = np.bincount((hsv[..., 0][rows][band] / 30).astype(int), minlength=13) / max(1, band.sum())
    if len(inside) < _MIN_COVERED * length or len(inside) < len(columns) or (hues > 0.06).sum() < _MIN_HUES:
        return None
    return int(first + rows[0])


def _printed_length(grey: Map, parts: int, rows: tuple[int, int], start: float, end: float) -> float | None:
    """Length in mm that the card states."""
    if parts == 3:
        return 30.0
    length = end - start
    left, right = max(0, round(start - 0.15 * length)), round(end + 0.75 * length)
    letters = _letters(_light(grey[rows[0] : rows[1], left:right], 2 * round(0.12 * length) + 1))
    if not letters:
        return None
    tallest = max(height for _, _, height in letters)
    text = [(x + left, width) for x, width, height in letters if height > 0.55 * tallest]
    if parts == 10:
        middle = any(start + 0.3 * length < x + width / 2 < start + 0.7 * length for x, width in text)
        return 100.0 if middle else 10.0
    unit = [width for x, width in text if x > end + 0.02 * length or x + width / 2 > end + 0.08 * length]
    if len(unit) < 2:
        return None
    return 50.0 if unit[-2] < _NARROW_C * unit[-1] else 5.0


def _letters(writing: NDArray[np.uint8]) -> list[tuple[int, int, int]]:
    """Left, width and height of each letter, from left to right."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(writing, connectivity=8)
    return sorted((int(x), int(w), int(h)) for x, _, w, h, area in stats[1:] if area >= 3)
