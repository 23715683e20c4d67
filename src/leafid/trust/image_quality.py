"""Image quality: size, sharpness, and whether a plant is found, measured on the views that the network gets."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.jobs import Preprocessing
from leafid.sheets import CropKind, PreparedImage

MIN_PLANT_FRACTION = 0.002
"""Smallest fraction of the image that counts as a plant; the same as for the views."""

MIN_RELATIVE_SHARPNESS = 0.5
"""An image is blurred when its sharpness is below this fraction of the 1 % quantile of the train and val images."""

MIN_BRIGHTNESS = 40.0
"""An image is too dark when even its bright parts have fewer grey values (of 255): it reflects 2 % of the light."""

MIN_PLANT_RATE = 0.98
"""Images without a plant are rejected only if a plant is found on at least this share of the train and val images."""


@dataclass(frozen=True, kw_only=True)
class ViewQuality:
    """Quality of an image as measured on its views.

    Attributes:
        sharpness: of the sharpest view: 99 % quantile of the absolute Laplacian, in grey values.
        plant_found: whether a plant was found.
    """

    sharpness: float
    plant_found: bool


@dataclass(frozen=True, kw_only=True)
class ImageQuality(ViewQuality):
    """Quality of an image, measured before it is identified.

    Attributes:
        shorter_side: of the original, in pixels.
        brightness: of the brightest view: 99 % quantile of its grey values, 0 to 255.
    """

    shorter_side: int
    brightness: float


def image_quality(prepared: PreparedImage, preprocessing: Preprocessing) -> ImageQuality:
    """Measure an image: its size, and the quality of its views."""
    quality = view_quality(prepared.views, prepared.kinds, preprocessing)
    return ImageQuality(
        shorter_side=min(prepared.width, prepared.height),
        sharpness=quality.sharpness,
        plant_found=quality.plant_found,
        brightness=max(_brightness(view) for view in prepared.views),
    )


def view_quality(
    views: Sequence[NDArray[np.uint8]], kinds: Sequence[CropKind], preprocessing: Preprocessing
) -> ViewQuality:
    """Measure the views (S, S, 3) of an image, given the kind of each."""
    from leafid.sheets import find_plant  # loads OpenCV, which is only needed here

    whole = kinds[0] is CropKind.IMAGE
    if whole and preprocessing.views.image:
        plant = find_plant(views[0])
        plant_found = plant.fraction >= MIN_PLANT_FRACTION and plant.confidence > 0
    else:
        plant_found = not whole  # preparation falls back to the whole image when it finds no plant
    # Vein maps are left out: their drawn lines are sharp even when the photo is blurred.
    photos = [view for view, kind in zip(views, kinds, strict=True) if kind is not CropKind.VEINS]
    return ViewQuality(sharpness=max(_sharpness(view) for view in photos or views), plant_found=plant_found)


def fit_min_sharpness(qualities: Sequence[ViewQuality]) -> float | None:
    """Return the sharpness below which an image is blurred, given the train and val images; None without images."""
    if not qualities:
        return None
    return float(MIN_RELATIVE_SHARPNESS * np.quantile([quality.sharpness for quality in qualities], 0.01))


def fit_needs_plant(qualities: Sequence[ViewQuality]) -> bool:
    """Return whether to reject images without a plant: a plant is found on nearly all train and val images."""
    return bool(qualities) and sum(quality.plant_found for quality in qualities) >= MIN_PLANT_RATE * len(qualities)


def _brightness(view: NDArray[np.uint8]) -> float:
    import cv2

    return float(np.quantile(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), 0.99))


def _sharpness(view: NDArray[np.uint8]) -> float:
    import cv2

    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # The frame is left out: it holds padding and the border values that OpenCV makes up.
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))[2:-2, 2:-2]
    return float(np.quantile(edges, 0.99))
