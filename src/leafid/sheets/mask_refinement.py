"""Refine the coarse mask of a parsed leaf to its picture's resolution, by the colours on both sides of its outline.

A pixel in a band along the outline belongs to the side whose local mean colour it is nearer to. The coarse mask speaks
too: the farther a pixel lies from the outline, the less colour can move it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]
Points = NDArray[np.float64]
Indices = NDArray[np.intp]

_BAND = 0.035  # half-width of the band along the outline, as a share of the square root of the leaf's area
_RING = 3.0  # how far beyond the band colours are taken, in half-widths of the band
_SIGMA = 2.0  # of the local mean of colours, in half-widths of the band
_COARSE = 4  # local means are calculated at this fraction of the size
_SPREAD = 4.0  # standard deviation that every colour has at least, in units of CIELAB
_PRIOR = 1.5  # log odds of the coarse mask at the edge of the band
_SMOOTH = 1.0  # sigma of the log odds, pixels
_CORRIDOR = (
    0.25  # half-width of the strip from mask to apex in which a thin tip is looked for, in half-widths of the band
)
_PASSES = 2
_ROW = 1024  # places that are sampled in one row
_STEP = 0.03  # how far inside and outside the outline colours are compared, as a share of the square root of the area
MAX_UNCLEAR_OUTLINE = 0.08
"""Share of an outline; above it a part of the blade lacks, is covered, or cannot be told from its ground."""
_NEARBY = 0.15  # sigma of the colour of the blade beside a place, as a share of the square root of the area
_ALIKE = 22.0  # of `_distance`, below which a colour is that of the blade
_GROWTH = 0.45  # how far a mask may grow, likewise
_NECK = 0.04  # half-width of parts that are too thin to be blade, likewise
_CONTRAST = 15.0  # distance of two colours in units of 8-bit CIELAB below which they are about the same


@dataclass(frozen=True)
class _Colours:
    """Colours of a crop in CIELAB: `lab` [H, W, 3], and they and their squares at a fraction of the size."""

    lab: Map
    small: Map
    squares: Map

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> _Colours:
        lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float32)
        lab = np.asarray(cv2.GaussianBlur(lab, (0, 0), 0.8), np.float32)
        return cls(lab, _reduced(lab), _reduced(np.asarray(cv2.multiply(lab, lab))))

    def distances(self, weights: Map, sigma: float, rows: Indices, columns: Indices) -> Map:
        """Squared distances [N] of pixels from the mean colour of weighted ones around them, in standard deviations."""

        def local(values: Map) -> Map:
            return np.asarray(cv2.GaussianBlur(values, (0, 0), max(1.0, sigma / _COARSE)), np.float32)

        share = _reduced(weights)[..., None]
        total = np.maximum(local(share[..., 0]), 1e-4)[..., None]
        mean = np.asarray(local(self.small * share) / total, np.float32)
        scatter = np.asarray(local(self.squares * share) / total - mean**2, np.float32)
        spread = np.maximum(scatter, 0) + np.float32(_SPREAD**2)
        height, width = weights.shape
        x = ((columns + 0.5) * (mean.shape[1] / width) - 0.5).astype(np.float32)
        y = ((rows + 0.5) * (mean.shape[0] / height) - 0.5).astype(np.float32)
        away = self.lab[rows, columns] - _sampled(mean, x, y)
        scaled = (away * away * _sampled(np.asarray(1 / spread, np.float32), x, y)).sum(axis=1)
        return np.asarray(scaled + _sampled(np.asarray(np.log(spread).sum(axis=2), np.float32), x, y), np.float32)


def _reduced(values: Map) -> Map:
    size = (max(1, values.shape[1] // _COARSE), max(1, values.shape[0] // _COARSE))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _sampled(values: Map, x: Map, y: Map) -> Map:
    """Values [N, ...] between pixels; places are laid in rows, because OpenCV takes at most 32,767 in one."""
    padded = -len(x) % _ROW
    grid = [np.pad(each, (0, padded)).reshape(-1, _ROW) for each in (x, y)]
    found = cv2.remap(values, grid[0], grid[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(found, np.float32).reshape(-1, *values.shape[2:])[: len(x)]


@dataclass(frozen=True)
class RefinedMask:
    """A refined mask, bool (H, W), and the share of its outline that is unclear; see `unclear_outline`."""

    mask: NDArray[np.bool_]
    unclear: float


def refine_mask(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], apex: Points) -> RefinedMask:
    """Refine a leaf's mask.

    Args:
        pixels: uint8 RGB (H, W, 3), a crop of the leaf with some background around it.
        mask: bool (H, W), its coarse mask.
        apex: [2] tip of the blade (x, y) in pixels of the crop; a thin tip may lack in the mask up to there.

    Returns:
        The refined mask, one component without holes; the coarse one where colours do not tell leaf and background.
    """
    area = int(np.count_nonzero(mask))
    if not area:
        return RefinedMask(mask, 1.0)
    colours = _Colours.of(pixels)
    band = max(2.0, _BAND * math.sqrt(area))
    refined = mask
    for number in range(_PASSES):
        refined = _moved(colours, refined, apex if number == 0 else None, band / (1 + number))
    if not 0.6 * area < np.count_nonzero(refined) < 1.5 * area:
        refined = mask
    unclear = unclear_outline(pixels, refined)
    if unclear > MAX_UNCLEAR_OUTLINE:
        grown = _moved(colours, _grown(colours, refined), None, band / 2)
        unclear_grown = unclear_outline(pixels, grown)
        if unclear_grown < min(MAX_UNCLEAR_OUTLINE, unclear / 2):
            return RefinedMask(grown, unclear_grown)
    return RefinedMask(refined, unclear)


def _grown(colours: _Colours, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add what goes on in the colour of the blade beside it: a coarse mask may lack a part of its leaf."""
    side = math.sqrt(np.count_nonzero(mask))
    away = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    inside = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(np.float32)
    rows, columns = np.nonzero(away < _GROWTH * side)
    alike = colours.distances(inside, _NEARBY * side, rows, columns) < _ALIKE
    added = np.zeros(mask.shape, np.uint8)
    added[rows[alike], columns[alike]] = 1
    breadth = 2 * round(_NECK * side) + 1
    added = np.asarray(cv2.morphologyEx(added, cv2.MORPH_OPEN, np.ones((breadth, breadth), np.uint8)))
    _, pieces = cv2.connectedComponents(((added > 0) | mask).astype(np.uint8), connectivity=4)
    return np.asarray(pieces == np.bincount(pieces[mask]).argmax())


def unclear_outline(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Return the share of a leaf's outline where the colour is about the same on both sides, 0 to 1.

    There the leaf goes on beyond its mask, or another lies over or behind it. Whole leaves on another ground have less
    than 0.06.

    Args:
        pixels: uint8 RGB (H, W, 3), the leaf with some background around it.
        mask: bool (H, W), its refined mask.
    """
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines or mask.all():
        return 1.0
    step = max(2.0, _STEP * math.sqrt(np.count_nonzero(mask)))
    lab = _smooth_colours(pixels, step / 2)
    within = np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    beyond = np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    signed = cv2.GaussianBlur(within - beyond, (0, 0), step / 2)
    points = np.asarray(max(outlines, key=len)[::3, 0])
    slopes = [cv2.Sobel(signed, cv2.CV_32F, *way)[points[:, 1], points[:, 0]] for way in ((1, 0), (0, 1))]
    inward = np.stack(slopes, axis=1).astype(np.float64)
    inward /= np.maximum(np.hypot(*inward.T), 1e-6)[:, None]

    def colour(places: Points) -> Map:
        factors = lab.shape[1] / mask.shape[1], lab.shape[0] / mask.shape[0]
        x, y = ((places + 0.5) * factors - 0.5).astype(np.float32).T
        return _sampled(lab, x, y)

    difference = colour(points + step * inward) - colour(points - step * inward)
    return float(np.mean(np.sqrt((difference**2).sum(axis=1)) < _CONTRAST))


def _smooth_colours(pixels: NDArray[np.uint8], sigma: float) -> Map:
    """Blur colours in CIELAB [h, w, 3]; at half the size where the blur is wide enough for that to be the same."""
    half = sigma >= 2
    size = (max(1, pixels.shape[1] // 2), max(1, pixels.shape[0] // 2))
    small = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8) if half else pixels
    lab = cv2.cvtColor(small, cv2.COLOR_RGB2LAB).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(lab, (0, 0), sigma / 2 if half else sigma), np.float32)


def ground_inside(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> float:
    """Return the share of a leaf's inner part that has the colour of the ground beside it, 0 to 1.

    Twigs with small leaves, compound leaves and ferns let the ground through; a blade does not.

    Args:
        pixels: uint8 RGB (H, W, 3), the leaf with some background around it.
        mask: bool (H, W), its refined mask.
    """
    side = math.sqrt(np.count_nonzero(mask))
    within = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    beyond = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5)
    inner, ring = within > _STEP * side, (beyond > _STEP * side) & (beyond < 6 * _STEP * side)
    if np.count_nonzero(inner) < 50 or np.count_nonzero(ring) < 50:
        return 0.0
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float32)
    away = np.sqrt(((lab - np.median(lab[ring], axis=0)) ** 2).sum(axis=2))
    return float(np.mean(away[inner] < _CONTRAST))


def _moved(colours: _Colours, mask: NDArray[np.bool_], apex: Points | None, band: float) -> NDArray[np.bool_]:
    inside = np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    outside = np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    signed = np.asarray(np.where(mask, inside - 0.5, 0.5 - outside), np.float32)
    undecided = np.abs(signed) <= band
    strip = np.zeros_like(mask) if apex is None else _strip_to(apex, mask, band)
    undecided |= strip
    reach = band * (1 + _RING)
    leaf = ((signed > band) & (signed < reach)).astype(np.float32)
    ground = ((signed < -band) & (signed > -reach) & ~undecided).astype(np.float32)
    if leaf.sum() < 50 or ground.sum() < 50:
        return mask
    # Only what is undecided, and what its smoothing reaches, needs colours compared.
    near = cv2.dilate(undecided.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    rows, columns = np.nonzero(near)
    prior = np.where(strip[near], 0, _PRIOR * np.clip(signed[near] / band, -1, 1))
    away = [colours.distances(weights, _SIGMA * band, rows, columns) for weights in (ground, leaf)]
    odds = np.zeros(mask.shape, np.float32)
    odds[near] = np.clip(prior + (away[0] - away[1]) / 2, -6, 6)
    odds = np.asarray(cv2.GaussianBlur(odds, (0, 0), _SMOOTH), np.float32)
    return _one_piece(np.where(undecided, odds > 0, signed > 0))


def _strip_to(apex: Points, mask: NDArray[np.bool_], band: float) -> NDArray[np.bool_]:
    """A strip from the middle of the mask to the apex, without the mask."""
    rows, columns = np.nonzero(mask)
    middle = (int(columns.mean()), int(rows.mean()))
    strip = np.zeros(mask.shape, np.uint8)
    cv2.line(strip, middle, (round(float(apex[0])), round(float(apex[1]))), 1, max(3, round(2 * _CORRIDOR * band)))
    return np.asarray((strip > 0) & ~mask)


def _one_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest component, its holes filled, after an opening by a pixel."""
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, (1,), cv2.FILLED)
    return np.asarray(filled > 0)
