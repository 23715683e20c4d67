"""The blade a measurement starts from: a leaf crop at working size, without its shadow.

A mask made to tell plant from paper may keep the shadow beside a curled leaf. A shadow has the paper's colour and less
light, or is warmer, and is as smooth as the paper; where the leaf's colour is clearly another, such parts of the
outline are taken off. Brown spots at the margin of a leaf have those colours too, but are rough.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WORKING_SIDE = 400  # square root of the blade's area in pixels of the working image, at most
SMALLEST_SIDE = 40  # below this a blade shows neither form nor veins
RIM = 8  # empty pixels around the crop, so that outlines and paths need no special care at its edge
_DARKNESS = 16.0  # added before logarithms and ratios, so that the colour of black pixels does not count
_SHADOW = (0.4, 0.75)  # light left in a shadow, as a share of the paper's: spots are darker, glossy parts lighter
_DEEPEST = 0.25  # light left in the shadow of a leaf that is known from its green
_LIKE_PAPER = 0.42  # of the way from the paper's colour to the leaf's that a shadow may go
_GREENER = 0.05  # of a leaf than its paper, in log of red to green, from which green itself tells it from a shadow
_GREEN_OF_SHADOW = 0.25  # of the leaf's green that a shadow may seem to have
_SMOOTH = 0.4  # roughness of a shadow, at most, as a share of the leaf's
_EDGE = 11  # pixels about the smooth part of a shadow that may be its edge
_CLEAR_COLOUR = 0.16  # distance of leaf and paper in log-chromaticity from which a shadow can be told


@dataclass(frozen=True)
class Blade:
    """A leaf at working size.

    Attributes:
        pixels: uint8 RGB (h, w, 3), with a rim of `RIM` pixels around the crop.
        mask: True on the leaf, petiole included, bool (h, w); one piece without holes.
        scale: working pixels per pixel of the crop, 0..1.
        solidity: share of its convex hull that the leaf fills, without what might be paper at its outline, 0..1.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    scale: float
    solidity: float

    @property
    def side(self) -> float:
        """Square root of the area, working pixels."""
        return math.sqrt(np.count_nonzero(self.mask))

    def to_crop(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring points [N, 2] (x, y) of the working image to pixels of the crop."""
        return np.asarray((points - RIM) / self.scale)


def working_blade(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Blade:
    """Reduce a crop to working size and take its shadow off.

    Args:
        pixels: uint8 RGB (H, W, 3).
        mask: True on the leaf, bool (H, W).
    """
    side = math.sqrt(max(1, int(np.count_nonzero(mask))))
    scale = min(1.0, WORKING_SIDE / side)
    if scale < 1:
        size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        mask = np.asarray(cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0.5)
    framed = np.asarray(cv2.copyMakeBorder(pixels, RIM, RIM, RIM, RIM, cv2.BORDER_REPLICATE), np.uint8)
    padded = np.pad(mask, RIM)
    strict = one_piece(without_shadow(framed, padded, spots=False))
    return Blade(framed, one_piece(without_shadow(framed, padded)), scale, _solidity(strict))


def _solidity(mask: NDArray[np.bool_]) -> float:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outlines = [
        (float(cv2.contourArea(outline)), float(cv2.contourArea(cv2.convexHull(outline)))) for outline in contours
    ]
    area, hull = max(outlines, default=(0.0, 1.0))
    return area / max(1.0, hull)


def without_shadow(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], *, spots: bool = True) -> NDArray[np.bool_]:
    """Take the shadow beside a leaf of clearly another colour than its paper off the leaf's outline.

    Args:
        pixels: uint8 RGB (H, W, 3).
        mask: True on leaf and shadow, bool (H, W).
        spots: keep what has a shadow's colour and is as rough as the leaf: a brown spot at the margin. Without, such
            parts go as well, and with them the paper seen between the pinnae of a compound leaf.
    """
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5)
    core = depth > 0.35 * float(depth.max())
    reach = max(3, round(0.02 * math.sqrt(max(1, int(np.count_nonzero(mask))))))
    paper = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) > reach
    if np.count_nonzero(core) < 50 or np.count_nonzero(paper) < 50:
        return mask
    smooth = cv2.GaussianBlur(pixels, (0, 0), 1.0).astype(np.float32) + _DARKNESS
    colour = np.log(smooth[..., :2] / smooth[..., 1:])  # log of red to green and of green to blue
    light = smooth.sum(axis=2)
    of_leaf, of_paper = np.median(colour[core], axis=0), np.median(colour[paper], axis=0)
    apart = of_leaf - of_paper
    distance = float(np.hypot(*apart))
    if distance < _CLEAR_COLOUR:
        return mask
    share = (colour - of_paper) @ apart / distance**2  # 0 the paper's colour, 1 the leaf's
    aside = np.abs((colour - of_paper) @ np.array([-apart[1], apart[0]])) / distance
    shade = light / float(np.median(light[paper]))
    shadow = (share < _LIKE_PAPER) & (aside < 0.5 * distance) & (shade > _SHADOW[0]) & (shade < _SHADOW[1])
    if spots:
        green = of_leaf[0] - of_paper[0]
        if green < -_GREENER:  # shadows are warmer than the paper, never greener
            ungreen = (colour[..., 0] - of_paper[0]) / green < _GREEN_OF_SHADOW
            shadow |= ungreen & (shade > _DEEPEST) & (shade < _SHADOW[1])
        rough = _roughness(light)
        even = (shadow & mask & (rough < _SMOOTH * float(np.median(rough[core])))).astype(np.uint8)
        shadow &= cv2.dilate(even, np.ones((_EDGE, _EDGE), np.uint8)) > 0
    shadow &= mask
    outside = ((~mask) | shadow).astype(np.uint8)
    _, labels = cv2.connectedComponents(outside, connectivity=4)
    beside = np.zeros(int(labels.max()) + 1, np.bool_)
    beside[np.unique(labels[~mask])] = True
    kept = mask & ~(shadow & beside[labels])
    return np.asarray(kept) if np.count_nonzero(kept) > 0.4 * np.count_nonzero(mask) else mask


def _roughness(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation of the logarithm of light about its surroundings."""
    detail = np.log(light)
    detail = detail - cv2.GaussianBlur(detail, (0, 0), 2.5)
    return np.asarray(np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 2.5)), np.float32)


def one_piece(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece, its holes filled and its outline smoothed by one pixel."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc)
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    if contours:
        areas = [float(cv2.contourArea(contour)) for contour in contours]
        cv2.drawContours(filled, contours, int(np.argmax(areas)), (1,), cv2.FILLED)
    return np.asarray(filled > 0)
