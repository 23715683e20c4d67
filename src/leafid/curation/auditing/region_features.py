"""Compute feature vectors of image regions without the plant: border, background, labels and mean colour.

The vectors contain no leaf shape. Background features are histograms of colour and gradient without positions, so that
the outline of the removed plant has no influence. A rim around the plant is excluded, since it contains shadows.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.curation.auditing.audit_result import Background, Region

PlantMask = Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
"""Function from an RGB image (H, W, 3), uint8, to the mask of the plant, (H, W)."""

GRID = 16
"""Cells per side for border and whole image; the border is the outermost ring of 60 cells."""
OBJECT_GRID = 12
"""Cells per side for objects on the sheet; the feature of a cell is the share that objects cover."""
PLAIN_GREY = 245
"""Grey value, 0 to 255, that replaces a removed background; white paper has about this value."""


RegionFeatures = dict[tuple[Background, Region], NDArray[np.float32]]
"""Feature vectors of one image."""


def region_features(rgb: NDArray[np.uint8], plant_mask: PlantMask | None) -> RegionFeatures:
    """Compute the features of an image by region, with its background and with the background removed.

    Args:
        rgb: (H, W, 3), uint8; a shorter side of about 400 pixels suffices.
        plant_mask: finds the plant. None: only border, mean colour and whole image, with the background.
    """
    features = _maskless_features(rgb, "kept")
    if plant_mask is None:
        return features
    plant = plant_mask(rgb)
    lab = _lab(rgb)
    plant_and_rim = _dilated(plant, rgb.shape[0] + rgb.shape[1])
    background = lab[~plant_and_rim]
    features["kept", "background"] = np.concatenate(
        [_colour_histograms(background), _gradient_histogram(lab, ~plant_and_rim)]
    )
    features["kept", "label_region"] = _object_layout(lab, plant_and_rim)
    plain = np.where(plant[..., None], rgb, np.uint8(PLAIN_GREY))
    return features | _maskless_features(plain, "removed")


def _maskless_features(rgb: NDArray[np.uint8], background: Background) -> RegionFeatures:
    cells = _lab(np.asarray(cv2.resize(rgb, (GRID, GRID), interpolation=cv2.INTER_AREA), dtype=np.uint8))
    ring = np.ones((GRID, GRID), dtype=bool)
    ring[1:-1, 1:-1] = False
    pixels = _lab(rgb).reshape(-1, 3)
    return {
        (background, "border"): cells[ring].ravel(),
        (background, "mean_colour"): np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)]),
        (background, "whole"): cells.ravel(),
    }


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Convert to CIE L*a*b*: L 0 to 100, a and b about -100 to 100."""
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32)


def _dilated(plant: NDArray[np.bool_], sides: int) -> NDArray[np.bool_]:
    """Dilate the mask by about 1 % of the image's side, which covers the shadow of the plant."""
    width = 2 * max(1, sides // 200) + 1
    kernel = np.ones((width, width), dtype=np.uint8)
    return np.asarray(cv2.dilate(plant.astype(np.uint8), kernel), dtype=bool)


def _colour_histograms(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return histograms of L, a and b with 16 bins each, as square roots of shares, so that rare colours count too."""
    histograms = []
    for channel, limits in enumerate(((0, 100), (-40, 40), (-40, 40))):
        values = np.clip(pixels[:, channel], *limits)
        histograms.append(np.histogram(values, bins=16, range=limits)[0])
    counts = np.concatenate(histograms).astype(np.float32)
    return np.sqrt(counts / max(1, len(pixels)))


def _gradient_histogram(lab: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the histogram of the lightness gradient, in which cloth, wood and paper differ."""
    across = cv2.Sobel(lab[..., 0], cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(lab[..., 0], cv2.CV_32F, 0, 1, ksize=3)
    steps = np.log1p(np.hypot(across, down)[where])
    counts = np.histogram(steps, bins=12, range=(0, 6))[0].astype(np.float32)
    return np.sqrt(counts / max(1, len(steps)))


def _object_layout(lab: NDArray[np.float32], plant: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return layout and colours of objects outside the plant that differ from the paper: labels, rulers, stamps."""
    free = ~plant
    if not free.any():
        return np.zeros(OBJECT_GRID * OBJECT_GRID + 48, dtype=np.float32)
    paper = np.median(lab[free], axis=0)
    # A CIE76 colour difference of 12 is clearly visible and above the texture of paper.
    objects = free & (np.linalg.norm(lab - paper, axis=-1) > 12)
    kernel = np.ones((3, 3), dtype=np.uint8)  # opening removes specks and JPEG noise
    objects = np.asarray(cv2.morphologyEx(objects.astype(np.uint8), cv2.MORPH_OPEN, kernel), dtype=bool)
    layout = cv2.resize(objects.astype(np.float32), (OBJECT_GRID, OBJECT_GRID), interpolation=cv2.INTER_AREA)
    return np.concatenate([np.asarray(layout, dtype=np.float32).ravel(), _colour_histograms(lab[objects])])
