"""The ground of a picture where it is plain, such as paper or a black cloth, and how much each pixel differs from it.

The ground is a smooth surface of colour. A shadow is ground that is darker by up to a third and has its hue; what is
lighter, darker than that, or of another hue, lies on the ground.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

_SIDE = 640  # long side to which pictures are reduced
_LIGHTNESS = 0.5  # weight of lightness beside both axes of hue
_SHADOW = 0.35  # share of its lightness that ground loses in a shadow, at most
_GRID = 4  # every n-th pixel is enough to fit the surface
_FEWEST = 150  # of these, below which there is no ground to be seen
_AROUND = 0.02  # share of the side around leaves that is not taken for ground
_THRESHOLD = 0.3  # of the leaves' typical difference, from which a pixel lies on the ground
_SPREADS = 4.0  # standard deviations of the ground that must be less than this threshold
_PLAIN = 0.6  # share of what is no leaf that must be ground; the rest are scales, labels, other things


@dataclass(frozen=True)
class PlainGround:
    """What lies on a plain ground.

    Attributes:
        objects: bool [h, w], in the reduced picture.
        away: [h, w] how much each pixel differs from the ground.
        factor: pixels of the reduced picture per pixel of the picture, at most 1.
    """

    objects: NDArray[np.bool_]
    away: Map
    factor: float


def plain_ground(rgb: NDArray[np.uint8], leaves: Map) -> PlainGround | None:
    """Tell objects from a plain ground; None where the ground is not plain.

    Args:
        rgb: uint8 (H, W, 3).
        leaves: where leaves were found, a map of any size with the picture's proportions, above 0 on leaves.
    """
    factor = min(1.0, _SIDE / max(rgb.shape[:2]))
    size = (max(1, round(rgb.shape[1] * factor)), max(1, round(rgb.shape[0] * factor)))
    small = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8) if factor < 1 else rgb
    inside = np.asarray(cv2.resize((leaves > 0).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST))
    around = 2 * max(2, round(_AROUND * max(size))) + 1
    beside = cv2.dilate(inside, np.ones((around, around), np.uint8)) == 0
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float32)
    surface = _surface(lab, beside)
    if surface is None:
        return None
    away = _difference(lab, surface)
    threshold = _THRESHOLD * float(np.median(away[inside > 0]))
    ground = away[beside]
    if _SPREADS * 1.48 * float(np.median(ground)) > threshold or float(np.mean(ground < threshold)) < _PLAIN:
        return None
    return PlainGround(away > threshold, away, factor)


def _surface(lab: Map, beside: NDArray[np.bool_]) -> Map | None:
    """Fit polynomials of the second degree to the colours beside the leaves, without what differs from most of them."""
    height, width = beside.shape
    rows, columns = np.arange(height, dtype=np.float32) / height - 0.5, np.arange(width, dtype=np.float32) / width - 0.5
    down, across = (grid.ravel() for grid in np.meshgrid(rows[::_GRID], columns[::_GRID], indexing="ij"))
    colours, used = lab[::_GRID, ::_GRID].reshape(-1, 3), beside[::_GRID, ::_GRID].ravel()
    if np.count_nonzero(used) < _FEWEST:
        return None
    terms = np.stack([np.ones_like(down), across, down, across**2, across * down, down**2], axis=1)
    away = np.abs(colours - np.median(colours[used], axis=0)).sum(axis=1)
    kept = used & (away <= np.percentile(away[used], 75) + 1)
    for _ in range(3):
        fitted = np.linalg.lstsq(terms[kept], colours[kept], rcond=None)[0].astype(np.float32)
        away = np.sqrt(((colours - terms @ fitted) ** 2).sum(axis=1))
        kept = used & (away < _SPREADS * (1.48 * float(np.median(away[kept])) + 0.5))
    coarse = (terms @ fitted).reshape(len(rows[::_GRID]), len(columns[::_GRID]), 3)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _difference(lab: Map, surface: Map) -> Map:
    lightness, *hue = cv2.split(cv2.subtract(lab, surface))
    shadow = cv2.scaleAdd(cv2.extractChannel(surface, 0), _SHADOW, lightness)
    beyond = _LIGHTNESS * (np.maximum(lightness, 0) + np.minimum(shadow, 0))
    return np.asarray(cv2.magnitude(np.asarray(beyond, np.float32), cv2.magnitude(*hue)), np.float32)
