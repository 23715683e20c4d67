"""Does the image show a plant, large and sharp enough to be judged? Measured on what the network sees of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.jobs import Preprocessing
from leafid.sheets import CropKind, PreparedImage

LEAST_PLANT = 0.002
"""Share of the image below which what was found is no plant; the same as where views are cut."""

LEAST_SHARPNESS = 0.5
"""An image is blurred when it is less than half as sharp as nearly all (99 %) of the images of known taxa."""

PLANT_FOUND = 0.98
"""Share of the images of known taxa on which a plant must be found before an image without one is refused."""


@dataclass(frozen=True, kw_only=True)
class ViewQuality:
    """What can be said of an image by its views.

    Attributes:
        sharpness: of the sharpest view, in grey values: its edges (99 % quantile of the absolute Laplacian).
        plant: whether a plant was found.
    """

    sharpness: float
    plant: bool


@dataclass(frozen=True, kw_only=True)
class ImageQuality(ViewQuality):
    """What can be said of an image before it is named.

    Attributes:
        shorter_side: of the original, in pixels.
    """

    shorter_side: int


def image_quality(prepared: PreparedImage, preprocessing: Preprocessing) -> ImageQuality:
    """Look at an image: at its size and its views."""
    seen = view_quality(prepared.views, prepared.kinds, preprocessing)
    return ImageQuality(shorter_side=min(prepared.width, prepared.height), sharpness=seen.sharpness, plant=seen.plant)


def view_quality(
    views: Sequence[NDArray[np.uint8]], kinds: Sequence[CropKind], preprocessing: Preprocessing
) -> ViewQuality:
    """Look at the views (S, S, 3) of an image, given what each shows."""
    from leafid.sheets import find_plant  # loads OpenCV, which is only needed here

    whole = kinds[0] is CropKind.IMAGE
    if whole and preprocessing.views.image:
        found = find_plant(views[0])
        plant = found.fraction >= LEAST_PLANT and found.confidence > 0
    else:
        plant = not whole  # the whole image is seen instead of the plant where there is none
    # The lines of a vein map are sharp, however blurred the photo.
    seen = [view for view, kind in zip(views, kinds, strict=True) if kind is not CropKind.VEINS]
    return ViewQuality(sharpness=max(_sharpness(view) for view in seen or views), plant=plant)


def fit_min_sharpness(qualities: Sequence[ViewQuality]) -> float | None:
    """Return the sharpness below which an image is blurred, from images of known taxa; None without any."""
    if not qualities:
        return None
    return float(LEAST_SHARPNESS * np.quantile([quality.sharpness for quality in qualities], 0.01))


def plants_are_found(qualities: Sequence[ViewQuality]) -> bool:
    """Tell whether a plant is found on nearly all images of known taxa, so that it means something where none is."""
    return bool(qualities) and sum(quality.plant for quality in qualities) >= PLANT_FOUND * len(qualities)


def _sharpness(view: NDArray[np.uint8]) -> float:
    import cv2

    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))[2:-2, 2:-2]
    return float(np.quantile(edges, 0.99))
