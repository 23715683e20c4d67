"""Compute the vein map of a leaf crop: the vein strength of each pixel.

A vein may be lighter or darker than the blade, and may change from one to the other along its course, because a pressed
vein is relief under oblique light. So contrast of either sign counts, and an inverted image gives nearly the same map.
Veins differ from texture by their length: responses are normalised by the texture of the same blade, summed along
curved paths, and thinned by non-maximum suppression across the vein.

Before that, illumination is removed. Means are taken over the blade alone (normalised convolution), so that the paper
beside the margin causes no bright rim.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.ridge_filters import Image32, direction_angles, line_responses, path_strength, suppress_non_maxima

# Lengths are in pixels of the working image, where the blade covers WORKING_SIDE squared pixels, so that the veins of
# a leaf are about equally wide whatever the resolution. Crops that would need more than MAX_ENLARGEMENT stay smaller.
WORKING_SIDE = 500
MAX_ENLARGEMENT = 3.0
FLATTENING_SIGMA = 20.0  # of the illumination that is removed: several times the width of a midrib
_DIRECTIONS = 12
_VEIN_SIGMAS = (1.4, 2.8)  # half-widths of secondary and primary veins
_TEXTURE_SIGMA = 12.0  # neighbourhood in which roughness is compared with the whole blade
_MARGIN = 5.0  # a line along the margin that is nearer than this is the margin itself
_SUPPRESSION_REACH = 8.0  # of parallel lines closer than this, only the strongest is a vein
_BORDER = 16  # empty pixels around the blade, so that filters and paths need no special case at the image's edge

_HALF_STRENGTH = 6.0  # contrast that maps to 0.5, as a multiple of the blade's typical response
_MIN_RESPONSE = 2e-4  # log units; added to the typical response, so that a plain blade is not divided by nearly 0
_TEXTURE_STRENGTH = 0.10  # strength of texture without veins: 0 in the map
_CLEAR_STRENGTH = 0.5  # strength of the clearest midribs: 1 in the map

_COARSE = 4  # local means change slowly, so they are computed on a grid this many times coarser
_DARKNESS = 16.0  # grey levels, added before the logarithm: otherwise noise of black pixels dominates
_GREY_STEP = 2e-3  # smallest spread in log units: about a third of a grey level on a mid-grey blade
_CLIP = 2.5  # robust standard deviations to which outliers (lesions, hairs, glints) are limited
_NORMAL_MAD = 0.6745  # median absolute deviation of a standard normal variable


def vein_map(leaf: NDArray[np.uint8], mask: NDArray[np.bool_] | None = None) -> Image32:
    """Compute the vein strength of each pixel; primary and secondary veins stand out.

    Args:
        leaf: uint8 RGB (H, W, 3) or grey (H, W), one leaf at native resolution.
        mask: bool (H, W), True on the blade; the whole image if not given.

    Returns:
        float32 (H, W) in [0, 1]; 0 outside the mask. A blade without lines is near 0, whatever its texture.

    Raises:
        ValueError: the leaf is not a uint8 image, or the mask is not a bool array of the same height and width.
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
    """Rescale the score of the strongest direction from texture (0) to a clear vein (1), at the size of `mask`."""
    stretched = (scores.max(axis=0) - _TEXTURE_STRENGTH) / (_CLEAR_STRENGTH - _TEXTURE_STRENGTH)
    return _to_crop_size(np.clip(stretched, 0, 1), mask) * mask


def _working_image(leaf: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[Image32, Image32]:
    """Return grey values and blade (1 or 0) at working size, both with an empty border.

    The blade is slightly narrower than the mask, because the outermost pixels of a mask are mixed with background.
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
    """Remove the border of a working image and resize it to `mask`."""
    inner = np.ascontiguousarray(working[_BORDER:-_BORDER, _BORDER:-_BORDER], np.float32)
    return np.asarray(cv2.resize(inner, mask.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def _vein_scores(leaf: NDArray[np.uint8], mask: NDArray[np.bool_]) -> Image32:
    return vein_scores(*_working_image(leaf, mask))


def vein_scores(grey: Image32, blade: Image32) -> Image32:
    """Compute the vein strength of each pixel for each direction of the vein (orientation scores).

    Args:
        grey: float32 (H, W), 0..255, of working size: its blade covers about `WORKING_SIDE` squared pixels.
        blade: float32 (H, W), 1 on the blade and 0 elsewhere, with some empty pixels around.

    Returns:
        float32 (T, H, W), 0..1, thinned; direction t runs at t * pi / T from the x-axis towards the y-axis.
    """
    scores = _contrast(flatten_illumination(grey, blade, FLATTENING_SIGMA), blade)
    # Blobs respond equally in all directions, lines only in their own: the mean over directions is removed.
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
    """Compute line responses [T, H, W] as multiples of the blade's typical response; maximum over widths."""
    best = np.zeros((_DIRECTIONS, *flat.shape), np.float32)
    for sigma in _VEIN_SIGMAS:
        responses = line_responses(flat, sigma, _DIRECTIONS)
        responses /= _median(responses[::2], blade) / _NORMAL_MAD + _MIN_RESPONSE
        np.maximum(best, responses, out=best)
    return best


def _median(values: Image32, blade: Image32) -> float:
    """Return the median on the blade, from every fourth row and column; 0 if the blade has no such pixel."""
    sample = values[..., ::4, ::4][..., blade[::4, ::4] > 0]
    return float(np.median(sample)) if sample.size else 0.0


def _margin_lines(blade: Image32) -> Image32:
    """Return how closely a line of each direction coincides with the margin of the blade, [T, H, W], 0..1."""
    distance = cv2.distanceTransform((blade > 0).astype(np.uint8), cv2.DIST_L2, 5)
    smooth = cv2.GaussianBlur(distance, (0, 0), 2)
    inward_x, inward_y = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    near = np.exp(-((distance / _MARGIN) ** 2)) / np.maximum(inward_x**2 + inward_y**2, 1e-12)
    xx, xy, yy = near * inward_x**2, near * inward_x * inward_y, near * inward_y**2
    angles = direction_angles(_DIRECTIONS)[:, None, None]
    c, s = np.cos(angles), np.sin(angles)
    return np.asarray(c * c * yy - 2 * s * c * xy + s * s * xx, np.float32)


def local_mean(values: Image32, weights: Image32, sigma: float) -> Image32:
    """Compute the Gaussian mean of `values` around each pixel, over the weighted pixels only.

    Args:
        values: float32 (H, W).
        weights: float32 (H, W), 0..1.
        sigma: standard deviation of the Gaussian in pixels.

    Returns:
        float32 (H, W); 0 far from every weighted pixel.
    """
    height, width = values.shape
    step = _COARSE if sigma >= 2 * _COARSE and min(height, width) >= 4 * _COARSE else 1
    coarse = (max(1, width // step), max(1, height // step))

    def blurred(image: Image32) -> NDArray[np.float32]:
        small = cv2.resize(image, coarse, interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.GaussianBlur(small, (0, 0), sigma / step, borderType=cv2.BORDER_REFLECT), np.float32)

    mean = blurred(values * weights) / np.maximum(blurred(weights), 1e-4)
    return np.asarray(cv2.resize(mean, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def flatten_illumination(grey: Image32, blade: Image32, sigma: float) -> Image32:
    """Remove illumination: return the logarithm of `grey` without variation on scales larger than `sigma`.

    Illumination is multiplicative. In the logarithm a shadow is additive, so subtracting the local mean removes it,
    and a lighter and an equally darker vein differ only in sign. Outliers are compressed to `_CLIP` robust standard
    deviations.

    Args:
        grey: float32 (H, W), 0..255.
        blade: float32 (H, W), 1 on the blade and 0 elsewhere.
        sigma: pixels; several times the width of the widest vein that must remain.

    Returns:
        float32 (H, W) in log units, 0 outside the blade.
    """
    log = np.log(grey + _DARKNESS)
    flat = (log - local_mean(log, blade, sigma)) * blade
    flat -= local_mean(flat, blade, sigma) * blade  # near the margin the mean is one-sided: a second pass corrects it
    spread = np.abs(flat[blade > 0])
    limit = np.float32(_CLIP * ((np.median(spread) if spread.size else 0.0) / _NORMAL_MAD + _GREY_STEP))
    return np.asarray(np.tanh(flat / limit) * limit, np.float32)
