"""What the network sees: one function for training and for identification, so that both see the same."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from leafid.exif import NOTHING, Shot
from leafid.images import OpenedImage, open_image
from leafid.jobs import Preprocessing
from leafid.sheets.crop_plan import CropKind, view_side

PAD_COLOUR = (255, 255, 255)
"""Colour of the border that ``fit: pad`` adds."""

# Shorter side of the decoded image, as a multiple of what the network sees: a plant that fills a third of the sheet, or
# a leaf that is an eighth of it long, is then still seen as sharp as the network can see.
_PLANT_SIDES, _LEAF_SIDES = 3, 8
_MASK_SIDE = 768  # and at least this, on which masks were measured


@dataclass(frozen=True)
class PreparedImage:
    """What the network sees of one image: a bag of views.

    Attributes:
        views: pixels (S, S, 3), uint8, RGB, of each view; at least one, in the order image, plant, leaves, tiles,
            veins.
        kinds: what each view shows.
        width: width of the original in pixels, upright.
        height: height of the original in pixels, upright.
        notes: which of the wanted views are not to be had, in words; empty if all are.
        shot: what the camera wrote into the file; nothing of it is seen by the network.
    """

    views: tuple[NDArray[np.uint8], ...]
    kinds: tuple[CropKind, ...]
    width: int
    height: int
    notes: tuple[str, ...] = ()
    shot: Shot = NOTHING


def prepare_file(path: Path, preprocessing: Preprocessing, *, enlarged: float = 1.0) -> PreparedImage:
    """Open an image at the size needed and prepare it; arguments as in ``prepare``.

    Raises:
        ImageError: the file cannot be read; see ``leafid.images.open_image``.
    """
    return prepare(open_for_views(path, preprocessing, enlarged=enlarged), preprocessing, enlarged=enlarged)


def open_for_views(path: Path, preprocessing: Preprocessing, *, enlarged: float = 1.0) -> OpenedImage:
    """Open an image, decoded no larger than its views need.

    Raises:
        ImageError: the file cannot be read; see ``leafid.images.open_image``.
    """
    needed = _decode_side(preprocessing, enlarged)
    return open_image(path, needed_side=needed, max_pixels=preprocessing.max_pixels)


def prepare(image: OpenedImage, preprocessing: Preprocessing, *, enlarged: float = 1.0) -> PreparedImage:
    """Bring an image to what the network sees.

    Where a wanted view is not to be had, because there is no plant or there are fewer leaves, there are fewer views. If
    none is left, it is the whole plant, and without a plant the whole image; ``notes`` say so.

    Args:
        image: the image, perhaps decoded smaller than the original.
        preprocessing: which views, and how.
        enlarged: views are made larger by this, for training. Which parts are seen does not depend on it.
    """
    wanted = preprocessing.views
    crops: list[tuple[CropKind, Image.Image]] = []
    notes: tuple[str, ...] = ()
    if wanted.of_plant:
        from leafid.sheets.views import cut_views, find_views  # OpenCV is only needed here

        found = find_views(image, preprocessing)
        crops, notes = cut_views(found, preprocessing), found.notes
    if wanted.image or not crops:
        crops.insert(0, (CropKind.IMAGE, image.rgb))
    return PreparedImage(
        views=tuple(
            _square(pixels, round(view_side(kind, preprocessing) * enlarged), preprocessing) for kind, pixels in crops
        ),
        kinds=tuple(kind for kind, _ in crops),
        width=image.width,
        height=image.height,
        notes=notes,
        shot=image.shot,
    )


def _square(image: Image.Image, side: int, preprocessing: Preprocessing) -> NDArray[np.uint8]:
    size, cubic = (side, side), Image.Resampling.BICUBIC
    if preprocessing.colour == "grey":
        image = image.convert("L").convert("RGB")
    match preprocessing.fit:
        case "pad":
            square = ImageOps.pad(image, size, method=cubic, color=PAD_COLOUR)
        case "crop":
            square = ImageOps.fit(image, size, method=cubic)
        case "squash":
            square = image.resize(size, cubic)
    return np.asarray(square, dtype=np.uint8)


def _decode_side(preprocessing: Preprocessing, enlarged: float) -> int | None:
    """The shorter side at which an image must be decoded; None: its own."""
    wanted, whole = preprocessing.views, view_side(CropKind.IMAGE, preprocessing)
    if wanted.tiles:
        return None
    if wanted.leaves or wanted.veins:
        return max(_MASK_SIDE, _LEAF_SIDES * preprocessing.size, _PLANT_SIDES * whole * wanted.plant)
    if wanted.plant:
        return max(_MASK_SIDE, _PLANT_SIDES * whole)
    return round(whole * enlarged)
