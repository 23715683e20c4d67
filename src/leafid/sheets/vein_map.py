"""From a leaf crop to its veins: how much of a vein each pixel is, and which way the vein runs.

Veins are lighter than the blade here and darker there, often both along one vein, since a pressed vein is relief under
slanting light. So contrast of either sign counts, and the map of an inverted image is nearly the same map. What tells a
vein from texture is that it goes on: responses are compared with the texture of the same blade, gathered along curved
paths, and of parallel neighbours only the strongest is kept.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.vein_map import flatten_illumination, local_mean
from leafid.sheets.ridge_filters import Image32, direction_angles, suppress_non_maxima, line_responses, path_strength

# Lengths are in pixels of the working image, where the blade covers WORKING_SIDE squared pixels, so that the veins of
# a leaf are about equally wide whatever the resolution. Crops that would need more than MAX_ENLARGEMENT stay smaller.
WORKING_SIDE = 500
MAX_ENLARGEMENT = 3.0
FLATTENING_SIGMA = 20.0
_DIRECTIONS = 12
_VEIN_SIGMAS = (1.4, 2.8)
_TEXTURE_SIGMA = 12.0
_MARGIN = 5.0  # lines running along the margin nearer than this are the margin itself
_SUPPRESSION_REACH = 8.0
_BORDER = 16  # empty pixels around the blade, so that filters and paths need no special care at the image's edge

_HALF_STRENGTH = 6.0  # contrast, as a multiple of the blade's typical response, that counts half
_LEAST_CONTRAST = 2e-4  # log units: below this a blade is plain and its unevenness is not compared with itself
_TEXTURE_STRENGTH = 0.10  # strength that texture without veins has: the map's 0
_CLEAR_STRENGTH = 0.5  # strength of the clearest midribs: the map's 1


@dataclass(frozen=True)
class VeinField:
    """Veins with their directions.

    Attributes:
        strength: float32 (H, W), 0 (no vein, or outside the blade) to 1 (a clear vein).
        direction: float32 (H, W), radians in [0, pi): the way a vein runs, from the x-axis (to the right) towards the
            y-axis (downwards). Smooth along a vein; without meaning where `strength` is 0.
    """

    strength: Image32
    direction: Image32


def vein_map(leaf: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None) -> Image32:
    """How much of a vein each pixel is; primary and secondary veins stand out.

    Args:
        leaf: uint8 RGB (H, W, 3) or grey (H, W), one leaf at native resolution.
        mask: bool (H, W), True on the blade; the whole image if not given.

    Returns:
        float32 (H, W) in [0, 1]; 0 outside the mask. A blade without lines stays near 0, whatever its texture.

    Raises:
        ValueError: the leaf is not an uint8 image, or the mask is not a bool array of the same height and width.
    """
    mask = _checked_mask(leaf, mask)
    strength = np.zeros(mask.shape, np.float32)
    if mask.any():
        box = _bounding_box(mask)
        strength[box] = _strength(_vein_scores(leaf[box], mask[box]), mask[box])
    return strength


def draw_vein_map(leaf: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Draw the vein map dark on white, uint8 RGB (H, W, 3); arguments and errors as for `vein_map`."""
    dark = 255 - np.round(vein_map(leaf, mask) * 255).astype(np.uint8)
    return np.repeat(dark[..., None], 3, axis=2)


def vein_field(leaf: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None) -> VeinField:
    """Veins and the directions in which they run; arguments and errors as for `vein_map`."""
    mask = _checked_mask(leaf, mask)
    strength, direction = np.zeros(mask.shape, np.float32), np.zeros(mask.shape, np.float32)
    if mask.any():
        box = _bounding_box(mask)
        scores = _vein_scores(leaf[box], mask[box])
        strength[box] = _strength(scores, mask[box])
        direction[box] = _direction(scores, mask[box])
    return VeinField(strength, direction)


def _checked_mask(leaf: NDArray[np.uint8], mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
    if leaf.dtype != np.uint8 or not (leaf.ndim == 2 or (leaf.ndim == 3 and leaf.shape[2] == 3)):
        raise ValueError(f"leaf must be uint8 (H, W) or (H, W, 3), but is {leaf.dtype} {leaf.shape}")
    if mask is None:
        return np.ones(leaf.shape[:2], np.bool_)
    if mask.dtype != np.bool_ or mask.shape != leaf.shape[:2]:
        raise ValueError(f"mask must be bool {leaf.shape[:2]} like the leaf, but is {mask.dtype} {mask.shape}")
    return mask


def _bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def _strength(scores: Image32, mask: NDArray[np.bool_]) -> Image32:
    """The strongest direction's score, stretched from texture (0) to a clear vein (1), at the size of `mask`."""
    stretched = (scores.max(axis=0) - _TEXTURE_STRENGTH) / (_CLEAR_STRENGTH - _TEXTURE_STRENGTH)
    return _to_crop_size(np.clip(stretched, 0, 1), mask) * mask


def _direction(scores: Image32, mask: NDArray[np.bool_]) -> Image32:
    """Mean direction weighted by score; on doubled angles, since directions half a turn apart are the same."""
    doubled = 2 * direction_angles(_DIRECTIONS)
    cosine, sine = np.tensordot(np.cos(doubled), scores, axes=1), np.tensordot(np.sin(doubled), scores, axes=1)
    angle = np.arctan2(_to_crop_size(sine, mask), _to_crop_size(cosine, mask)) / 2
    return np.asarray(np.mod(angle, np.float32(np.pi)), np.float32)


def _working_image(leaf: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[Image32, Image32]:
    """Grey values and blade (1 or 0) at working size, both with an empty border.

    The blade is a little narrower than the mask, whose last pixels are mixed with the background.
    """
    grey = np.asarray(leaf if leaf.ndim == 2 else cv2.transform(leaf, np.full((1, 3), 1 / 3)), np.float32)
    blade = mask.astype(np.float32)
    scale = min(MAX_ENLARGEMENT, WORKING_SIDE / float(np.sqrt(np.count_nonzero(mask))))
    if scale != 1:
        size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
        resampling = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        covered = cv2.resize(blade, size, interpolation=resampling)
        summed = cv2.resize(grey * blade, size, interpolation=resampling)
        grey = np.asarray(summed / np.maximum(covered, 1e-3), np.float32)
        blade = np.asarray(covered > 0.5, np.float32)
    grey = np.pad(grey, _BORDER)
    blade = np.pad(blade, _BORDER)
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return grey, np.asarray(cv2.erode(blade, disk), np.float32)


def _to_crop_size(working: Image32, mask: NDArray[np.bool_]) -> Image32:
    """A working image without its border, at the size of `mask`."""
    inner = np.ascontiguousarray(working[_BORDER:-_BORDER, _BORDER:-_BORDER], np.float32)
    return np.asarray(cv2.resize(inner, mask.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _vein_scores(leaf: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Image32:
    return vein_scores(*_working_image(leaf, mask))


def vein_scores(grey: Image32, blade: Image32) -> Image32:
    """How much of a vein each pixel is, by the direction in which the vein runs.

    Args:
        grey: float32 (H, W), 0..255, of working size: its blade covers about `WORKING_SIDE` squared pixels.
        blade: float32 (H, W), 1 on the blade and 0 elsewhere, with some empty pixels around.

    Returns:
        float32 (T, H, W), 0..1, as crests; direction t runs at t * pi / T from the x-axis towards the y-axis.
    """
    scores = _contrast(flatten_illumination(grey, blade, FLATTENING_SIGMA), blade)
    # Blobs answer in all directions alike, lines in theirs.
    mean = scores.mean(axis=0)
    rough = local_mean(mean, blade, _TEXTURE_SIGMA)
    roughness = rough / max(_median(rough, blade), 1e-6)
    calm = blade / np.sqrt(np.maximum(roughness, 1))
    for score, beside_margin in zip(scores, _margin_lines(blade), strict=True):
        score -= mean
        np.maximum(score, 0, out=score)
        score *= calm
        score /= score + np.float32(_HALF_STRENGTH)
        score *= 1 - beside_margin
    height, width = grey.shape
    coarse = (max(1, width // 2), max(1, height // 2))
    paths = path_strength(np.stack([cv2.resize(score, coarse, interpolation=cv2.INTER_AREA) for score in scores]))
    for score, path in zip(scores, paths, strict=True):
        score *= cv2.resize(path, (width, height), interpolation=cv2.INTER_LINEAR)
        np.sqrt(score, out=score)
    suppress_non_maxima(scores, _SUPPRESSION_REACH)
    return scores


def _contrast(flat: Image32, blade: Image32) -> Image32:
    """Line responses [T, H, W] as multiples of the blade's typical response; the best of all widths."""
    best = np.zeros((_DIRECTIONS, *flat.shape), np.float32)
    for sigma in _VEIN_SIGMAS:
        responses = line_responses(flat, sigma, _DIRECTIONS)
        responses /= _median(responses[::2], blade) / 0.6745 + _LEAST_CONTRAST  # median of |x| to standard deviation
        np.maximum(best, responses, out=best)
    return best


def _median(values: Image32, blade: Image32) -> float:
    """Median on the blade, from every fourth row and column; 0 where the blade is too small for it."""
    sample = values[..., ::4, ::4][..., blade[::4, ::4] > 0]
    return float(np.median(sample)) if sample.size else 0.0


def _margin_lines(blade: Image32) -> Image32:
    """How much a line of each direction would be the blade's own margin, [T, H, W], 0..1."""
    distance = cv2.distanceTransform((blade > 0).astype(np.uint8), cv2.DIST_L2, 5)
    smooth = cv2.GaussianBlur(distance, (0, 0), 2)
    inward_x, inward_y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    near = np.exp(-((distance / _MARGIN) ** 2)) / np.maximum(inward_x**2 + inward_y**2, 1e-12)
    xx, xy, yy = near * inward_x**2, near * inward_x * inward_y, near * inward_y**2
    angles = direction_angles(_DIRECTIONS)[:, None, None]
    c, s = np.cos(angles), np.sin(angles)
    return np.asarray(c * c * yy - 2 * s * c * xy + s * s * xx, np.float32)
