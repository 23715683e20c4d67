"""All leaves of an image that can be measured: found on the sheet, cut out, measured one by one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.characters.measuring import MeasuredLeaf, measure_leaf
from leafid.characters.values import LeafCharacters, NotMeasured
from leafid.images import OpenedImage, open_image
from leafid.sheets import CropKind, CropPlan, PlantMask, cut_crop, find_crops, find_plant, find_ruler_scale

MOST_LEAVES = 6
LEAST_PLANT = 0.002  # share of the image below which what was found is no plant
_NEEDED_SIDE = 1600  # shorter side at which an image is decoded: a leaf a quarter as long shows its veins
_LONGEST = 1300  # long side to which a leaf is reduced before its outline is refined
_ALONE = 0.8  # share of its piece of plant that is the leaf itself, where nothing but its petiole hangs on it
_WHOLE = 0.85  # share of its outline that is a leaf's own; less is cut off by another


@dataclass(frozen=True)
class FoundLeaf:
    """A leaf of an image.

    Attributes:
        box: left, top, right, bottom in pixels of the original image.
        measured: what was measured of it.
        pixels: the leaf cut out and turned, uint8 RGB (H, W, 3): `measured.lines` are drawn on it.
    """

    box: tuple[int, int, int, int]
    measured: MeasuredLeaf
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class MeasuredImage:
    """The leaves of one image.

    Attributes:
        leaves: those that could be told apart, the best first; also those of which nothing could be measured.
        not_measured: why there is none.
        px_per_mm: scale of the original, where it was given or a ruler told it.
    """

    leaves: tuple[FoundLeaf, ...]
    not_measured: NotMeasured | None = None
    px_per_mm: float | None = None


def measure_file(
    path: Path, *, leaves: int = MOST_LEAVES, px_per_mm: float | None = None, rulers: bool = False
) -> MeasuredImage:
    """Measure the leaves of an image file; arguments as in `measure_image`.

    Raises:
        ImageError: the file cannot be read.
    """
    opened = open_image(path, needed_side=_NEEDED_SIDE)
    return measure_image(opened, leaves=leaves, px_per_mm=px_per_mm, rulers=rulers)


def measure_image(
    image: OpenedImage, *, leaves: int = MOST_LEAVES, px_per_mm: float | None = None, rulers: bool = False
) -> MeasuredImage:
    """Find and measure the leaves of a sheet or photo.

    Args:
        image: perhaps decoded smaller than the original.
        leaves: most leaves to measure, best first.
        px_per_mm: scale of the original, where known.
        rulers: where it is not, look for a ruler in the image.
    """
    pixels = np.asarray(image.rgb, np.uint8)
    decoded = image.rgb.width / image.width
    plant = find_plant(pixels)
    if plant.fraction < LEAST_PLANT:
        return MeasuredImage((), NotMeasured.NO_LEAF)
    plans = [
        plan
        for plan in find_crops(pixels, plant, leaves=leaves, tiles=0, whole=False)
        if plan.kind is CropKind.LEAF and plan.quality.wholeness >= _WHOLE
    ]
    if rulers and px_per_mm is None and plans:
        ruler = find_ruler_scale(pixels)
        px_per_mm = None if ruler is None else ruler.px_per_mm / decoded
    found = tuple(_measured(pixels, plant, plan, decoded, px_per_mm) for plan in plans)
    return MeasuredImage(found, None if found else NotMeasured.NO_LEAF, px_per_mm)


def _measured(
    pixels: NDArray[np.uint8], plant: PlantMask, plan: CropPlan, decoded: float, px_per_mm: float | None
) -> FoundLeaf:
    left, top, right, bottom = plan.box
    longest = max(right - left, bottom - top)
    crop = cut_crop(pixels, plan, background="kept", longest=_LONGEST)
    scale = min(1.0, _LONGEST / longest) * decoded
    beyond = _petiole_beyond(plant, plan)
    measured = measure_leaf(
        crop.pixels,
        crop.mask,
        px_per_mm=px_per_mm,
        px_scale=scale,
        beyond_px=None if beyond is None else beyond / decoded,
    )
    if measured.lines is None and measured.not_measured is None:
        measured = replace(measured, characters=LeafCharacters())
    box = (round(left / decoded), round(top / decoded), round(right / decoded), round(bottom / decoded))
    return FoundLeaf(box, measured, crop.pixels)


def _petiole_beyond(plant: PlantMask, plan: CropPlan) -> float | None:
    """Length of the petiole outside the crop's mask, pixels of the decoded image; None where more than it hangs on."""
    height, width = plant.reduced.shape
    per_mask = plant.size[0] / width
    x, y = round(plan.box[0] / per_mask), round(plan.box[1] / (plant.size[1] / height))
    own = np.zeros((height, width), np.uint8)
    shape = plan.shape[: height - y, : width - x]
    own[y : y + shape.shape[0], x : x + shape.shape[1]] = shape
    _, labels = cv2.connectedComponents(plant.reduced.astype(np.uint8), connectivity=8)
    touched = np.unique(labels[(own > 0) & (labels > 0)])
    piece = np.isin(labels, touched) & (labels > 0)
    if own.sum() < _ALONE * np.count_nonzero(piece):
        return None
    rest = (piece & (cv2.dilate(own, np.ones((3, 3), np.uint8)) == 0)).astype(np.uint8)
    if rest.sum() < 4:
        return 0.0
    depth = cv2.distanceTransform(rest, cv2.DIST_L2, 5)
    breadth = max(1.0, 2 * float(np.percentile(depth[rest > 0], 90)))
    return float(np.count_nonzero(rest) / breadth * per_mask)
