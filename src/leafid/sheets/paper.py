"""Fit the colour of the paper (or cloth, or table) at every pixel, and find the edge of the sheet.

The colour of a pressed plant differs from its paper far more than the paper varies, once shading is removed. So the
colour of the paper is fitted as a smooth surface in CIE L*a*b*, and all later steps use the distance from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

LIGHTNESS_BIN = 4  # L*a*b* units per bin of the colour histogram
MODEL_STEP = 8  # the surface is fitted on every 8th pixel (area means)
MIN_PAPER_LIGHTNESS = 40.0  # L*; darker areas are backdrop, leaf or ruler


@dataclass(frozen=True)
class Paper:
    """Colour model of the background of one image.

    Attributes:
        colour: Fitted background colour, float32 (H, W, 3) in CIE L*a*b* (L* 0..100).
        share: Share of the image, 0..1, that follows the model.
    """

    colour: NDArray[np.float32]
    share: float


def to_lab(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert uint8 RGB (H, W, 3) to float32 CIE L*a*b* (L* 0..100, a* and b* about -127..127)."""
    lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
    return np.asarray(lab, dtype=np.float32)


def fit_paper_colour(lab: NDArray[np.float32]) -> Paper | None:
    """Fit the colour of the background as a quadratic surface over the image.

    The fit starts from the most frequent colour that can be paper or cloth (not dark, not leaf green), with bright
    colours preferred. Pixels near the surface are then fitted in four rounds, in the first two by a plane, so that the
    surface follows shading and vignetting.

    Args:
        lab: float32 (H, W, 3) as from `to_lab`.

    Returns:
        The model, or None where no colour covers enough of the image (a field photo).
    """
    height, width = lab.shape[:2]
    small = cv2.resize(
        lab, (max(8, width // MODEL_STEP), max(8, height // MODEL_STEP)), interpolation=cv2.INTER_AREA
    ).astype(np.float64)
    pixels = small.reshape(-1, 3)
    start = _most_frequent_colour(pixels)
    if start is None:
        return None
    y, x = np.mgrid[0 : small.shape[0], 0 : small.shape[1]]
    terms = _surface_terms((x.ravel() + 0.5) / small.shape[1], (y.ravel() + 0.5) / small.shape[0])
    predicted = np.broadcast_to(start, pixels.shape)
    share = 0.0
    coefficients = np.zeros((6, 3))
    for lightness_tolerance, colour_tolerance, degree_terms in ((14, 7, 3), (12, 6, 3), (10, 5, 6), (10, 5, 6)):
        residual = pixels - predicted
        near = (np.abs(residual[:, 0]) < lightness_tolerance) & (
            np.hypot(residual[:, 1], residual[:, 2]) < colour_tolerance
        )
        share = float(near.mean())
        if near.sum() < 100:
            return None
        used = terms[near, :degree_terms]
        coefficients[:] = 0
        coefficients[:degree_terms] = np.linalg.lstsq(used, pixels[near], rcond=None)[0]
        predicted = terms @ coefficients
    surface = (terms @ coefficients).reshape(small.shape).astype(np.float32)
    colour = cv2.resize(surface, (width, height), interpolation=cv2.INTER_LINEAR)
    return Paper(colour=np.asarray(colour, dtype=np.float32), share=share)


def _most_frequent_colour(pixels: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Find the mode of the colours (N, 3) that can be paper; None if hardly any pixel can."""
    lightness, red, yellow = pixels.T
    leaf_green = (red < -8) & (yellow > 12)
    possible = (lightness > MIN_PAPER_LIGHTNESS) & (np.hypot(red, yellow) < 50) & ~leaf_green
    if possible.mean() < 0.05:
        return None
    offset = np.array([0.0, 64.0, 64.0])
    bins = ((pixels[possible] + offset) // LIGHTNESS_BIN).astype(int).clip(0, [25, 31, 31])
    numbers = np.ravel_multi_index(tuple(bins.T), (26, 32, 32))
    histogram = np.bincount(numbers, minlength=26 * 32 * 32).reshape(26, 32, 32).astype(np.float64)
    for axis in range(3):  # the colours of one paper may lie on both sides of a bin's edge
        padded = np.moveaxis(histogram, axis, 0)
        spread = padded.copy()
        spread[1:] += 0.5 * padded[:-1]
        spread[:-1] += 0.5 * padded[1:]
        histogram = np.moveaxis(spread, 0, axis)
    histogram *= (np.arange(26) / 25.0)[:, None, None]
    mode = np.array(np.unravel_index(int(histogram.argmax()), histogram.shape), dtype=np.float64)
    return np.asarray(mode * LIGHTNESS_BIN + LIGHTNESS_BIN / 2 - offset, dtype=np.float64)


def _surface_terms(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the terms of a quadratic surface at positions 0..1, shape (N, 6): constant, plane, squares."""
    x, y = x - 0.5, y - 0.5
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)


def sheet_region(distance: NDArray[np.float32], tolerance: float) -> NDArray[np.bool_]:
    """Find the sheet: the quadrilateral around all large components of paper, shrunk at edges inside the image.

    Plants divide the paper into components and labels cover its corners, so the convex hull of one component is not
    enough. A narrow strip of paper colour beside the largest component or along the image's edge is left out: it is a
    ruler or the next sheet.

    Args:
        distance: Distance of each pixel from the paper's colour, float32 (H, W).
        tolerance: Largest distance that counts as paper.

    Returns:
        True inside the sheet, bool (H, W). All True without any paper.
    """
    height, width = distance.shape
    paper = cv2.morphologyEx((distance < tolerance).astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(paper, connectivity=4)
    if count < 2:
        return np.ones(distance.shape, np.bool_)
    largest = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    belongs = stats[:, cv2.CC_STAT_AREA] > 0.003 * height * width
    belongs[0] = False
    left, top, w, h = (stats[:, column] for column in range(4))
    right, bottom = left + w, top + h
    at_edge = (left == 0) | (top == 0) | (right == width) | (bottom == height)
    beside = (right <= left[largest]) | (left >= right[largest]) | (bottom <= top[largest]) | (top >= bottom[largest])
    belongs &= ~((np.minimum(w, h) < 0.12 * width) & (at_edge | beside))
    belongs[largest] = True
    contours, _ = cv2.findContours(belongs[labels].astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    region = np.zeros(distance.shape, np.uint8)
    hull = np.asarray(cv2.convexHull(np.vstack(contours)), dtype=np.int32)
    cv2.fillConvexPoly(region, _enclosing_quadrilateral(hull), 1)
    # Erosion removes the shadow at the sheet's own edge. The image's edge has none, so it is extended first.
    margin = 5
    padded = cv2.copyMakeBorder(region, margin, margin, margin, margin, cv2.BORDER_REPLICATE)
    shrunk = cv2.erode(padded, np.ones((2 * margin - 1, 2 * margin - 1), np.uint8))
    return np.asarray(shrunk[margin:-margin, margin:-margin] > 0)


def _enclosing_quadrilateral(hull: NDArray[np.int32]) -> NDArray[np.int32]:
    """Restore covered corners by intersecting the longest nearly straight hull edges of the four sides.

    Args:
        hull: Convex polygon as from `cv2.convexHull`, (N, 1, 2).

    Returns:
        Polygon (4, 1, 2); `hull` itself where a side is missing or a corner lies far outside.
    """
    polygon = cv2.approxPolyDP(hull, 0.004 * cv2.arcLength(hull, True), True)[:, 0].astype(np.float64)
    centre = polygon.mean(axis=0)
    sides: dict[tuple[int, bool], tuple[float, NDArray[np.float64]]] = {}
    for start, end in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        direction = end - start
        length = float(np.hypot(*direction))
        if min(abs(direction)) > 0.2 * max(abs(direction)):
            continue
        axis = int(abs(direction[0]) > abs(direction[1]))  # 0: a left or right side, 1: a top or bottom side
        side = (axis, bool(((start + end) / 2)[axis] > centre[axis]))
        normal = np.array([-direction[1], direction[0]]) / length
        if side not in sides or length > sides[side][0]:
            sides[side] = (length, np.array([normal[0], normal[1], normal @ start]))
    if len(sides) < 4:
        return hull
    corners = []
    for vertical, horizontal in (
        ((0, False), (1, False)),
        ((0, True), (1, False)),
        ((0, True), (1, True)),
        ((0, False), (1, True)),
    ):
        a, b = sides[vertical][1], sides[horizontal][1]
        corners.append(np.linalg.solve(np.stack([a[:2], b[:2]]), np.array([a[2], b[2]])))
    quadrilateral = np.round(np.array(corners)).astype(np.int32)[:, None]
    grows_too_much = cv2.contourArea(quadrilateral) > 1.35 * cv2.contourArea(hull)
    return hull if grows_too_much else quadrilateral
