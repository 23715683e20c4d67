"""How sharp a picture is, whatever it shows: how fast its clearest edges rise, and what is left of its fine detail.

An edge blurred by s has, under a Gaussian derivative of scale t, a gradient in proportion to 1 / sqrt(s^2 + t^2). The
ratio at two scales so depends on s alone, not on contrast (Zhuo & Sim 2011, Pattern Recognition 44).
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Map = NDArray[np.float32]

_SCALES = (0.6, 1.2, 2.4, 4.8)  # in pixels
_EDGES = 0.04  # share of the pixels that are taken for edges
_QUANTILES = (0.2, 0.5, 0.8, 0.95)
_MANY = 12_000  # pixels of a picture from which every second row and column is enough
_FEW = 200  # pixels of a mask below which all is measured

SHARPNESS = (len(_SCALES) - 1) * len(_QUANTILES) + 2 * len(_SCALES) + 1
"""Number of features."""


def sharpness_features(grey: Map, masks: Sequence[NDArray[np.bool_] | None]) -> list[Map]:
    """Measure a grey picture [H, W], 0 to 255, in all of it (None) or where a mask [H, W] says.

    Returns:
        For each mask [SHARPNESS] ratios of gradients at clear edges at neighbouring scales, logarithms of strong and of
        mean gradients relative to the contrast at each scale, and the logarithm of the contrast.
    """
    step = 2 if grey.size > _MANY else 1
    seen = np.s_[2 : grey.shape[0] - 2 : step, 2 : grey.shape[1] - 2 : step]  # the frame holds what OpenCV makes up
    gradients, tones = [scale[seen].ravel() for scale in _gradients(grey)], grey[seen].ravel()
    result = []
    for mask in masks:
        inside = None if mask is None else np.flatnonzero(mask[seen])
        if inside is None or len(inside) * step**2 <= _FEW:
            result.append(_features(gradients, tones))
        else:
            result.append(_features([scale[inside] for scale in gradients], tones[inside]))
    return result


def _gradients(grey: Map) -> list[Map]:
    """Return the gradient of a grey picture [H, W] at each scale; each is softened from the one before."""
    result, before = [], 0.0
    for scale in _SCALES:
        further = float(np.sqrt(scale**2 - before**2))
        side = 2 * int(np.ceil(3 * further)) + 1
        grey = np.asarray(cv2.GaussianBlur(grey, (side, side), further), np.float32)
        x, y = (cv2.Sobel(grey, cv2.CV_32F, *order, scale=1 / 8) for order in ((1, 0), (0, 1)))
        result.append(np.asarray(cv2.magnitude(x, y), np.float32))
        before = scale
    return result


def _features(gradients: list[Map], tones: Map) -> Map:
    """Measure pixels by their gradients, [scales][N], and tones [N]."""
    if len(tones) < 50:
        return np.zeros(SHARPNESS, np.float32)
    contrast = float(tones.std()) + 1.0
    count = max(20, int(_EDGES * len(tones)))
    edges = [np.argpartition(scale, -count)[-count:] for scale in gradients]
    features: list[float] = []
    for fine, coarse, chosen in zip(gradients, gradients[1:], edges[1:], strict=False):
        ratios = np.sort(fine[chosen] / (coarse[chosen] + 0.05))
        features += [float(ratios[int(share * (count - 1))]) for share in _QUANTILES]
    for scale, chosen in zip(gradients, edges, strict=True):
        strong = float(scale[chosen[0]])
        features += [float(np.log(strong / contrast + 1e-3)), float(np.log(scale.mean() / contrast + 1e-3))]
    return np.asarray([*features, np.log(contrast)], np.float32)
