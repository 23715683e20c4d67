"""The midrib: the line along which a blade is measured.

First its direction: the line through the blade on which most vein lies and about which the outline is most nearly its
own mirror image. Then its course: the smooth path along that line through the ridges of the blade.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solveh_banded

from leafid.characters.blade import Blade
from leafid.sheets import flat_blade, line_responses

Points = NDArray[np.float64]

_COARSE_SIDE = 150.0  # square root of the blade's area where the midrib is looked for
_SIGMA = 1.7  # half-width of a midrib there
_FLATTENING = 8.0
_COURSE_SIGMA = 1.4  # and of its upper, narrow part
_DIRECTIONS = 24
_STIFFNESS = 2e-3  # resistance of the midrib to bending
_UNSEEN, _SEEN = (
    1.6,
    4.0,
)  # mean ridge along a midrib, in multiples of the blade's typical one: texture alone, and clear
_CLEAR = 3.0  # so many times the vein of a line of any other direction count as much as symmetry at its best
_FAINT = 0.2  # clearness below which the course is rather that of the outline
_SYMMETRY = 0.9  # weight of symmetry beside that of veins
_SIDESTEP = 0.6  # what a step to the side costs, in the same multiples
_OUTLINE = 12.0  # how much more it would lose in a blade without any midrib
_EVENNESS = 0.8  # what a midrib at the margin would lose, in multiples of the blade's typical ridge


@dataclass(frozen=True)
class Axis:
    """A straight line through the blade.

    Attributes:
        angle: radians in [0, pi) from the x-axis towards the y-axis (downwards).
        centre: a point on it (x, y), working pixels.
        clearness: how far the ridge along it stands out against the blade's texture, 0..1.
        symmetry: overlap of the outline with its mirror image about the line, 0..1.
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
    """Find the midrib.

    Args:
        blade: the leaf at working size.
        by_outline: keep to the middle of the blade, whatever ridges there are beside it.

    Returns:
        Its axis and its course: points [N, 2] (x, y) in working pixels, a few pixels apart, from end to end of the
        mask; which end is the base is not decided here. Where no vein is seen, it keeps to the middle of the blade.
    """
    coarse = _coarse(blade)
    axis = _axis(coarse)
    # The axis is found in steps of a direction; the second course follows the line that fits the first.
    return axis, _course(coarse, _fitted(_course(coarse, axis, by_outline), axis), by_outline)


def _coarse(blade: Blade) -> _Coarse:
    scale = min(1.0, _COARSE_SIDE / blade.side)
    size = (max(1, round(blade.mask.shape[1] * scale)), max(1, round(blade.mask.shape[0] * scale)))
    grey = cv2.resize(blade.pixels.mean(axis=2, dtype=np.float32), size, interpolation=cv2.INTER_AREA)
    covered = cv2.resize(blade.mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    inside = np.asarray(covered > 0.5, np.float32)
    return _Coarse(flat_blade(np.asarray(grey, np.float32), inside, _FLATTENING), inside, scale)


def _axis(coarse: _Coarse) -> Axis:
    """Judge lines of all directions by the vein on them, by how evenly they halve the blade, and by symmetry."""
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
        at = np.round(across).astype(np.int64) + reach
        nearby = np.max(responses[[number - 1, number, (number + 1) % _DIRECTIONS]], axis=0)
        lying = np.bincount(at, nearby[rows, columns], minlength=bins).astype(np.float64)
        vein = np.asarray(cv2.GaussianBlur(lying.reshape(1, -1), (0, 0), 2.0)).ravel()
        crossed = np.bincount(at, minlength=bins)
        before = np.cumsum(crossed) / len(rows)
        evenness = np.minimum(before, 1 - before) * 2
        judged = vein * np.sqrt(evenness)
        best = int(judged.argmax())
        mirrored = _symmetry(coarse.blade, angle, middle, best - reach)
        length = max(1.0, float(crossed[max(0, best - 2) : best + 3].mean()))
        # By the root of its length: a broad blade is longer across, where no vein goes on from end to end.
        found.append((float(judged[best] / np.sqrt(length)), mirrored, float(angle), best - reach, vein[best] / length))
    strength = np.array([each[0] for each in found])
    symmetry = np.array([each[1] for each in found])
    # Of a blade without a clear vein only the outline can be believed.
    excess = strength / max(float(np.median(strength)), 1e-6) - 1
    score = excess / max(float(excess.max()), _CLEAR - 1) + _SYMMETRY * symmetry / max(float(symmetry.max()), 1e-6)
    best = int(score.argmax())
    _, mirrored, angle, offset, mean = found[best]
    centre = (middle + offset * np.array([-np.sin(angle), np.cos(angle)])) / coarse.scale
    clearness = float(np.clip((float(mean) - _UNSEEN) / (_SEEN - _UNSEEN), 0, 1))
    return Axis(float(angle), (float(centre[0]), float(centre[1])), clearness, mirrored)


def _fitted(course: Points, axis: Axis) -> Axis:
    """The straight line through the middle of a course."""
    tenth = len(course) // 10
    middle = course[tenth : len(course) - tenth]
    centre = middle.mean(axis=0)
    along = np.linalg.svd(middle - centre, full_matrices=False)[2][0]
    angle = math.atan2(float(along[1]), float(along[0])) % math.pi
    return replace(axis, angle=angle, centre=(float(centre[0]), float(centre[1])))


def _symmetry(blade: NDArray[np.float32], angle: float, middle: NDArray[np.float64], offset: int) -> float:
    """Overlap of the outline with its mirror image about a line, best of small shifts."""
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
    """Follow the ridges along the axis, from end to end of the blade, by dynamic programming."""
    turn = axis.angle - np.pi / 2  # turned by this, the axis is upright
    c, s = np.cos(turn), np.sin(turn)
    corners = np.argwhere(coarse.blade > 0)[:, ::-1].astype(np.float64)
    about = np.array(axis.centre) * coarse.scale
    turned = (corners - about) @ np.array([[c, -s], [s, c]])
    low, high = turned.min(axis=0) - 4, turned.max(axis=0) + 4
    width, height = (int(value) for value in np.ceil(high - low) + 1)
    # From the upright image back to the coarse one.
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
    # The less clear the midrib, the more its course is that of the outline.
    doubt = 1.0 if by_outline else max(0.0, 1 - axis.clearness / _FAINT)
    gain = gain - _EVENNESS * (1 + _OUTLINE * doubt) * _unevenness(blade) ** 2
    path = _best_path(np.asarray(gain, np.float64))
    rows = np.flatnonzero(blade.any(axis=1))
    rows = np.arange(rows[0], rows[-1] + 1)
    columns = _smoothed(path[rows].astype(np.float64), gain[rows, path[rows]])
    upright = np.stack([columns + low[0], rows + low[1]], axis=1)
    points = about + upright @ np.array([[c, s], [-s, c]])
    return np.asarray(points / coarse.scale)


def _best_path(gain: NDArray[np.float64]) -> NDArray[np.int64]:
    """Column of each row on the path of greatest gain that moves by at most one column per row."""
    height, width = gain.shape
    total = gain[0].copy()
    came = np.zeros((height, width), np.int64)
    for row in range(1, height):
        steps = np.full((3, width), -np.inf)
        steps[0, 1:] = total[:-1] - _SIDESTEP
        steps[1] = total
        steps[2, :-1] = total[1:] - _SIDESTEP
        came[row] = steps.argmax(axis=0) - 1
        total = steps.max(axis=0) + gain[row]
    path = np.empty(height, np.int64)
    path[-1] = int(total.argmax())
    for row in range(height - 1, 0, -1):
        path[row - 1] = path[row] + came[row, path[row]]
    return path


def _unevenness(blade: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far a pixel lies from the middle of its row of the blade, as a share of half that row's width."""
    width = blade.shape[1]
    columns = np.arange(width, dtype=np.float64)
    filled = blade > 0
    first = np.where(filled.any(axis=1), filled.argmax(axis=1), width / 2)
    last = np.where(filled.any(axis=1), width - 1 - filled[:, ::-1].argmax(axis=1), width / 2)
    middle = np.asarray(cv2.GaussianBlur(((first + last) / 2).reshape(-1, 1), (0, 0), 3.0)).ravel()
    half = np.maximum((last - first) / 2, 3.0)
    return np.asarray((columns[None] - middle[:, None]) / half[:, None])


def _smoothed(columns: NDArray[np.float64], gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """A smooth curve through the path, weighted by how clear the ridge is; straight where it ends (Whittaker 1923)."""
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
    """Sum of squared second differences as a quadratic form, its upper bands [3, count] for `solveh_banded`."""
    bands = np.zeros((3, count))
    for offset, product in ((0, (1, 4, 1)), (1, (-2, -2)), (2, (1,))):
        for shift, value in enumerate(product):
            # The difference that begins at row k weighs rows k, k + 1, k + 2 with 1, -2, 1.
            start = shift + offset
            bands[2 - offset, start : start + count - 2] += value
    return bands
