"""Prepare the views that the network sees: one function for training and identification, so that both are equal."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from leafid.exif import NO_CAPTURE_INFO, CaptureInfo
from leafid.images import ImageSource, OpenedImage, guard_image, open_image
from leafid.jobs import Preprocessing
from leafid.sheets.crops.crop_plan import CropKind, view_side

PAD_COLOUR = (255, 255, 255)
"""RGB of the border that ``fit: pad`` adds."""

# Shorter side of the decoded image, as a multiple of the network's input: a plant that fills a third of the sheet, or a
# leaf an eighth as long as the sheet, then still has the full resolution of the input.
_PLANT_SIDES, _LEAF_SIDES = 3, 8
_MASK_SIDE = 768  # least shorter side for plant masks: their quality was measured at this size


@dataclass(frozen=True)
class PreparedImage:
    """The views of one image.

    Attributes:
        views: uint8 RGB (S, S, 3) of each view; at least one, in the order image, plant, leaves, tiles, veins.
        kinds: the kind of each view.
        width: width of the original in pixels, upright.
        height: height of the original in pixels, upright.
        notes: remarks on views that are missing; empty if all are present.
        shot: what the camera wrote into the file; the network never sees it.
        answers: of the input gate, with their probabilities; see ``leafid.sheets.input_gate``. None: it was not asked.
    """

    views: tuple[NDArray[np.uint8], ...]
    kinds: tuple[CropKind, ...]
    width: int
    height: int
    notes: tuple[str, ...] = ()
    shot: CaptureInfo = NO_CAPTURE_INFO
    answers: Mapping[str, float] | None = None


def prepare_file(
    path: Path, preprocessing: Preprocessing, *, enlarged: float = 1.0, judged: bool = False
) -> PreparedImage:
    """Open an image at the required size and prepare it; arguments as in ``prepare``.

    Raises:
        ImageError: the file cannot be read or prepared; see ``leafid.images``.
    """
    with guard_image(path):
        opened = open_for_views(path, preprocessing, enlarged=enlarged)
        return prepare(opened, preprocessing, enlarged=enlarged, judged=judged)


def open_for_views(source: ImageSource, preprocessing: Preprocessing, *, enlarged: float = 1.0) -> OpenedImage:
    """Open an image, decoded no larger than its views require.

    Raises:
        ImageError: the file cannot be read; see ``leafid.images.open_image``.
    """
    needed = _decode_side(preprocessing, enlarged)
    return open_image(source, needed_side=needed, max_pixels=preprocessing.max_pixels)


def prepare(
    image: OpenedImage, preprocessing: Preprocessing, *, enlarged: float = 1.0, judged: bool = False
) -> PreparedImage:
    """Prepare the views of an image.

    Without a plant, or with fewer leaves than requested, there are fewer views. If no view is left, the only view is
    the whole plant, or without a plant the whole image. ``notes`` mentions this.

    Args:
        image: the image; it may be decoded smaller than the original.
        preprocessing: the kinds and numbers of views, their size and colours.
        enlarged: factor on the size of the views, for training; the parts shown do not depend on it.
        judged: whether the input gate looks at the image; the views do not depend on it.
    """
    requested = preprocessing.views
    crops: list[tuple[CropKind, Image.Image]] = []
    notes: tuple[str, ...] = ()
    pixels: NDArray[np.uint8] | None = None
    if requested.needs_segmentation:
        from leafid.sheets.views import cut_views, find_views  # OpenCV is only needed here

        found = find_views(image, preprocessing)
        crops, notes, pixels = cut_views(found, preprocessing), found.notes, found.pixels
    if requested.image or not crops:
        crops.insert(0, (CropKind.IMAGE, image.rgb))
    return PreparedImage(
        views=tuple(
            _square(pixels, round(view_side(kind, preprocessing) * enlarged), preprocessing) for kind, pixels in crops
        ),
        kinds=tuple(kind for kind, _ in crops),
        width=image.width,
        height=image.height,
        notes=notes,
        shot=image.capture,
        answers=_answers(np.asarray(image.rgb) if pixels is None else pixels) if judged else None,
    )


def _answers(rgb: NDArray[np.uint8]) -> Mapping[str, float]:
    from leafid.sheets.input_gate import judge_input  # OpenCV is only needed here

    return judge_input(rgb)


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
    """Return the shorter side at which an image must be decoded; None for its own."""
    requested, whole = preprocessing.views, view_side(CropKind.IMAGE, preprocessing)
    largest = None if preprocessing.reduced_side is None else max(_MASK_SIDE, preprocessing.reduced_side)
    if requested.tiles:
        return largest
    if requested.leaves or requested.veins:
        needed = max(_MASK_SIDE, _LEAF_SIDES * preprocessing.size, _PLANT_SIDES * whole * requested.plant)
    elif requested.plant:
        needed = max(_MASK_SIDE, _PLANT_SIDES * whole)
    else:
        return round(whole * enlarged)
    return needed if largest is None else min(needed, largest)
