"""Takes light and shadow out of a blade, so that what remains is its relief and its veins.

Means are taken over the blade alone (normalised convolution): the paper beside the margin has no say in them, so no
bright rim arises where blade and paper meet.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.ridge_filters import Image32

_COARSE = 4  # local means change slowly: they are taken on a grid this many times coarser
_DARKNESS = 16.0  # added to the grey value before its logarithm, so that black pixels do not count for everything
_GREY_STEP = 2e-3  # smallest unevenness believed, in log units: about a third of a grey step on a mid-grey blade
_CLIP = 2.5  # robust standard deviations beyond which a pixel (lesion, hair, glint) counts no more
_GAUSSIAN_MAD = 0.6745  # median absolute deviation of a standard normal variable


def local_mean(values: Image32, weights: Image32, sigma: float) -> Image32:
    """Gaussian mean of `values` around each pixel, over the pixels with weight only.

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
    """Reflectance relative to the surroundings: the logarithm of `grey` without what changes slower than `sigma`.

    Light multiplies, so in the logarithm a shadow is a sum that the local mean takes away, and a lighter and an equally
    darker vein differ in sign only. Extremes are bent towards 2.5 robust standard deviations of the blade.

    Args:
        grey: float32 (H, W), 0..255.
        blade: float32 (H, W), 1 on the blade and 0 elsewhere.
        sigma: pixels; several times the width of the widest vein to be kept.

    Returns:
        float32 (H, W) in log units, 0 outside the blade.
    """
    log = np.log(grey + _DARKNESS)
    flat = (log - local_mean(log, blade, sigma)) * blade
    flat -= local_mean(flat, blade, sigma) * blade  # the mean near the margin is one-sided: a second pass levels it
    spread = np.abs(flat[blade > 0])
    limit = np.float32(_CLIP * ((np.median(spread) if spread.size else 0.0) / _GAUSSIAN_MAD + _GREY_STEP))
    return np.asarray(np.tanh(flat / limit) * limit, np.float32)
