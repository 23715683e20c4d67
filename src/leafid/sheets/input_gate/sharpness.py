"""How sharp a picture is, whatever it shows: how fast its clearest edges rise, and what is left of its fine detail.

An edge blurred by s has, under a Gaussian derivative of scale t, a gradient in proportion to 1 / sqrt(s^2 + t^2). The
ratio at two scales so depends on s alone, not on contrast (Zhuo & Sim 2011, Pattern Recognition 44).
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

_SCALES = (0.6, 1.2, 2.4, 4.8)  # in pixels
_EDGES = 0.04  # share of the pixels that are taken for edges
_QUANTILES = (0.2, 0.5, 0.8, 0.95)

SHARPNESS = (len(_SCALES) - 1) * len(_QUANTILES) + 2 * len(_SCALES) + 1
"""Number of features."""


def gradients(grey: Map) -> Map:
    """Return the gradient of a grey picture [H, W], 0 to 255, at each scale: [scales, H, W]."""
    result = []
    for scale in _SCALES:
        soft = cv2.GaussianBlur(grey, (0, 0), scale)
        x, y = (cv2.Sobel(soft, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
        result.append(cv2.magnitude(x, y))
    return np.stack(result)


def sharpness_features(grey: Map, gradient: Map, where: NDArray[np.bool_] | None = None) -> Map:
    """Measure a grey picture [H, W] with its `gradients`, in all of it or where a mask [H, W] says.

    Returns:
        [SHARPNESS] ratios of gradients at clear edges at neighbouring scales, logarithms of strong and of mean
        gradients relative to the contrast at each scale, and the logarithm of the contrast.
    """
    inside = np.zeros(grey.shape, np.bool_)
    inside[2:-2, 2:-2] = True  # the frame holds what OpenCV makes up
    if where is not None and int((where & inside).sum()) > 200:
        inside &= where
    flat = np.flatnonzero(inside)
    if len(flat) < 50:
        return np.zeros(SHARPNESS, np.float32)
    own = gradient.reshape(len(gradient), -1)[:, flat]
    contrast = float(grey.ravel()[flat].std()) + 1.0
    count = max(20, int(_EDGES * len(flat)))
    edges = [np.argpartition(scale, -count)[-count:] for scale in own]
    features: list[float] = []
    for fine, coarse, chosen in zip(own, own[1:], edges[1:], strict=False):
        ratios = np.sort(fine[chosen] / (coarse[chosen] + 0.05))
        features += [float(ratios[int(share * (count - 1))]) for share in _QUANTILES]
    for scale, chosen in zip(own, edges, strict=True):
        strong = float(scale[chosen[0]])
        features += [float(np.log(strong / contrast + 1e-3)), float(np.log(scale.mean() / contrast + 1e-3))]
    return np.asarray([*features, np.log(contrast)], np.float32)
