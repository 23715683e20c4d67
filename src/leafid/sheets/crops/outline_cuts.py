"""Cut overlapping leaves apart between the notches of their common outline.

Where the outlines of two leaves cross, the cluster has two notches, one on each side. The line between them divides it
into parts that are more convex than the cluster (Kumar et al. 2006 separate cells in this way). Only the outline is
used, so the area where the leaves overlap is divided by a straight line.
"""

from __future__ import annotations

from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

MIN_NOTCH_DEPTH = 0.05  # as a share of the root of the cluster's area
MAX_NOTCHES = 12  # only the deepest; with more, a torn leaf is cut into pieces
MIN_SOLIDITY_GAIN = 0.035  # gain of solidity that a cut must give
MIN_PART_AREA = 0.12  # share of the cluster's area; a lobe or a tooth is smaller
MAX_CUT_LENGTH = 0.85  # share of each part's length; a longer cut would divide a single leaf along its length
MIN_PART_SOLIDITY = 0.86  # of each part


def cut_between_notches(outline: NDArray[np.int32]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Find the lines that divide a cluster of leaves.

    Args:
        outline: (N, 1, 2) x and y of every pixel on the outline, as from `cv2.findContours`.

    Returns:
        Both ends (x, y) of each line; empty if no cut makes the parts clearly more convex.
    """
    best = _best_cut(outline)
    if best is None:
        return []
    first, second = best
    one = outline[first : second + 1]
    other = np.concatenate([outline[second:], outline[: first + 1]])
    (x0, y0), (x1, y1) = outline[first, 0].tolist(), outline[second, 0].tolist()
    return [((x0, y0), (x1, y1)), *cut_between_notches(one), *cut_between_notches(other)]


def _best_cut(outline: NDArray[np.int32]) -> tuple[int, int] | None:
    """Find the indices of the two points of the outline to cut between; None if no cut is good enough."""
    notches = _notches(outline)
    area, whole = cv2.contourArea(outline), _solidity(outline)
    best, gained = None, MIN_SOLIDITY_GAIN
    for first, second in combinations(notches, 2):
        if not _runs_inside(outline, first, second):
            continue
        parts = outline[first : second + 1], np.concatenate([outline[second:], outline[: first + 1]])
        areas = [cv2.contourArea(part) for part in parts]
        solid = [_solidity(part) for part in parts]
        if min(areas) < MIN_PART_AREA * area or min(solid) < min(MIN_PART_SOLIDITY, whole):
            continue
        length = float(np.hypot(*(outline[first, 0] - outline[second, 0]).tolist()))
        if length > MAX_CUT_LENGTH * min(max(cv2.minAreaRect(part)[1]) for part in parts):
            continue
        gain = float(np.average(solid, weights=areas)) - whole
        if gain > gained:
            best, gained = (first, second), gain
    return best


def _notches(outline: NDArray[np.int32]) -> list[int]:
    """Find the indices of the deepest points of the outline's concavities, in the order of the outline."""
    if len(outline) < 8:
        return []
    hull = np.sort(cv2.convexHull(outline, returnPoints=False), axis=0)[::-1]
    try:
        defects = cv2.convexityDefects(outline, hull)
    except cv2.error:  # OpenCV rejects an outline that touches itself
        return []
    if defects is None:
        return []
    defects = np.asarray(defects).reshape(-1, 4)  # start, end, deepest point, 256 times its depth
    deep = defects[defects[:, 3] / 256 > MIN_NOTCH_DEPTH * np.sqrt(cv2.contourArea(outline))]
    deepest = deep[np.argsort(-deep[:, 3])][:MAX_NOTCHES]
    return sorted(int(point) for point in deepest[:, 2])


def _solidity(outline: NDArray[np.int32]) -> float:
    return cv2.contourArea(outline) / max(1.0, cv2.contourArea(cv2.convexHull(outline)))


def _runs_inside(outline: NDArray[np.int32], first: int, second: int) -> bool:
    """Return whether the line between two points of the outline lies inside it."""
    start, end = (outline[index, 0].astype(np.float64) for index in (first, second))
    between = [start + share * (end - start) for share in (0.15, 0.3, 0.5, 0.7, 0.85)]
    return all(cv2.pointPolygonTest(outline, (float(x), float(y)), False) > 0 for x, y in between)
