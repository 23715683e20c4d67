"""Find the direction of a leaf, so that every crop can be rotated apex-up.

The midrib of most leaves is their axis of mirror symmetry, and the long axis of leaves clearly longer than wide. The
base is where a petiole joins. Without a petiole, the narrower end is taken as the apex, and the result is marked as
unclear unless the two ends differ strongly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.crops.leaf_separation import LeafRegion, largest_component

SYMMETRY_SIDE = 64  # pixels, as many as bits in a number; the outline is compared with its mirror at this size
AXIS_STEP = 5  # degrees between the axes tried
MIN_SYMMETRY = 0.80  # overlap of a leaf with its mirror image
MIN_END_DIFFERENCE = 0.12  # difference of the widths of the two ends, as a share of the greatest width


@dataclass(frozen=True)
class Orientation:
    """Rotation that brings the apex of a leaf up.

    Attributes:
        angle: Degrees, -180..180, by which the image is rotated counter-clockwise.
        axis_clear: Whether the axis is certain: the leaf is symmetric about it, or clearly longer than wide.
        apex_clear: Whether it is certain which end is the apex.
    """

    angle: float
    axis_clear: bool
    apex_clear: bool


def orient_leaf(region: LeafRegion) -> Orientation:
    """Find the angle that rotates a leaf apex-up."""
    square, centre = _normalised_shape(region.shape)
    left, top = region.window[:2]
    towards_base = None
    if region.base is not None:
        dx, dy = region.base[0] - left - centre[0], region.base[1] - top - centre[1]
        # A joint in the middle is a stem that lies across the leaf.
        if np.hypot(dx, dy) > 0.5 * np.sqrt(region.area / np.pi):
            towards_base = float(np.degrees(np.arctan2(dy, dx)))
    axes = np.arange(0, 180, AXIS_STEP)
    symmetry, length = _measure_axes(square, axes)
    weight = symmetry + 0.35 * np.clip(length / length.min() - 1, 0, 1)
    if towards_base is not None:
        weight = weight + 0.25 * np.abs(np.cos(np.radians(axes - towards_base))) ** 2
    best = int(weight.argmax())
    axis = float(axes[best])
    elongated = length[best] / length.min() > 1.5 and length[best] > 0.9 * length.max()
    axis_clear = bool(symmetry[best] > MIN_SYMMETRY or elongated)
    if towards_base is not None:
        forwards = np.cos(np.radians(axis - towards_base)) < 0
        apex, apex_clear = (axis if forwards else axis + 180), abs(np.cos(np.radians(axis - towards_base))) > 0.6
    else:
        difference = _width_of_end(square, axis) - _width_of_end(square, axis + 180)
        apex, apex_clear = (axis if difference < 0 else axis + 180), abs(difference) > MIN_END_DIFFERENCE
    # image angles run clockwise (y points down); the apex is brought to -90 degrees
    angle = (apex + 90 + 180) % 360 - 180
    return Orientation(angle=float(angle), axis_clear=axis_clear, apex_clear=bool(apex_clear and axis_clear))


def turned_upright(pixels: NDArray[np.uint8], shape: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Turn and mirror a picture so that it looks the same however its leaf was photographed.

    Quarter turns bring the axis of the largest second moment within 45 degrees of upright, and the narrower end up; a
    mirror image brings the longer tail of the outline to the right. No pixel is computed anew: the texture stays.

    Args:
        pixels: uint8 RGB (H, W, 3).
        shape: the leaf in it at any resolution, bool (h, w); only its largest connected part counts.
    """
    part = largest_component(shape.astype(np.uint8))
    moments = cv2.moments(part, binaryImage=True)
    if not moments["m00"]:
        return pixels
    axis = float(np.degrees(np.arctan2(2 * moments["mu11"], moments["mu20"] - moments["mu02"]) / 2))
    square, _ = _normalised_shape(part > 0)
    apex = axis if _width_of_end(square, axis) < _width_of_end(square, axis + 180) else axis + 180
    turns = round((apex + 90) / 90) % 4  # image angles run clockwise, and the apex is to come to -90 degrees
    turned = np.rot90(pixels, turns)
    skew = cv2.moments(np.ascontiguousarray(np.rot90(part, turns)), binaryImage=True)["mu30"]
    return np.ascontiguousarray(turned if skew >= 0 else turned[:, ::-1])


def _normalised_shape(shape: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], tuple[float, float]]:
    """Scale a shape to fit, at any rotation, in a square of `SYMMETRY_SIDE` around its centroid; also the centroid."""
    moments = cv2.moments(shape.astype(np.uint8), binaryImage=True)
    x, y = moments["m10"] / moments["m00"], moments["m01"] / moments["m00"]
    rows, columns = np.nonzero(shape)
    radius = float(np.hypot(rows - y, columns - x).max()) + 1
    scale = SYMMETRY_SIDE / 2 / radius
    half = SYMMETRY_SIDE / 2 - 0.5
    matrix = np.array([[scale, 0, half - scale * x], [0, scale, half - scale * y]])
    square = cv2.warpAffine(shape.astype(np.uint8) * 255, matrix, (SYMMETRY_SIDE, SYMMETRY_SIDE), flags=cv2.INTER_AREA)
    return np.asarray(square, dtype=np.uint8), (x, y)


def _rotated(square: NDArray[np.uint8], axis: float) -> NDArray[np.bool_]:
    """Rotate the direction `axis` (degrees clockwise from the x axis) upwards."""
    half = SYMMETRY_SIDE / 2 - 0.5
    matrix = cv2.getRotationMatrix2D((half, half), axis + 90, 1.0)
    return np.asarray(cv2.warpAffine(square, matrix, (SYMMETRY_SIDE, SYMMETRY_SIDE)) > 127)


def _measure_axes(
    square: NDArray[np.uint8], axes: NDArray[np.integer]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Measure the overlap of the shape with its mirror image about each axis (best of small shifts), and its extent.

    A row of the square is one number of 64 bits, so that shifts and overlaps are operations on whole rows.
    """
    rotated = np.stack([_rotated(square, float(axis)) for axis in axes])  # (A, 64, 64)
    rows, mirrored = _rows_as_bits(rotated), _rows_as_bits(rotated[:, :, ::-1])
    overlap = np.zeros(len(axes))
    for shift in (-4, -2, 0, 2, 4):
        moved = _turned(mirrored, shift)
        common, either = (np.bitwise_count(bits).sum(axis=1) for bits in (rows & moved, rows | moved))
        overlap = np.maximum(overlap, common / np.maximum(1, either))
    filled = rows > 0
    first, last = filled.argmax(axis=1), SYMMETRY_SIDE - 1 - filled[:, ::-1].argmax(axis=1)
    return overlap, np.where(filled.any(axis=1), last - first + 1.0, 1.0)


def _rows_as_bits(shapes: NDArray[np.bool_]) -> NDArray[np.uint64]:
    """Pack the rows of squares (A, 64, 64) into numbers (A, 64); the first column is the highest bit."""
    return np.asarray(np.packbits(shapes, axis=2).view(">u8")[..., 0], dtype=np.uint64)


def _turned(rows: NDArray[np.uint64], shift: int) -> NDArray[np.uint64]:
    """Shift rows to the right by ``shift`` columns; what leaves the square enters at its other side."""
    right = np.uint64(shift % SYMMETRY_SIDE)
    return rows if not right else rows >> right | rows << np.uint64(SYMMETRY_SIDE) - right


def _width_of_end(square: NDArray[np.uint8], apex: float) -> float:
    """Measure the mean width of the last quarter towards `apex`, as a share of the greatest width."""
    rotated = _rotated(square, apex)
    widths = rotated.sum(axis=1)
    rows = np.flatnonzero(widths)
    if len(rows) < 4:
        return 0.0
    quarter = widths[rows[0] : rows[0] + max(1, len(rows) // 4)]
    return float(quarter.mean() / widths.max())
