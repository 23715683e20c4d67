"""Does the image show a plant, large and sharp enough to be judged? Measured on what the network sees of it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafid.cores import usable_cores
from leafid.errors import ImageError
from leafid.jobs import Preprocessing
from leafid.progress import OnProgress
from leafid.sheets import CropKind, PreparedImage, prepare_file

LEAST_PLANT = 0.002
"""Share of the image below which what was found is no plant; the same as where views are cut."""

LEAST_SHARPNESS = 0.5
"""An image is blurred when it is less than half as sharp as nearly all (99 %) of the validation images."""

PLANT_FOUND = 0.98
"""Share of the validation images on which a plant must be found before an image without one is refused."""


@dataclass(frozen=True)
class ImageQuality:
    """What can be said of an image before it is named.

    Attributes:
        shorter_side: of the original, in pixels.
        sharpness: of the sharpest view, in grey values: its edges (99 % quantile of the absolute Laplacian).
        plant: whether a plant was found.
    """

    shorter_side: int
    sharpness: float
    plant: bool


def image_quality(prepared: PreparedImage, preprocessing: Preprocessing) -> ImageQuality:
    """Look at the views of an image."""
    from leafid.sheets import find_plant  # loads OpenCV, which is only needed here

    whole = prepared.kinds[0] is CropKind.IMAGE
    if whole and preprocessing.views.image:
        found = find_plant(prepared.views[0])
        plant = found.fraction >= LEAST_PLANT and found.confidence > 0
    else:
        plant = not whole  # the whole image is seen instead of the plant where there is none
    return ImageQuality(
        shorter_side=min(prepared.width, prepared.height),
        sharpness=max(_sharpness(view) for view in prepared.views),
        plant=plant,
    )


def qualities_of(
    paths: Sequence[Path], preprocessing: Preprocessing, *, on_progress: OnProgress | None = None
) -> list[ImageQuality | None]:
    """Look at image files; None where one cannot be read."""

    def one(path: Path) -> ImageQuality | None:
        try:
            return image_quality(prepare_file(path, preprocessing), preprocessing)
        except ImageError:
            return None

    qualities = []
    with ThreadPoolExecutor(usable_cores()) as pool:
        for done, quality in enumerate(pool.map(one, paths), start=1):
            qualities.append(quality)
            if on_progress:
                on_progress(done, len(paths))
    return qualities


def fit_min_sharpness(qualities: Sequence[ImageQuality]) -> float | None:
    """Return the sharpness below which an image is blurred, from validation images; None without any."""
    if not qualities:
        return None
    return float(LEAST_SHARPNESS * np.quantile([quality.sharpness for quality in qualities], 0.01))


def plants_are_found(qualities: Sequence[ImageQuality]) -> bool:
    """Tell whether a plant is found on nearly all validation images, so that it means something where none is."""
    return bool(qualities) and sum(quality.plant for quality in qualities) >= PLANT_FOUND * len(qualities)


def _sharpness(view: NDArray[np.uint8]) -> float:
    import cv2

    grey = cv2.cvtColor(view, cv2.COLOR_RGB2GRAY).astype(np.float32)
    edges = np.abs(cv2.Laplacian(grey, cv2.CV_32F))[2:-2, 2:-2]
    return float(np.quantile(edges, 0.99))
