"""The view in which one leaf is read: apex up, base and apex at fixed rows, its width brought to a fixed share.

Coordinates are (column, row), continuous: the centre of the first pixel is (0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.graph import VIEW_HEIGHT, VIEW_WIDTH

Points = NDArray[np.float64]

APEX_ROW, BASE_ROW = 30.0, 318.0
"""Rows of the view at which apex and base are put; below the base is room for a petiole of a fifth of that."""
AXIS_COLUMN = VIEW_WIDTH / 2
VIEW_ENDS: Points = np.array([[AXIS_COLUMN, BASE_ROW], [AXIS_COLUMN, APEX_ROW]])
"""Base and apex in the view."""
_BLADE_COLUMNS = 132.0  # columns that the blade's width is to fill
_MOST_STRETCH = 2.2  # a narrow leaf is stretched at most so much, and a broad one squeezed
_UNKNOWN_STRETCH = 1.0
_GREY = (124, 124, 124)  # what lies outside the picture


@dataclass(frozen=True)
class LeafView:
    """An affine map from the picture to the view: `matrix` [2, 3] on continuous coordinates."""

    matrix: Points

    def to_view(self, points: Points) -> Points:
        """Map points [N, 2] of the picture to the view."""
        return np.asarray(points @ self.matrix[:, :2].T + self.matrix[:, 2])

    def to_picture(self, points: Points) -> Points:
        """Map points [N, 2] of the view to the picture."""
        return np.asarray((points - self.matrix[:, 2]) @ np.linalg.inv(self.matrix[:, :2]).T)

    @property
    def px_scale(self) -> float:
        """View pixels per picture pixel along the leaf's axis."""
        return float(np.hypot(*np.linalg.inv(self.matrix[:, :2])[:, 1])) ** -1

    def shifted(self, left: float, top: float) -> LeafView:
        """The same view, where the picture was a part of a larger one that begins at this column and row of it."""
        return LeafView(_joined(self.matrix, np.array([[1.0, 0, -left], [0, 1, -top]])))

    def mirrored(self) -> LeafView:
        """The same view with left and right exchanged."""
        flip = np.array([[-1.0, 0, VIEW_WIDTH], [0, 1, 0]])
        return LeafView(_joined(flip, self.matrix))

    def cut(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Cut the view [384, 192, 3] out of an RGB picture; grey where the picture ends."""
        return np.asarray(self._warped(image, _GREY), np.uint8)

    def cut_mask(self, mask: NDArray[np.float32] | NDArray[np.uint8]) -> NDArray[np.float32]:
        """Cut the view [384, 192] out of a map of the picture's size; 0 where the picture ends."""
        return np.asarray(self._warped(np.asarray(mask, np.float32), (0.0,)), np.float32)

    def paste(self, view_map: NDArray[np.float32], box: tuple[int, int, int, int]) -> NDArray[np.float32]:
        """Bring a map of the view (of any size with its proportions) back to a box of the picture.

        Args:
            view_map: the map, perhaps at a half or a quarter of the view's size.
            box: left, top, right, bottom in whole pixels of the picture.
        """
        factor = view_map.shape[0] / VIEW_HEIGHT
        shift = np.array([[1.0, 0, -box[0]], [0, 1, -box[1]]])
        back = np.linalg.inv(np.vstack([self.matrix, [0, 0, 1]]))[:2]
        back = _joined(shift, back) @ np.diag([1 / factor, 1 / factor, 1])
        size = (box[2] - box[0], box[3] - box[1])
        return np.asarray(
            cv2.warpAffine(view_map, _at_centres(back), size, flags=cv2.INTER_LINEAR, borderValue=0.0), np.float32
        )

    def _warped(self, image: NDArray[np.generic], outside: tuple[float, ...]) -> NDArray[np.generic]:
        # Only the part that the view sees is reduced, by area, before it is turned: thin veins must not alias.
        corners = self.to_picture(
            np.array([[0, 0], [VIEW_WIDTH, 0], [0, VIEW_HEIGHT], [VIEW_WIDTH, VIEW_HEIGHT]], np.float64)
        )
        height, width = image.shape[:2]
        left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2, 0, [width - 1, height - 1])
        right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 2, [left + 1, top + 1], [width, height])
        part = np.ascontiguousarray(image[top:bottom, left:right])
        factor = min(1.0, 1.4 * float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2])))))
        matrix = self.matrix @ np.array([[1.0, 0, left], [0, 1, top], [0, 0, 1]])
        if factor < 0.75:
            size = (max(1, round(part.shape[1] * factor)), max(1, round(part.shape[0] * factor)))
            matrix = matrix @ np.diag([part.shape[1] / size[0], part.shape[0] / size[1], 1.0])
            part = cv2.resize(part, size, interpolation=cv2.INTER_AREA)
        return np.asarray(
            cv2.warpAffine(
                part,
                _at_centres(matrix),
                (VIEW_WIDTH, VIEW_HEIGHT),
                flags=cv2.INTER_LINEAR,
                borderMode=cv2.BORDER_CONSTANT,
                borderValue=outside,
            )
        )


@dataclass(frozen=True)
class Prior:
    """A first mask of a leaf in cells [h, w], each of `cell` pixels of the picture on a side."""

    cells: NDArray[np.float32]
    cell: float

    def cut(self, view: LeafView) -> NDArray[np.float32]:
        """What a view [384, 192] shows of the mask."""
        return LeafView(view.matrix @ np.diag([self.cell, self.cell, 1.0])).cut_mask(self.cells)


def leaf_view(base: Points, apex: Points, half_width: float | None, *, factor: float = 1.0) -> LeafView:
    """Build the view of a leaf.

    Args:
        base: [2] where petiole and blade meet.
        apex: [2] tip of the blade.
        half_width: largest distance of the blade from the line between the two, pixels; None where it is not known.
        factor: by how much the width is stretched beyond the usual.
    """
    axis = np.asarray(base, np.float64) - np.asarray(apex, np.float64)
    length = max(float(np.hypot(axis[0], axis[1])), 1e-3)
    down = axis / length
    right = np.array([down[1], -down[0]])
    along = (BASE_ROW - APEX_ROW) / length
    stretch = _UNKNOWN_STRETCH if half_width is None else _BLADE_COLUMNS / 2 / max(half_width * along, 1.0)
    across = along * float(np.clip(stretch * factor, 1 / _MOST_STRETCH, _MOST_STRETCH))
    linear = np.stack([right * across, down * along])
    shift = np.array([AXIS_COLUMN, APEX_ROW]) - linear @ np.asarray(apex, np.float64)
    return LeafView(np.column_stack([linear, shift]))


def half_width_of(pixels: Points, base: Points, apex: Points) -> float | None:
    """Distance from the axis within which nearly all of the blade's pixels [N, 2] lie; None where there are few."""
    if len(pixels) < 8:
        return None
    axis = np.asarray(base, np.float64) - np.asarray(apex, np.float64)
    across = np.abs((pixels - apex) @ np.array([axis[1], -axis[0]])) / max(float(np.hypot(*axis)), 1e-3)
    return float(np.percentile(across, 98))


def _joined(second: Points, first: Points) -> Points:
    """The affine map [2, 3] that does `first`, then `second`."""
    return np.asarray(second @ np.vstack([first, [0, 0, 1]]))


def _at_centres(matrix: Points) -> Points:
    """From continuous coordinates to OpenCV's, where the centre of the first pixel is (0, 0)."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return moved
