"""Prepare the blade that is measured: reduce a leaf crop to working size and remove its shadow.

A plant mask may include the shadow beside a curled leaf. A shadow has the paper's colour or a warmer one, is darker
than the paper, and is as smooth. Where the leaf clearly differs in colour, such parts of the outline are removed.
Brown spots at the margin of a leaf have the same colours, but are rough: they stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WORKING_SIDE = 400  # square root of the blade's area in pixels of the working image, at most
MIN_SIDE = 40  # a smaller blade shows neither form nor veins
RIM = 8  # empty pixels around the crop, so that filters and outlines need no special case at its edge
_DARKNESS = 16.0  # grey levels, added before logarithms and ratios: the colour of nearly black pixels is noise
_SHADOW_LIGHT = (0.4, 0.75)  # brightness of a shadow relative to the paper; spots are darker, glossy parts lighter
_DEEPEST_SHADOW = 0.25  # brightness of a shadow beside a green leaf: the colour alone separates the two
_MAX_COLOUR_SHARE = 0.42  # of the difference from the paper's colour (0) to the leaf's (1) that a shadow may have
_MIN_GREEN_DIFFERENCE = 0.05  # log(red / green) by which a leaf is greener than its paper; a shadow is never greener
_MAX_GREEN_SHARE = 0.25  # of the leaf's green that a shadow may have
_MAX_ROUGHNESS = 0.4  # of a shadow, as a share of the leaf's
_SHADOW_EDGE = 11  # pixels around the smooth part of a shadow that may belong to its edge
_MIN_COLOUR_DISTANCE = 0.16  # of leaf and paper in log-chromaticity; with less, shadow and leaf look alike


@dataclass(frozen=True)
class Blade:
    """A leaf blade at working size.

    Attributes:
        pixels: uint8 RGB (h, w, 3), with a rim of `RIM` pixels around the crop.
        mask: True on the leaf, petiole included, bool (h, w); one component without holes.
        scale: working pixels per pixel of the crop, 0..1.
        solidity: share of its convex hull that the leaf fills, 0..1, without parts of the outline that may be paper.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    scale: float
    solidity: float

    @property
    def side(self) -> float:
        """Square root of the area in working pixels."""
        return math.sqrt(np.count_nonzero(self.mask))

    def to_crop(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points [N, 2] (x, y) of the working image, whole at pixel centres, to the crop, whole at pixel edges."""
        return np.asarray((points + 0.5 - RIM) / self.scale)

    def from_crop(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Map points [N, 2] (x, y) of the crop to the working image."""
        return np.asarray(points * self.scale - 0.5 + RIM)


def prepare_blade(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Blade:
    """Reduce a crop to working size and remove its shadow.

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
    strict = largest_component(remove_shadow(framed, padded, spots=False))
    return Blade(framed, largest_component(remove_shadow(framed, padded)), scale, _solidity(strict))


def _solidity(mask: NDArray[np.bool_]) -> float:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outlines = [
        (float(cv2.contourArea(outline)), float(cv2.contourArea(cv2.convexHull(outline)))) for outline in contours
    ]
    area, hull = max(outlines, default=(0.0, 1.0))
    return area / max(1.0, hull)


def rectangularity(mask: NDArray[np.bool_]) -> float:
    """Return the share of the narrowest rectangle around a mask that it fills, 0..1: 1 for a label."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not outlines:
        return 0.0
    outline = max(outlines, key=cv2.contourArea)
    width, height = cv2.minAreaRect(outline)[1]
    return float(cv2.contourArea(outline)) / max(1.0, width * height)


def remove_shadow(pixels: NDArray[np.uint8], mask: NDArray[np.bool_], *, spots: bool = True) -> NDArray[np.bool_]:
    """Remove the shadow from the outline of a leaf whose colour clearly differs from that of the paper.

    Args:
        pixels: uint8 RGB (H, W, 3).
        mask: True on leaf and shadow, bool (H, W).
        spots: keep parts that have a shadow's colour but are as rough as the leaf, such as brown spots at the margin.
            If False, these are removed too, and with them the paper between the leaflets of a compound leaf.
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
    if distance < _MIN_COLOUR_DISTANCE:
        return mask
    share = (colour - of_paper) @ apart / distance**2  # 0 the paper's colour, 1 the leaf's
    aside = np.abs((colour - of_paper) @ np.array([-apart[1], apart[0]])) / distance
    shade = light / float(np.median(light[paper]))
    like_paper = (share < _MAX_COLOUR_SHARE) & (aside < 0.5 * distance)
    shadow = like_paper & (shade > _SHADOW_LIGHT[0]) & (shade < _SHADOW_LIGHT[1])
    if spots:
        green = of_leaf[0] - of_paper[0]
        if green < -_MIN_GREEN_DIFFERENCE:  # shadows are warmer than the paper, never greener
            ungreen = (colour[..., 0] - of_paper[0]) / green < _MAX_GREEN_SHARE
            shadow |= ungreen & (shade > _DEEPEST_SHADOW) & (shade < _SHADOW_LIGHT[1])
        rough = _roughness(light)
        even = (shadow & mask & (rough < _MAX_ROUGHNESS * float(np.median(rough[core])))).astype(np.uint8)
        shadow &= cv2.dilate(even, np.ones((_SHADOW_EDGE, _SHADOW_EDGE), np.uint8)) > 0
    shadow &= mask
    outside = ((~mask) | shadow).astype(np.uint8)
    _, labels = cv2.connectedComponents(outside, connectivity=4)
    beside = np.zeros(int(labels.max()) + 1, np.bool_)
    beside[np.unique(labels[~mask])] = True
    kept = mask & ~(shadow & beside[labels])
    return np.asarray(kept) if np.count_nonzero(kept) > 0.4 * np.count_nonzero(mask) else mask


def _roughness(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the local standard deviation of the logarithm of brightness, (h, w)."""
    detail = np.log(light)
    detail = detail - cv2.GaussianBlur(detail, (0, 0), 2.5)
    return np.asarray(np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), 2.5)), np.float32)


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the largest connected component, with filled holes and an outline smoothed by one pixel."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, disc)
    contours, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    filled = np.zeros(mask.shape, np.uint8)
    if contours:
        areas = [float(cv2.contourArea(contour)) for contour in contours]
        cv2.drawContours(filled, contours, int(np.argmax(areas)), (1,), cv2.FILLED)
    return np.asarray(filled > 0)
