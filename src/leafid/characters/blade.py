"""Reduce a leaf crop to the size at which its blade is measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WORKING_SIDE = 400  # square root of the blade's area in pixels of the working image, at most
MIN_SIDE = 40  # a smaller blade shows neither form nor veins
RIM = 8  # empty pixels around the crop, so that filters and outlines need no special case at its edge


@dataclass(frozen=True)
class Blade:
    """A leaf blade at working size.

    Attributes:
        pixels: uint8 RGB (h, w, 3), with a rim of `RIM` pixels around the crop.
        mask: True on the leaf, petiole included, bool (h, w); one component without holes.
        scale: working pixels per pixel of the crop, 0..1.
        solidity: share of its convex hull that the leaf fills, 0..1.
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
    """Reduce a crop to working size.

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
    blade = largest_component(np.pad(mask, RIM))
    return Blade(framed, blade, scale, _solidity(blade))


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
