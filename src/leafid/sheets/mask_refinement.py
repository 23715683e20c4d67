"""Refine the coarse mask of a parsed leaf to its picture's resolution, by the colours on both sides of its outline.

A pixel in a band along the outline belongs to the side whose local mean colour it is nearer to. The coarse mask speaks
too: the farther a pixel lies from the outline, the less colour can move it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]
Points = NDArray[np.float64]

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


def refine_mask(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], apex: Points) -> NDArray[np.bool_]:
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
        return mask
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB).astype(np.float32)
    lab = np.asarray(cv2.GaussianBlur(lab, (0, 0), 0.8), np.float32)
    band = max(2.0, _BAND * math.sqrt(area))
    refined = mask
    for number in range(_PASSES):
        refined = _moved(lab, refined, apex if number == 0 else None, band / (1 + number))
    kept = np.count_nonzero(refined)
    return refined if 0.6 * area < kept < 1.5 * area else mask


def _moved(lab: Map, mask: NDArray[np.bool_], apex: Points | None, band: float) -> NDArray[np.bool_]:
    inside = np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    outside = np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    signed = np.where(mask, inside - 0.5, 0.5 - outside)
    undecided = np.abs(signed) <= band
    prior = np.asarray(_PRIOR * np.clip(signed / band, -1, 1), np.float32)
    if apex is not None:
        strip = _strip_to(apex, mask, band)
        undecided |= strip
        prior[strip] = 0
    reach = band * (1 + _RING)
    leaf = ((signed > band) & (signed < reach)).astype(np.float32)
    ground = ((signed < -band) & (signed > -reach) & ~undecided).astype(np.float32)
    if leaf.sum() < 50 or ground.sum() < 50:
        return mask
    odds = prior + (_distance(lab, ground, _SIGMA * band) - _distance(lab, leaf, _SIGMA * band)) / 2
    odds = np.asarray(cv2.GaussianBlur(np.clip(odds, -6, 6), (0, 0), _SMOOTH), np.float32)
    return _one_piece(np.where(undecided, odds > 0, signed > 0))


def _distance(lab: Map, weights: Map, sigma: float) -> Map:
    """Squared distance of each pixel from the mean colour of weighted pixels around it, in standard deviations."""
    height, width = weights.shape
    size = (max(1, width // _COARSE), max(1, height // _COARSE))

    def local(values: Map) -> Map:
        small = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(small, (0, 0), max(1.0, sigma / _COARSE)), np.float32)

    total = np.maximum(local(weights), 1e-4)[..., None]
    mean = local(lab * weights[..., None]) / total
    spread = local(lab * lab * weights[..., None]) / total - mean**2
    mean = np.asarray(cv2.resize(mean, (width, height)), np.float32)
    spread = np.asarray(cv2.resize(np.maximum(spread, 0), (width, height)), np.float32) + _SPREAD**2
    return np.asarray(((lab - mean) ** 2 / spread + np.log(spread)).sum(axis=2), np.float32)


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
