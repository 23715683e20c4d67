"""Oriented ridge filters: elongated line filters, sums along curved paths, and non-maximum suppression.

A stack of responses, one per direction, is an orientation score: [T, H, W], where direction t runs at t * pi / T from
the x-axis (to the right) towards the y-axis (downwards). Elongated filters average noise along the vein, where the
Hessian filters of Frangi et al. (1998) or Sato et al. (1998) use one point only. Paths through (x, y, t), similar to
path openings (Talbot & Appleton 2007) and to contour completion in orientation scores (Franken & Duits 2009), bridge
gaps and suppress short random pieces. Long sums are computed by doubling: 2**n samples cost n additions.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Image32 = NDArray[np.float32]
Combine = Callable[..., Any]  # np.add or np.maximum

_PATH_STEP = 4  # pixels of the coarse grid between two points of a path
_PATH_POINTS = 8  # points of a path to either side
_TURN = 0.9  # factor on a path's strength when it turns to the next direction


def direction_angles(directions: int) -> Image32:
    """Return the angles of the directions in radians, [T], from 0 to below pi."""
    return (np.pi * np.arange(directions) / directions).astype(np.float32)


def line_responses(image: Image32, sigma: float, directions: int, *, only: slice = slice(None)) -> Image32:
    """Compute the contrast of a line of width about 2 `sigma` through each pixel, lighter or darker than around it.

    The filter is the second derivative of a Gaussian across the line, averaged over 8 `sigma` along it.

    Args:
        image: float32 (H, W), flat and 0 outside the region of interest.
        sigma: pixels.
        directions: number T of directions.
        only: which of these are wanted.

    Returns:
        [T, H, W], 0 or more, in units of `image`; fewer with `only`.
    """
    radius = int(2 * sigma + 0.5)
    x = np.arange(-radius, radius + 1, dtype=np.float32) / np.float32(sigma)
    gauss = np.exp(-x * x / 2)
    gauss /= gauss.sum()
    first, second = -x * gauss, (x * x - 1) * gauss

    def derivative(horizontal: Image32, vertical: Image32) -> Image32:
        kept = cv2.BORDER_CONSTANT
        return np.asarray(cv2.sepFilter2D(image, cv2.CV_32F, horizontal, vertical, borderType=kept), np.float32)

    xx, xy, yy = derivative(second, gauss), derivative(first, first), derivative(gauss, second)
    angles = direction_angles(directions)[only]
    responses = np.empty((len(angles), *image.shape), np.float32)
    for response, angle in zip(responses, angles, strict=True):
        c, s = float(np.cos(angle)), float(np.sin(angle))
        second_across = cv2.scaleAdd(xy, -2 * s * c, cv2.addWeighted(xx, s * s, yy, c * c, 0))
        across = np.asarray(second_across, np.float32)
        np.abs(_along(np.add, across, (c, s), length=8 * sigma, doublings=3), out=response)
    responses /= 8
    return responses


def path_strength(responses: Image32) -> Image32:
    """Compute the mean strength of the best path through each pixel and direction.

    A path may turn by one direction per step. The mean is arithmetic: a line that continues on one side only keeps half
    its strength, so that veins are followed to their ends, where a geometric mean would be 0.

    Args:
        responses: [T, H, W], 0 or more.

    Returns:
        [T, H, W]: mean of the best paths to both sides (8 points each, 4 px apart).
    """
    directions, height, width = responses.shape
    headings, step = 2 * directions, _PATH_STEP
    if min(height, width) <= 2 * step:
        return responses.copy()
    inner = np.s_[step : height - step, step : width - step]
    best, longer = np.concatenate([responses, responses]), np.zeros((headings, height, width), np.float32)
    before = np.empty((height, width), np.float32)
    for _ in range(_PATH_POINTS):
        for heading in range(headings):
            np.maximum(best[heading - 1], best[(heading + 1) % headings], out=before)
            before *= np.float32(_TURN)
            np.maximum(before, best[heading], out=before)
            angle = np.pi * heading / directions
            dx, dy = round(-step * float(np.cos(angle))), round(-step * float(np.sin(angle)))
            came = before[step + dy : height - step + dy, step + dx : width - step + dx]
            np.add(responses[heading % directions][inner], came, out=longer[heading][inner])
        best, longer = longer, best
    ahead_and_back = (best[:directions] + best[directions:]) / 2 - responses
    return np.asarray(np.maximum(ahead_and_back, 0) / _PATH_POINTS, np.float32)


def suppress_non_maxima(responses: Image32, reach: float) -> None:
    """Weaken, in place, responses that have a stronger parallel neighbour within `reach` pixels across.

    This makes one line of a wide vein with a lit and a shaded flank, or of a light vein between two dark lines.

    Args:
        responses: [T, H, W], 0 or more.
        reach: pixels.
    """
    for response, angle in zip(responses, direction_angles(len(responses)), strict=True):
        normal = (-float(np.sin(angle)), float(np.cos(angle)))
        highest = np.maximum(_along(np.maximum, response, normal, length=2 * reach, doublings=4), response)
        share = response / np.maximum(highest, 1e-6)
        share *= share
        share *= share
        response *= share


def _along(combine: Combine, image: Image32, direction: tuple[float, float], length: float, doublings: int) -> Image32:
    """Combine 2**doublings samples of `image`, spread evenly over `length` px along `direction` and centred."""
    combined = image
    for doubling in range(doublings):
        gap = length / 2 ** (doublings - doubling)
        dx, dy = round(direction[0] * gap), round(direction[1] * gap)
        ahead = (int(np.floor(direction[0] * gap / 2 + 0.5)), int(np.floor(direction[1] * gap / 2 + 0.5)))
        combined = _pair(combine, combined, ahead, (ahead[0] - dx, ahead[1] - dy))
    return combined


def _pair(combine: Combine, image: Image32, a: tuple[int, int], b: tuple[int, int]) -> Image32:
    """Combine `image` shifted by `a` and by `b` (x, y); 0 where either lies outside the image."""
    edge = max(abs(shift) for shift in (*a, *b))
    height, width = image.shape
    result = np.empty_like(image)
    if 2 * edge >= min(height, width):
        result[:] = 0
        return result
    bottom, right = height - edge, width - edge
    result[:edge], result[bottom:], result[:, :edge], result[:, right:] = 0, 0, 0, 0
    combine(
        image[edge + a[1] : bottom + a[1], edge + a[0] : right + a[0]],
        image[edge + b[1] : bottom + b[1], edge + b[0] : right + b[0]],
        out=result[edge:bottom, edge:right],
    )
    return result
