"""What the network sees: one function for training and for identification, so that both see the same."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from leafid.images import MAX_PIXELS, open_image
from leafid.jobs import Preprocessing

PAPER = (255, 255, 255)
"""Colour of the border that ``fit: pad`` adds."""


@dataclass(frozen=True)
class PreparedImage:
    """What the network sees of one image.

    Attributes:
        view: pixels (size, size, 3), uint8, RGB.
        width: width of the original in pixels, upright.
        height: height of the original in pixels, upright.
    """

    view: NDArray[np.uint8]
    width: int
    height: int


def prepare_file(path: Path, preprocessing: Preprocessing, *, max_pixels: int = MAX_PIXELS) -> PreparedImage:
    """Open an image at the size needed and prepare it.

    Raises:
        ImageError: the file cannot be read; see ``leafid.images.open_image``.
    """
    opened = open_image(path, needed_side=preprocessing.size, max_pixels=max_pixels)
    return PreparedImage(prepare(opened.rgb, preprocessing), opened.width, opened.height)


def prepare(image: Image.Image, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    """Bring an RGB image to what the network sees: (size, size, 3), uint8."""
    side = (preprocessing.size, preprocessing.size)
    match preprocessing.fit:
        case "pad":
            square = ImageOps.pad(image, side, method=Image.Resampling.BICUBIC, color=PAPER)
        case "crop":
            square = ImageOps.fit(image, side, method=Image.Resampling.BICUBIC)
        case "squash":
            square = image.resize(side, Image.Resampling.BICUBIC)
    return np.asarray(square, dtype=np.uint8)
