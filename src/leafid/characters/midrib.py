"""Find the midrib, the line along which a blade is measured.

The first step is its axis: the straight line that has the strongest ridge on it and that is nearest to an axis of
mirror symmetry of the outline. The second step is its course: a smooth path along the axis through the ridges.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from leafid.characters.blade import Blade
from leafid.sheets import flatten_illumination, line_responses

Points = NDArray[np.float64]

_COARSE_SIDE = 150.0  # square root of the blade's area in the coarse image, in which the midrib is searched
_SIGMA = 1.7  # half-width of a midrib in the coarse image, pixels
_COURSE_SIGMA = 1.4  # half-width of its upper, narrow part
_FLATTENING = 8.0  # sigma of the illumination that is removed, coarse pixels
_DIRECTIONS = 24
_STIFFNESS = 2e-3  # resistance of the midrib to bending
_TEXTURE_RIDGE, _CLEAR_RIDGE = 1.6, 4.0  # mean ridge on a midrib, in multiples of the typical one: texture only, clear
_CLEAR_CONTRAST = 3.0  # a ridge this many times the median over all directions counts as much as the best symmetry
_MIN_CLEARNESS = 0.2  # below it the course follows the outline rather than the ridge
_SYMMETRY_WEIGHT = 0.9  # weight of symmetry relative to that of the ridge
_SIDESTEP_COST = 0.6  # cost of a step of one column, in multiples of the blade's typical ridge
_OUTLINE_COST = 12.0  # factor on `_OFFCENTRE_COST` for a blade without a visible midrib
_OFFCENTRE_COST = 0.8  # cost of a midrib at the margin, in the same multiples


@dataclass(frozen=True)
class Axis:
    """A straight line through the blade.

    Attributes:
        angle: radians in [0, pi) from the x-axis towards the y-axis (downwards).
        centre: a point on it (x, y), working pixels.
        clearness: how far the ridge along it stands out against the blade's texture, 0..1.
        symmetry: overlap of the outline with its mirror image about the line, 0..1 (intersection over union).
    """

    angle: float
    centre: tuple[float, float]
    clearness: float
    symmetry: float


@dataclass(frozen=True)
class _Coarse:
    flat: NDArray[np.float32]
    blade: NDArray[np.float32]
    scale: float  # coarse pixels per working pixel


def find_midrib(blade: Blade, *, by_outline: bool = False) -> tuple[Axis, Points]:
    """Find the axis and the course of the midrib.

    Args:
        blade: the leaf at working size.
        by_outline: follow the middle of the blade and ignore ridges.

    Returns:
        Axis and course. The course is points [N, 2] (x, y) in working pixels, a few pixels apart, from one end of the
        mask to the other, in either direction. Where no vein is visible, it follows the middle of the blade.
    """
    coarse = _coarse(blade)
    axis = _axis(coarse)
    # The axis is only as exact as one step of direction. A line fitted to a first course is more exact.
    return axis, _course(coarse, _fit_line(_course(coarse, axis, by_outline), axis), by_outline)


def _coarse(blade: Blade) -> _Coarse:
    scale = min(1.0, _COARSE_SIDE / blade.side)
    size = (max(1, round(blade.mask.shape[1] * scale)), max(1, round(blade.mask.shape[0] * scale)))
    grey = cv2.resize(blade.pixels.mean(axis=2, dtype=np.float32), size, interpolation=cv2.INTER_AREA)
    covered = cv2.resize(blade.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    inside = np.asarray(covered > 0.5, np.float32)
    return _Coarse(flatten_illumination(np.asarray(grey, np.float32), inside, _FLATTENING), inside, scale)


def _axis(coarse: _Coarse) -> Axis:
    """Score the lines of all directions by the ridge on them, by how evenly they halve the blade, and by symmetry."""
    inner = cv2.erode(coarse.blade, np.ones((5, 5), np.uint8))
    responses = line_responses(coarse.flat, _SIGMA, _DIRECTIONS) * inner
    responses /= float(np.median(responses[:, inner > 0])) + 1e-6 if inner.any() else 1.0
    np.minimum(responses, 12, out=responses)
    rows, columns = np.nonzero(coarse.blade > 0)
    middle = np.array([columns.mean(), rows.mean()])
    reach = int(np.hypot(rows - middle[1], columns - middle[0]).max()) + 4
    bins = 2 * reach + 1
    found = []
    for number in range(_DIRECTIONS):
        angle = np.pi * number / _DIRECTIONS
        across = -(columns - middle[0]) * np.sin(angle) + (rows - middle[1]) * np.cos(angle)
        bin_of = np.round(across).astype(np.int64) + reach
        nearby = np.max(responses[[number - 1, number, (number + 1) % _DIRECTIONS]], axis=0)
        lying = np.bincount(bin_of, nearby[rows, columns], minlength=bins).astype(np.float64)
        vein = np.asarray(cv2.GaussianBlur(lying.reshape(1, -1), (0, 0), 2.0)).ravel()
        crossed = np.bincount(bin_of, minlength=bins)
        before = np.cumsum(crossed) / len(rows)
        evenness = np.minimum(before, 1 - before) * 2
        judged = vein * np.sqrt(evenness)
        best = int(judged.argmax())
        mirrored = _symmetry(coarse.blade, angle, middle, best - reach)
        length = max(1.0, float(crossed[max(0, best - 2) : best + 3].mean()))
        # Divided by the root of the length only: a long vein must count more than a short line across a broad blade.
        found.append((float(judged[best] / np.sqrt(length)), mirrored, float(angle), best - reach, vein[best] / length))
    strength = np.array([each[0] for each in found])
    symmetry = np.array([each[1] for each in found])
    # In a blade without a clear vein the best ridge is chance: it counts less than symmetry.
    excess = strength / max(float(np.median(strength)), 1e-6) - 1
    relative_symmetry = symmetry / max(float(symmetry.max()), 1e-6)
    score = excess / max(float(excess.max()), _CLEAR_CONTRAST - 1) + _SYMMETRY_WEIGHT * relative_symmetry
    best = int(score.argmax())
    _, mirrored, angle, offset, mean = found[best]
    centre = (middle + offset * np.array([-np.sin(angle), np.cos(angle)])) / coarse.scale
    clearness = float(np.clip((float(mean) - _TEXTURE_RIDGE) / (_CLEAR_RIDGE - _TEXTURE_RIDGE), 0, 1))
    return Axis(float(angle), (float(centre[0]), float(centre[1])), clearness, mirrored)


def _fit_line(course: Points, axis: Axis) -> Axis:
    """Fit a straight line to the middle of a course (first principal component); both ends may bend."""
    tenth = len(course) // 10
    middle = course[tenth : len(course) - tenth]
    centre = middle.mean(axis=0)
    along = np.linalg.svd(middle - centre, full_matrices=False)[2][0]
    angle = math.atan2(float(along[1]), float(along[0])) % math.pi
    return replace(axis, angle=angle, centre=(float(centre[0]), float(centre[1])))


def _symmetry(blade: NDArray[np.float32], angle: float, middle: NDArray[np.float64], offset: int) -> float:
    """Measure the overlap of the outline with its mirror image about a line; best of three small shifts."""
    centre = middle + offset * np.array([-np.sin(angle), np.cos(angle)])
    c, s = np.cos(2 * angle), np.sin(2 * angle)
    best = 0.0
    side = float(np.sqrt(blade.sum()))
    for shift in (-0.06, 0.0, 0.06):
        about = centre + shift * side * np.array([-np.sin(angle), np.cos(angle)])
        matrix = np.array(
            [[c, s, about[0] - c * about[0] - s * about[1]], [s, -c, about[1] - s * about[0] + c * about[1]]]
        )
        mirrored = cv2.warpAffine(blade, matrix, (blade.shape[1], blade.shape[0]))
        best = max(best, float(np.minimum(blade, mirrored).sum() / max(1.0, float(np.maximum(blade, mirrored).sum()))))
    return best


def _course(coarse: _Coarse, axis: Axis, by_outline: bool) -> Points:
    """Follow the ridges along the axis from one end of the blade to the other, by dynamic programming."""
    turn = axis.angle - np.pi / 2  # rotation that makes the axis upright
    c, s = np.cos(turn), np.sin(turn)
    corners = np.argwhere(coarse.blade > 0)[:, ::-1].astype(np.float64)
    about = np.array(axis.centre) * coarse.scale
    turned = (corners - about) @ np.array([[c, -s], [s, c]])
    low, high = turned.min(axis=0) - 4, turned.max(axis=0) + 4
    width, height = (int(value) for value in np.ceil(high - low) + 1)
    # Maps the upright image to the coarse one.
    matrix = np.array(
        [[c, -s, about[0] + c * low[0] - s * low[1]], [s, c, about[1] + s * low[0] + c * low[1]]], np.float64
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = np.asarray(cv2.warpAffine(coarse.flat, matrix, (width, height), flags=flags), np.float32)
    blade = np.asarray(cv2.warpAffine(coarse.blade, matrix, (width, height), flags=flags) > 0.5, np.float32)
    responses = line_responses(flat, _COURSE_SIGMA, 24)[9:16].max(axis=0)
    inner = cv2.erode(blade, np.ones((3, 3), np.uint8))
    responses *= inner
    responses /= float(np.median(responses[inner > 0])) + 1e-6 if inner.any() else 1.0
    gain = np.minimum(responses, 8) - 4 * (blade == 0)
    # The less clear the midrib, the more the course follows the middle of the outline.
    doubt = 1.0 if by_outline else max(0.0, 1 - axis.clearness / _MIN_CLEARNESS)
    gain = gain - _OFFCENTRE_COST * (1 + _OUTLINE_COST * doubt) * _off_centre(blade) ** 2
    path = _best_path(np.asarray(gain, np.float64))
    rows = np.flatnonzero(blade.any(axis=1))
    rows = np.arange(rows[0], rows[-1] + 1)
    columns = _smooth_curve(path[rows].astype(np.float64), gain[rows, path[rows]])
    upright = np.stack([columns + low[0], rows + low[1]], axis=1)
    points = about + upright @ np.array([[c, s], [-s, c]])
    return np.asarray(points / coarse.scale)


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


def _off_centre(blade: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the distance of each pixel from the middle of its row of the blade, as a share of half the row's width."""
    width = blade.shape[1]
    columns = np.arange(width, dtype=np.float64)
    filled = blade > 0
    first = np.where(filled.any(axis=1), filled.argmax(axis=1), width / 2)
    last = np.where(filled.any(axis=1), width - 1 - filled[:, ::-1].argmax(axis=1), width / 2)
    middle = np.asarray(cv2.GaussianBlur(((first + last) / 2).reshape(-1, 1), (0, 0), 3.0)).ravel()
    half = np.maximum((last - first) / 2, 3.0)
    return np.asarray((columns[None] - middle[:, None]) / half[:, None])


def _smooth_curve(columns: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth the path with weights by the clearness of the ridge (Whittaker 1923); it ends in straight lines."""
    count = len(columns)
    if count < 5:
        return columns
    stiff = _STIFFNESS * count**3 * _bending(count)
    clear = np.clip(gain, 0.1, 6)
    weights, smooth = clear, columns
    for _ in range(3):
        banded = stiff.copy()
        banded[2] += weights
        smooth = solveh_banded(banded, weights * columns)
        weights = clear / (1 + ((columns - smooth) / 2.0) ** 2)
    return np.asarray(smooth)


def _bending(count: int) -> NDArray[np.float64]:
    """Return the penalty of squared second differences as upper bands [3, count] for `solveh_banded`."""
    bands = np.zeros((3, count))
    for offset, product in ((0, (1, 4, 1)), (1, (-2, -2)), (2, (1,))):
        for shift, value in enumerate(product):
            # The difference that begins at row k weighs rows k, k + 1, k + 2 with 1, -2, 1.
            start = shift + offset
            bands[2 - offset, start : start + count - 2] += value
    return bands
