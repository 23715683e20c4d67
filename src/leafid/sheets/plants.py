"""Segment the plant, so that no later step learns the herbarium instead of the plant.

The method is classical: the distance from a fitted paper colour finds everything that lies on the paper, and shape
separates the plant from other objects on the sheet (`sheet_objects`). Nothing is trained, so only the few thresholds
here could be overfitted. They were chosen on every second sheet of a set with true masks and tested on the others;
see scripts/measure_plant_masks.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.paper import Paper, fit_paper_colour, sheet_region, to_lab
from leafid.sheets.sheet_objects import ComponentKind, classify_components

WORKING_SIDE = 1024  # pixels of the long side on which the mask is found


@dataclass(frozen=True)
class PlantMask:
    """Mask of the plant.

    Attributes:
        reduced: True on the plant, bool (h, w), long side at most `WORKING_SIDE`.
        size: Width and height in pixels of the image that the mask belongs to.
        fraction: Share of the image covered by plant, 0..1.
        confidence: 0 (no plant, or only objects that hardly differ from the background) to 1.
    """

    reduced: NDArray[np.bool_]
    size: tuple[int, int]
    fraction: float
    confidence: float

    def full(self) -> NDArray[np.bool_]:
        """Return the mask at the image's own size, bool (H, W)."""
        if (self.reduced.shape[1], self.reduced.shape[0]) == self.size:
            return self.reduced
        enlarged = cv2.resize(self.reduced.astype(np.float32), self.size, interpolation=cv2.INTER_LINEAR)
        return np.asarray(enlarged > 0.5)


def plant_mask(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the plant mask at the image's own size; see `find_plant` for the reduced mask, share and confidence.

    Args:
        image: uint8 RGB (H, W, 3).

    Returns:
        bool (H, W), True on plant.
    """
    return find_plant(image).full()


def find_plant(
    image: NDArray[np.uint8], size: tuple[int, int] | None = None, *, working_side: int = WORKING_SIDE
) -> PlantMask:
    """Find the plant on a pressed sheet, on paper, on cloth, or in a field photo.

    Args:
        image: uint8 RGB (H, W, 3) of any size; a long side of `working_side` is enough.
        size: Width and height of the original if `image` is reduced; only `PlantMask.full` uses it.
        working_side: Long side in pixels on which the mask is found.

    Returns:
        The mask with its share and confidence. For an image without a plant the mask is empty and the confidence 0.
    """
    lab = to_lab(downscale(image, working_side))
    paper = fit_paper_colour(lab)
    mask, confidence = _green_plant(lab) if paper is None or paper.share < 0.15 else _plant_on_paper(lab, paper)
    return PlantMask(
        reduced=mask,
        size=size if size is not None else (image.shape[1], image.shape[0]),
        fraction=float(mask.mean()),
        confidence=confidence if mask.any() else 0.0,
    )


def _plant_on_paper(lab: NDArray[np.float32], paper: Paper) -> tuple[NDArray[np.bool_], float]:
    image_lightness, *image_hue = _planes(lab)
    paper_lightness, *paper_hue = _planes(paper.colour)
    lightness = image_lightness - paper_lightness
    colour = _length(image_hue[0] - paper_hue[0], image_hue[1] - paper_hue[1])
    threshold = 0.22 * float(np.median(paper_lightness))
    sheet = sheet_region(_length(lightness, colour), 0.6 * threshold)

    # Not darker and hardly more colourful than the paper: this is another paper (a label, tape), not a plant.
    other_paper = (lightness > -4) & (_length(*image_hue) < _length(*paper_hue) + 4)
    candidate = sheet & ~other_paper
    darker = np.minimum(lightness, 0)
    strong = (_length(darker, colour) > 1.6 * threshold) & candidate
    if not strong.any():
        return np.zeros(sheet.shape, np.bool_), 0.0
    # Colour separates a clearly coloured plant from its own shadow; a brown plant also needs lightness.
    weight = float(np.interp(np.median(colour[strong]), [18, 35], [1.0, 0.35]))
    threshold *= float(np.interp(weight, [0.35, 1.0], [0.8, 1.0]))
    distance = _length(weight * darker, colour)

    components = classify_components((distance > threshold) & candidate, sheet, image_lightness, colour)
    mask = components.mask(ComponentKind.PLANT)
    if not mask.any():
        return mask, 0.0
    contrast = float(np.median(distance[mask]))
    # Tape and shadow differ less from the paper than the plant does.
    mask &= distance > np.clip(0.38 * contrast, threshold, 1.5 * threshold)
    return mask, float(np.clip((contrast / threshold - 1) / 1.5, 0, 1))


def _planes(lab: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Return L*, a* and b* (H, W) apart: what lies together in memory is calculated faster."""
    return [np.asarray(plane, dtype=np.float32) for plane in cv2.split(lab)]


def _length(x: NDArray[np.float32], y: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the length of vectors (x, y), as ``np.hypot``, but several times faster."""
    return np.asarray(cv2.magnitude(x, y), dtype=np.float32)


def _green_plant(lab: NDArray[np.float32]) -> tuple[NDArray[np.bool_], float]:
    """Take green pixels as plant where no paper was found; the confidence is low, because other things are green."""
    green = np.hypot(np.minimum(lab[..., 1], 0), np.maximum(lab[..., 2], 0) * 0.5)
    mask = (lab[..., 1] < -6) & (lab[..., 2] > 6) & (green > 10)
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    return np.asarray(opened > 0), 0.3


def downscale(image: NDArray[np.uint8], max_side: int) -> NDArray[np.uint8]:
    """Reduce an image, uint8 (H, W, 3), to at most `max_side` pixels on its long side; never enlarge it."""
    scale = max_side / max(image.shape[:2])
    if scale >= 1:
        return image
    if round(min(image.shape[:2]) * scale) < 1:  # a very narrow image keeps one row or column
        size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
