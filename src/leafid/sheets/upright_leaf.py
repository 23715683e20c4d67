"""Cut one parsed leaf out of a picture, apex up, with its mask and midrib."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.crops.crop_plan import MARGIN
from leafid.sheets.leaf_parser import ParsedLeaf

Points = NDArray[np.float64]

_LEAST_SIDE = 8  # pixels of a crop


@dataclass(frozen=True)
class UprightLeaf:
    """A leaf with its apex up. Points are (x, y) in pixels of the crop; the first pixel's centre is (0.5, 0.5).

    Attributes:
        pixels: uint8 RGB (H, W, 3), with its own background; the picture's edge is repeated beyond it.
        mask: True on the blade, bool (H, W).
        midrib: [N, 2] from apex to base.
        scale: pixels of the crop per pixel of the picture, at most 1.
        matrix: [2, 3] maps points of the picture to the crop.
    """

    pixels: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    midrib: Points
    scale: float
    matrix: Points

    def cut_mask(self, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Cut a mask of the picture like the crop."""
        seen = _warped(mask.astype(np.float32), self.matrix, self.mask.shape[::-1], cv2.BORDER_CONSTANT)
        return np.asarray(seen, np.float32) > 0.5


def cut_upright(rgb: NDArray[np.uint8], leaf: ParsedLeaf, *, max_side: int, max_blade: float = math.inf) -> UprightLeaf:
    """Cut a leaf out of the picture that it was parsed in.

    Args:
        rgb: uint8 RGB (H, W, 3).
        leaf: one of its leaves.
        max_side: the crop is reduced to at most this long side; it is never enlarged.
        max_blade: and to at most this square root of the blade's area.
    """
    down = leaf.base - leaf.apex
    down = down / max(float(np.hypot(*down)), 1e-6)
    turn = np.array([[down[1], -down[0]], [down[0], down[1]]])  # brings `down` to (0, 1)
    outlines, _ = cv2.findContours(leaf.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = np.concatenate([part[:, 0] for part in outlines]) + np.array(leaf.box[:2]) + 0.5
    turned = np.concatenate([outline, leaf.midrib]) @ turn.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    margin = MARGIN * float((high - low).max()) + 2
    low, high = low - margin, high + margin
    blade = math.sqrt(max(1, int(np.count_nonzero(leaf.mask))))
    scale = min(1.0, max_side / float((high - low).max()), max_blade / blade)
    matrix = scale * np.column_stack([turn, -low])
    width, height = np.maximum(np.ceil((high - low) * scale), _LEAST_SIDE).astype(int).tolist()
    return UprightLeaf(
        pixels=np.asarray(_warped(rgb, matrix, (width, height), cv2.BORDER_REPLICATE), np.uint8),
        mask=np.asarray(_warped_mask(leaf, matrix, (width, height)) > 0.5),
        midrib=_mapped(matrix, leaf.midrib[::-1]),
        scale=scale,
        matrix=matrix,
    )


def _mapped(matrix: Points, points: Points) -> Points:
    return np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def _warped_mask(leaf: ParsedLeaf, matrix: Points, size: tuple[int, int]) -> NDArray[np.float32]:
    shifted = matrix @ np.array([[1.0, 0, leaf.box[0]], [0, 1, leaf.box[1]], [0, 0, 1]])
    return np.asarray(_warped(leaf.mask.astype(np.float32), shifted, size, cv2.BORDER_CONSTANT), np.float32)


def _warped(image: NDArray[np.generic], matrix: Points, size: tuple[int, int], border: int) -> NDArray[np.generic]:
    """Apply a map on continuous coordinates; what is seen is first reduced by area, since veins must not alias."""
    width, height = size
    corners = np.array([[0, 0], [width, 0], [0, height], [width, height]], np.float64)
    seen = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    bottom, right = image.shape[:2]
    x0, y0 = np.clip(np.floor(seen.min(axis=0)).astype(int) - 2, 0, [right - 1, bottom - 1])
    x1, y1 = np.clip(np.ceil(seen.max(axis=0)).astype(int) + 2, [x0 + 1, y0 + 1], [right, bottom])
    part = np.ascontiguousarray(image[y0:y1, x0:x1])
    moved = matrix @ np.array([[1.0, 0, x0], [0, 1, y0], [0, 0, 1]])
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.8:
        reduced = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        moved = moved @ np.diag([part.shape[1] / reduced[0], part.shape[0] / reduced[1], 1.0])
        part = np.asarray(cv2.resize(part, reduced, interpolation=cv2.INTER_AREA))
    at_centres = moved.copy()  # OpenCV has (0, 0) at the centre of the first pixel
    at_centres[:, 2] += moved[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return np.asarray(cv2.warpAffine(part, at_centres, size, flags=cv2.INTER_LINEAR, borderMode=border))
