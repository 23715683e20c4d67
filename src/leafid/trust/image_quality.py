"""Image quality: size, brightness and what the input gate says of the image; for evaluations also sharpness."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.sheets import GOOD, CropKind, PreparedImage

MIN_BRIGHTNESS = 40.0
"""An image is too dark when even its bright parts have fewer grey values (of 255): it reflects 2 % of the light."""

MIN_GOOD = 0.15
"""The input gate rejects an image whose probability of being a suitable photo is lower."""

_TRAINING_REJECTED = 0.02
"""Share of the training images that the input gate may reject; with more, its limit is lowered."""
_MEANS_NOTHING = 0.01
"""Limit of the input gate below which it is not asked: the training images are no photos of leaves to it."""


@dataclass(frozen=True, kw_only=True)
class ImageQuality:
    """Quality of an image, measured before it is identified.

    Attributes:
        shorter_side: of the original, in pixels.
        brightness: of the brightest view: 99 % quantile of its grey values, 0 to 255.
        answers: of the input gate, with their probabilities; None if it was not asked.
    """

    shorter_side: int
    brightness: float
    answers: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class QualityWithSharpness(ImageQuality):
    """Quality of an image in an evaluation, which groups by sharpness; identification has no use for it.

    Attributes:
        sharpness: of the sharpest view: 99 % quantile of the absolute Laplacian, in grey values.
    """

    sharpness: float


def image_quality(prepared: PreparedImage) -> ImageQuality:
    """Measure an image, but for its sharpness."""
    return ImageQuality(
        shorter_side=min(prepared.width, prepared.height),
        brightness=max(_brightness(view) for view in prepared.views),
        answers=prepared.answers,
    )


def quality_with_sharpness(prepared: PreparedImage) -> QualityWithSharpness:
    """Measure an image with its sharpness."""
    # Vein maps are left out: their drawn lines are sharp even when the photo is blurred.
    views = [view for view, kind in zip(prepared.views, prepared.kinds, strict=True) if kind is not CropKind.VEINS]
    sharpness = max(_sharpness(view) for view in views or prepared.views)
    return QualityWithSharpness(**vars(image_quality(prepared)), sharpness=sharpness)


def fit_min_good(answers: Sequence[Mapping[str, float]]) -> float | None:
    """Return the limit of the input gate for a bundle: ``MIN_GOOD``, or lower where it would reject training images.

    Args:
        answers: of the gate for training images.

    Returns:
        None without images, or where the gate takes more than a few of them for no photo of a leaf.
    """
    if not answers:
        return None
    limit = min(MIN_GOOD, float(np.quantile([answer[GOOD] for answer in answers], _TRAINING_REJECTED)))
    return limit if limit >= _MEANS_NOTHING else None


def _brightness(view: NDArray[np.uint8]) -> float:
    import cv2

    return float(np.quantile(cv2.cvtColor(view, cv2.COLOR_RGB2GRAY), 0.99))


def _sharpness(view: NDArray[np.uint8]) -> float:
    import cv2

    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    # The frame is left out: it holds padding and the border values that OpenCV makes up.
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))[2:-2, 2:-2]
    return float(np.quantile(edges, 0.99))
