"""Outlines of blades on a plain ground: parts that hang together broadly are one blade, thin ones are no part of it.

An opening by a disc takes off what is thin: petioles, the rachis between leaflets, and tips. What ends freely and is
not the petiole belongs to the blade, as a drip tip does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.leaf_view import Points
from leafid.sheets.leaf_parser.outlines.plain_ground import PlainGround

Mask = NDArray[np.bool_]

_THIN = 0.12  # radius of the disc, as a share of the largest that fits into the object
_SMALLEST = 0.03  # area of a blade, as a share of the largest of its object
_SHORTEST = 0.25  # length of a thin part that may be a petiole, likewise
_STUMP = 0.4  # length of the petiole that is left on the blade, likewise: the base is found where it widens
_HOLE = 0.002  # area of holes that are filled, as a share of the object


@dataclass(frozen=True)
class ThinPart:
    """A thin part that hangs on one blade: its pixels (rows, columns), and where it joins the blade [2]."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    joint: Points
    length: float


@dataclass(frozen=True)
class Silhouette:
    """A blade on a plain ground, in pixels of a reduced picture; points are (column, row).

    Attributes:
        mask: bool [h, w] with all thin parts that end freely.
        corner: [2] of the mask in the reduced picture.
        factor: pixels of the reduced picture per pixel of the picture.
        radius: of the largest disc that fits into its object.
        solidity: share of its convex hull that it fills, without thin parts.
        thin: thin parts that may be its petiole or a tip, the longest first; in pixels of the mask.
        joints: how many thin parts lead to other blades.
    """

    mask: Mask
    corner: tuple[float, float]
    factor: float
    radius: float
    solidity: float
    thin: tuple[ThinPart, ...]
    joints: int

    def to_mask(self, points: Points) -> Points:
        """Map points [N, 2] of the picture to the mask."""
        return np.asarray(points * self.factor - np.array(self.corner))

    def to_picture(self, points: Points) -> Points:
        """Map points [N, 2] of the mask to the picture."""
        return np.asarray((points + np.array(self.corner)) / self.factor)

    def shifted(self, left: float, top: float) -> Silhouette:
        """The same blade, where the picture was a part of a larger one that begins at this column and row of it."""
        return replace(self, corner=(self.corner[0] + left * self.factor, self.corner[1] + top * self.factor))

    def in_picture(self, shape: tuple[int, ...]) -> tuple[Mask, tuple[int, int]]:
        """The mask in the pixels of the picture, cut to its box, and the left upper corner of that."""
        rows, columns = np.flatnonzero(self.mask.any(axis=1)), np.flatnonzero(self.mask.any(axis=0))
        ends = self.to_picture(np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]], np.float64))
        left, top = np.clip(np.floor(ends[0]).astype(int), 0, None).tolist()
        right, bottom = np.minimum(np.ceil(ends[1]).astype(int), [shape[1], shape[0]]).tolist()
        matrix = np.array([[1.0, 0, self.corner[0]], [0, 1, self.corner[1]]]) / self.factor - [
            [0, 0, left],
            [0, 0, top],
        ]
        matrix[:, 2] += 0.5 / self.factor - 0.5  # OpenCV has (0, 0) at the centre of the first pixel
        smooth = cv2.warpAffine(self.mask.astype(np.float32), matrix, (right - left, bottom - top))
        return np.asarray(smooth) >= 0.5, (left, top)

    def without(self, petiole: ThinPart | None) -> Mask:
        """The mask without a petiole, of which a stump is left."""
        if petiole is None:
            return self.mask
        mask = self.mask.copy()
        apart = np.hypot(petiole.columns + 0.5 - petiole.joint[0], petiole.rows + 0.5 - petiole.joint[1])
        away = apart > _STUMP * self.radius
        mask[petiole.rows[away], petiole.columns[away]] = False
        return mask


def silhouettes(ground: PlainGround, leaves: NDArray[np.float32]) -> list[Silhouette]:
    """Find the blades among the objects on which leaves were found.

    Args:
        ground: what lies on it.
        leaves: as for `plain_ground`.
    """
    inside = cv2.resize((leaves > 0).astype(np.uint8), ground.objects.shape[::-1], interpolation=cv2.INTER_NEAREST)
    number, labels, stats, _ = cv2.connectedComponentsWithStats(ground.objects.astype(np.uint8), connectivity=8)
    found = np.bincount(labels[np.asarray(inside) > 0], minlength=number)
    result: list[Silhouette] = []
    for label in np.flatnonzero(found > 0.3 * stats[:, cv2.CC_STAT_AREA]):
        if label:
            left, top, width, height = stats[label, :4].tolist()
            mask = labels[top : top + height, left : left + width] == label
            result += _blades(np.pad(_filled(mask), 1), (left - 1, top - 1), ground.factor)
    return result


def _filled(mask: Mask) -> Mask:
    """Fill small holes."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats((~np.pad(mask, 1)).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < _HOLE * np.count_nonzero(mask)
    return np.asarray(mask | small[labels[1:-1, 1:-1]]) if number > 2 else mask


def _blades(mask: Mask, corner: tuple[int, int], factor: float) -> list[Silhouette]:
    depth = np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    radius = float(depth.max())
    disc = max(1.5, _THIN * radius)
    grown = np.asarray(cv2.distanceTransform((depth <= disc).astype(np.uint8), cv2.DIST_L2, 5)) <= disc + 0.5
    number, labels, stats, _ = cv2.connectedComponentsWithStats((mask & grown).astype(np.uint8), connectivity=4)
    cores = np.asarray(labels, np.int32)
    if number < 2:
        return []
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    kept = np.flatnonzero(areas > _SMALLEST * areas.max())
    cores[~np.isin(cores, kept)] = 0
    thin, joints, free = _thin_parts(mask, cores, radius)
    result = []
    for label in kept:
        rows, columns = np.nonzero((cores == label) | (free == label))
        low, high = np.array([columns.min(), rows.min()]), np.array([columns.max(), rows.max()]) + 1
        own = np.zeros(high[::-1] - low[::-1], np.bool_)
        own[rows - low[1], columns - low[0]] = True
        parts = [
            ThinPart(part.rows - low[1], part.columns - low[0], part.joint - low, part.length)
            for part in sorted(thin.get(int(label), []), key=lambda part: -part.length)
        ]
        place = (corner[0] + int(low[0]), corner[1] + int(low[1]))
        result.append(
            Silhouette(own, place, factor, radius, _solidity(cores == label), tuple(parts), joints.get(int(label), 0))
        )
    return result


def _thin_parts(
    mask: Mask, cores: NDArray[np.int32], radius: float
) -> tuple[dict[int, list[ThinPart]], dict[int, int], NDArray[np.int32]]:
    """Find thin parts by the blade on which they hang, how many lead on, and the blade [h, w] of the free ones."""
    number, labels, stats, _ = cv2.connectedComponentsWithStats((mask & (cores == 0)).astype(np.uint8), connectivity=8)
    free = np.zeros_like(cores)
    thin: dict[int, list[ThinPart]] = {}
    joints: dict[int, int] = {}
    for label in range(1, number):
        left, top, width, height = stats[label, :4].tolist()
        window = np.s_[max(0, top - 1) : top + height + 1, max(0, left - 1) : left + width + 1]
        own = labels[window] == label
        touched = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        blades = np.unique(cores[window][touched & (cores[window] > 0)]).tolist()
        if len(blades) == 1:
            free[window][own] = blades[0]
            length = float(np.hypot(width, height))
            if length >= _SHORTEST * radius:
                joint = np.argwhere(touched & (cores[window] > 0)).mean(axis=0)[::-1] + 0.5
                rows, columns = np.nonzero(own)
                at = np.array([window[1].start, window[0].start])
                thin.setdefault(blades[0], []).append(ThinPart(rows + at[1], columns + at[0], joint + at, length))
        else:
            for blade in blades:
                joints[blade] = joints.get(blade, 0) + 1
    return thin, joints, free


def _solidity(mask: Mask) -> float:
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)
    return float(cv2.contourArea(outline)) / max(1.0, float(cv2.contourArea(cv2.convexHull(outline))))
