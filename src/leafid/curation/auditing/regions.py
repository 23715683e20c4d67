"""What a classifier sees that must not see the plant: border, background, labels, mean colour, each as a short vector.

All are deliberately blind to leaf shape: the background enters as colours and roughness without places, so that the
hole left by the plant does not tell its outline; a rim around the plant, where shadows lie, is left out.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.curation.auditing.figures import Background, Region

PlantMask = Callable[[NDArray[np.uint8]], NDArray[np.bool_]]
"""From an RGB image (H, W, 3), uint8, to True where the plant is, (H, W)."""

FRAME = 16
"""Border and whole image are seen as 16 x 16 cells; the border is the outermost ring of 60 cells."""
LAYOUT = 12
"""Objects on the sheet are seen as the share of each of 12 x 12 cells that they cover."""
PLAIN = 245
"""Grey value, 0 to 255, that replaces a removed background: that of white paper."""


Seen = dict[tuple[Background, Region], NDArray[np.float32]]
"""The vectors of one image."""


def look(rgb: NDArray[np.uint8], plant_mask: PlantMask | None) -> Seen:
    """See an image by regions, with its background and after this was made plain.

    Args:
        rgb: (H, W, 3), uint8; a shorter side of some 400 pixels is enough.
        plant_mask: finds the plant; None: only border, mean colour and the whole are seen, with their background.
    """
    seen = _without_mask(rgb, "kept")
    if plant_mask is None:
        return seen
    plant = plant_mask(rgb)
    lab = _lab(rgb)
    around = _grown(plant, rgb.shape[0] + rgb.shape[1])
    background = lab[~around]
    seen["kept", "background"] = np.concatenate([_colours(background), _roughness(lab, ~around)])
    seen["kept", "label_region"] = _objects(lab, around)
    plain = np.where(plant[..., None], rgb, np.uint8(PLAIN))
    return seen | _without_mask(plain, "removed")


def _without_mask(rgb: NDArray[np.uint8], background: Background) -> Seen:
    cells = _lab(np.asarray(cv2.resize(rgb, (FRAME, FRAME), interpolation=cv2.INTER_AREA), dtype=np.uint8))
    ring = np.ones((FRAME, FRAME), dtype=bool)
    ring[1:-1, 1:-1] = False
    pixels = _lab(rgb).reshape(-1, 3)
    return {
        (background, "border"): cells[ring].ravel(),
        (background, "mean_colour"): np.concatenate([pixels.mean(axis=0), pixels.std(axis=0)]),
        (background, "whole"): cells.ravel(),
    }


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIE L*a*b*: L 0 to 100, a and b about -100 to 100."""
    return np.asarray(cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32)


def _grown(plant: NDArray[np.bool_], sides: int) -> NDArray[np.bool_]:
    """The mask with a rim of about 1 % of the image's side."""
    width = 2 * max(1, sides // 200) + 1
    kernel = np.ones((width, width), dtype=np.uint8)
    return np.asarray(cv2.dilate(plant.astype(np.uint8), kernel), dtype=bool)


def _colours(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Histograms of L, a and b with 16 bins each; square roots of shares, so that rare colours count too."""
    histograms = []
    for channel, limits in enumerate(((0, 100), (-40, 40), (-40, 40))):
        values = np.clip(pixels[:, channel], *limits)
        histograms.append(np.histogram(values, bins=16, range=limits)[0])
    counts = np.concatenate(histograms).astype(np.float32)
    return np.sqrt(counts / max(1, len(pixels)))


def _roughness(lab: NDArray[np.float32], where: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Histogram of the lightness gradient: cloth, wood and paper differ in it."""
    across = cv2.Sobel(lab[..., 0], cv2.CV_32F, 1, 0, ksize=3)
    down = cv2.Sobel(lab[..., 0], cv2.CV_32F, 0, 1, ksize=3)
    steps = np.log1p(np.hypot(across, down)[where])
    counts = np.histogram(steps, bins=12, range=(0, 6))[0].astype(np.float32)
    return np.sqrt(counts / max(1, len(steps)))


def _objects(lab: NDArray[np.float32], plant: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Layout and colours of what lies beside the plant and is not of the paper's colour: labels, rulers, stamps."""
    free = ~plant
    if not free.any():
        return np.zeros(LAYOUT * LAYOUT + 48, dtype=np.float32)
    paper = np.median(lab[free], axis=0)
    objects = free & (np.linalg.norm(lab - paper, axis=-1) > 12)
    kernel = np.ones((3, 3), dtype=np.uint8)
    objects = np.asarray(cv2.morphologyEx(objects.astype(np.uint8), cv2.MORPH_OPEN, kernel), dtype=bool)
    layout = cv2.resize(objects.astype(np.float32), (LAYOUT, LAYOUT), interpolation=cv2.INTER_AREA)
    return np.concatenate([np.asarray(layout, dtype=np.float32).ravel(), _colours(lab[objects])])
