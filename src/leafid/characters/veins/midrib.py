"""Bring the midrib of a straightened blade onto its ridge: the parser's course is smooth and off by up to a percent."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.characters.blade import Blade
from leafid.characters.veins.straightening import StraightBlade, straighten
from leafid.sheets import flatten_illumination, line_responses

_REACH = 0.04  # of the search on both sides of the course, as a share of its length
_SIGMA = 2.4  # half-width of a midrib in straightened pixels
_FLATTENING = 20.0  # sigma of the illumination that is removed
_UPRIGHT = slice(10, 15)  # of 24 directions, those within 30 degrees of the course
_CLEAREST = 8.0  # ridge, in multiples of the blade's typical one, beyond which it counts no more
_SIDESTEP_COST = 0.6  # of a step of one column, in the same multiples
_SMOOTHING = 0.03  # sigma along the course, as a share of its length
_TAPER = 0.04  # share of the length at both ends over which the course returns to the parser's ends
_STEP = 6  # rows per point of the new course


def straighten_along_ridge(blade: Blade, straight: StraightBlade) -> StraightBlade:
    """Straighten a blade again, along the ridge beside its first course; both ends stay.

    Args:
        blade: the leaf at working size.
        straight: it, straightened along the parser's midrib.
    """
    length = straight.bottom - straight.top
    reach = max(3, round(_REACH * length))
    flat = flatten_illumination(straight.grey, straight.blade, _FLATTENING)
    ridge = line_responses(flat, _SIGMA, 24, only=_UPRIGHT).max(axis=0)
    typical = float(np.median(ridge[straight.blade > 0])) + 1e-6
    rows = np.arange(straight.top, straight.bottom + 1)
    beside = ridge[straight.top : straight.bottom + 1, straight.column - reach : straight.column + reach + 1]
    path = _best_path(np.minimum(beside.astype(np.float64) / typical, _CLEAREST)) - reach
    smooth = cv2.GaussianBlur(path.astype(np.float64).reshape(-1, 1), (1, 0), sigmaX=1e-6, sigmaY=_SMOOTHING * length)
    from_end = np.minimum(np.arange(len(rows)), np.arange(len(rows))[::-1])
    offset = np.asarray(smooth).ravel() * np.clip(from_end / (_TAPER * length), 0, 1)
    course = np.stack([straight.column + offset, rows], axis=1)
    kept = np.append(np.arange(0, len(rows) - 1, _STEP), len(rows) - 1)
    return straighten(blade, straight.to_working(course[kept]))


def _best_path(gain: NDArray[np.float64]) -> NDArray[np.int64]:
    """Find the column of each row on the path of greatest gain that moves by at most one column per row."""
    height, width = gain.shape
    total = gain[0].copy()
    came = np.zeros((height, width), np.int64)
    for row in range(1, height):
        steps = np.full((3, width), -np.inf)
        steps[0, 1:] = total[:-1] - _SIDESTEP_COST
        steps[1] = total
        steps[2, :-1] = total[1:] - _SIDESTEP_COST
        came[row] = steps.argmax(axis=0) - 1
        total = steps.max(axis=0) + gain[row]
    path = np.empty(height, np.int64)
    path[-1] = int(total.argmax())
    for row in range(height - 1, 0, -1):
        path[row - 1] = path[row] + came[row, path[row]]
    return path
