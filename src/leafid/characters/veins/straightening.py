"""Straighten a blade along its midrib: rows run across the midrib, which becomes one column, apex up."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.characters.blade import Blade

Points = NDArray[np.float64]

VEIN_SIDE = 400.0  # square root of the straightened blade's area in pixels
MAX_ENLARGEMENT = 3.0  # of small leaves
_BEYOND = 0.25  # share of the midrib's length that is added at both ends, to contain basal lobes


@dataclass(frozen=True)
class StraightBlade:
    """A blade straightened along its midrib.

    Attributes:
        grey: float32 (H, W), 0..255.
        blade: float32 (H, W), 1 on the leaf (petiole included) and 0 elsewhere.
        column: column of the midrib.
        top: row of the midrib's upper end.
        bottom: row of its lower end.
        scale: straightened pixels per working pixel.
        course: points [N, 2] of the midrib in working pixels, one per row from `top` to `bottom`.
    """

    grey: NDArray[np.float32]
    blade: NDArray[np.float32]
    column: int
    top: int
    bottom: int
    scale: float
    course: Points

    def to_working(self, points: Points) -> Points:
        """Map points [N, 2] (column, row) to working pixels (x, y)."""
        rows = points[:, 1] - self.top
        last = len(self.course) - 1
        tangents = _tangents(self.course)
        within = np.clip(rows, 0, last)
        base = np.stack([np.interp(within, np.arange(last + 1), self.course[:, k]) for k in (0, 1)], axis=1)
        along = np.stack([np.interp(within, np.arange(last + 1), tangents[:, k]) for k in (0, 1)], axis=1)
        along /= np.maximum(np.hypot(*along.T), 1e-9)[:, None]
        across = np.stack([along[:, 1], -along[:, 0]], axis=1)
        beyond = (rows - within)[:, None] / self.scale
        return np.asarray(base + beyond * along + (points[:, :1] - self.column) / self.scale * across)


def _tangents(course: Points) -> Points:
    """Return unit vectors along the course, so smooth that neighbouring normals do not cross near the midrib."""
    smooth = cv2.GaussianBlur(course, (1, 0), sigmaX=1e-6, sigmaY=max(1.0, len(course) / 40))
    tangent = np.gradient(np.asarray(smooth).reshape(course.shape), axis=0)
    # Smoothing moves the ends of the course, but keeps their direction.
    return np.asarray(tangent / np.maximum(np.hypot(*tangent.T), 1e-9)[:, None])


def straighten(blade: Blade, course: Points) -> StraightBlade:
    """Straighten a blade along a course [N, 2] in working pixels; the first point of the course is at the top."""
    scale = min(MAX_ENLARGEMENT, VEIN_SIDE / blade.side)
    steps = np.hypot(*np.diff(course, axis=0).T)
    length = np.concatenate([[0.0], np.cumsum(steps)])
    rows = max(8, round(float(length[-1]) * scale))
    even = np.linspace(0, length[-1], rows)
    fine = np.stack([np.interp(even, length, course[:, k]) for k in (0, 1)], axis=1)
    beyond = round(_BEYOND * rows)
    reach = _half_breadth(blade, fine, scale) + 8
    straight = StraightBlade(
        grey=np.zeros((0, 0), np.float32),
        blade=np.zeros((0, 0), np.float32),
        column=reach,
        top=beyond,
        bottom=beyond + rows - 1,
        scale=scale,
        course=fine,
    )
    height, width = rows + 2 * beyond, 2 * reach + 1
    # Each row is a straight line across the course: its ends tell all of it.
    lines = np.arange(height, dtype=np.float64)
    first, last = (straight.to_working(np.stack([np.full(height, end), lines], axis=1)) for end in (0.0, width - 1.0))
    share = np.linspace(0, 1, width)
    x, y = ((first[:, [k]] + share[None] * (last[:, [k]] - first[:, [k]])).astype(np.float32) for k in (0, 1))
    grey = np.asarray(cv2.transform(blade.pixels, np.full((1, 3), 1 / 3)), np.float32)
    sampled = cv2.remap(grey, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.remap(blade.mask.astype(np.float32), x, y, cv2.INTER_LINEAR) > 0.5
    # Where the course bends, normals cross far from it and show parts of the blade twice: keep the largest component.
    _, labels = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
    counts = np.bincount(labels.ravel())
    counts[0] = 0
    inside = labels == int(counts.argmax())
    return replace(straight, grey=np.asarray(sampled, np.float32), blade=np.asarray(inside, np.float32))


def _half_breadth(blade: Blade, course: Points, scale: float) -> int:
    """Return the distance of the farthest point of the blade from the midrib, in straightened pixels."""
    points = np.argwhere(blade.mask)[::7, ::-1].astype(np.float64)
    nearest = np.full(len(points), np.inf)
    for x, y in course[:: max(1, len(course) // 24)]:
        nearest = np.minimum(nearest, np.hypot(points[:, 0] - x, points[:, 1] - y))
    return int(np.ceil(float(nearest.max()) * scale)) if len(points) else 8
