"""Find and measure the leaves of an image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from leafid.characters.leaf_ends import LeafEnds
from leafid.characters.measurement import MeasuredLeaf, measure_leaf
from leafid.characters.values import NotMeasuredReason
from leafid.images import ImageSource, OpenedImage, guard_image, open_image
from leafid.sheets import ParsedLeaf, find_scale, parse_leaf_between, parse_leaves

MAX_LEAVES = 6
_NEEDED_SIDE = 1500  # shorter side at which an image is decoded, half that of a photo of 12 megapixels

_PIECE = 0.6  # share of a mask that lies on a measured leaf, above which it is a piece of that leaf


@dataclass(frozen=True)
class MeasuredImage:
    """The measured leaves of one image.

    Attributes:
        leaves: the leaves, measured ones first, then by size, including leaves that could not be measured.
        not_measured: reason why there is no leaf.
        px_per_mm: scale of the original, as given, or from a ruler or scale bar in the image.
    """

    leaves: tuple[MeasuredLeaf, ...]
    not_measured: NotMeasuredReason | None = None
    px_per_mm: float | None = None


def measure_file(
    path: str | ImageSource,
    *,
    leaves: int = MAX_LEAVES,
    px_per_mm: float | None = None,
    rulers: bool = False,
    ends: LeafEnds | None = None,
) -> MeasuredImage:
    """Open an image file, or its content, and measure its leaves; other arguments as in `measure_image`.

    Raises:
        ImageError: the file cannot be read or measured.
    """
    source = Path(path) if isinstance(path, str) else path
    with guard_image(source if isinstance(source, Path) else "image"):
        opened = open_image(source, needed_side=_NEEDED_SIDE)
        return measure_image(opened, leaves=leaves, px_per_mm=px_per_mm, rulers=rulers, ends=ends)


def measure_image(
    image: OpenedImage,
    *,
    leaves: int = MAX_LEAVES,
    px_per_mm: float | None = None,
    rulers: bool = False,
    ends: LeafEnds | None = None,
) -> MeasuredImage:
    """Find and measure the leaves of a sheet or photo.

    Args:
        image: the image; it may be decoded smaller than the original.
        leaves: most leaves to measure, best first.
        px_per_mm: scale of the original, where known.
        rulers: look for a ruler or scale bar in the image where no scale is given.
        ends: base and apex of the one leaf to measure; None to look for leaves.
    """
    pixels = np.asarray(image.rgb, np.uint8)
    decoded = image.rgb.width / image.width
    if ends is None:
        parsed = parse_leaves(pixels)
    else:
        if not ends.inside(image.width, image.height):
            return MeasuredImage((), NotMeasuredReason.ENDS_OUTSIDE, px_per_mm)
        between = parse_leaf_between(pixels, *(np.array(end) * decoded for end in (ends.base, ends.apex)))
        parsed = () if between is None else (between,)
    if not parsed:
        return MeasuredImage((), NotMeasuredReason.NO_LEAF, px_per_mm)
    if rulers and px_per_mm is None:
        scale = find_scale(pixels)
        px_per_mm = None if scale is None else scale / decoded
    pairs = [(leaf, measure_leaf(pixels, leaf, px_per_mm=px_per_mm, px_per_original=decoded)) for leaf in parsed]
    pairs.sort(key=lambda pair: (pair[1].not_measured is not None, pair[1].no_veins is not None))  # then by size
    return MeasuredImage(tuple(_without_pieces(pairs, pixels.shape[:2])[:leaves]), None, px_per_mm)


def _without_pieces(pairs: list[tuple[ParsedLeaf, MeasuredLeaf]], shape: tuple[int, int]) -> list[MeasuredLeaf]:
    """Leave out what could not be measured and is a piece of a leaf that was."""
    covered = np.zeros(shape, np.bool_)
    kept = []
    for parsed, measured in pairs:
        left, top, right, bottom = parsed.box
        if measured.not_measured is None:
            covered[top:bottom, left:right] |= parsed.mask
        elif np.count_nonzero(covered[top:bottom, left:right] & parsed.mask) > _PIECE * np.count_nonzero(parsed.mask):
            continue
        kept.append(measured)
    return kept
