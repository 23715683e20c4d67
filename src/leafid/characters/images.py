"""Find, cut out and measure the leaves of an image."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.characters.measurement import MeasuredLeaf, measure_leaf
from leafid.characters.values import LeafCharacters, NotMeasuredReason
from leafid.images import OpenedImage, guard_image, open_image
from leafid.sheets import CropKind, CropPlan, PlantMask, cut_crop, find_crops, find_plant, find_ruler_scale

MAX_LEAVES = 6
MIN_PLANT_FRACTION = 0.002  # share of the image; less is not a plant
_NEEDED_SIDE = 1600  # shorter side at which an image is decoded: veins are visible on leaves a quarter as long
_MAX_SIDE = 1300  # long side to which a leaf is reduced before its outline is refined
_MIN_OWN_SHARE = 0.8  # share of a plant component that is the leaf; with less, more than a petiole is attached
_MIN_COMPLETENESS = 0.85  # of a leaf's outline; less is partly covered by another leaf or cut off by the image


@dataclass(frozen=True)
class FoundLeaf:
    """One leaf of an image.

    Attributes:
        box: left, top, right, bottom in pixels of the original image.
        measured: its measurement.
        pixels: the crop of the leaf, uint8 RGB (H, W, 3); `measured.lines` are in its pixels.
    """

    box: tuple[int, int, int, int]
    measured: MeasuredLeaf
    pixels: NDArray[np.uint8]


@dataclass(frozen=True)
class MeasuredImage:
    """The measured leaves of one image.

    Attributes:
        leaves: the separate leaves, best first, including leaves that could not be measured.
        not_measured: reason why there is no leaf.
        px_per_mm: scale of the original, as given or from a ruler in the image.
    """

    leaves: tuple[FoundLeaf, ...]
    not_measured: NotMeasuredReason | None = None
    px_per_mm: float | None = None


def measure_file(
    path: Path, *, leaves: int = MAX_LEAVES, px_per_mm: float | None = None, rulers: bool = False
) -> MeasuredImage:
    """Measure the leaves of an image file; arguments as in `measure_image`.

    Raises:
        ImageError: the file cannot be read or measured.
    """
    with guard_image(path):
        opened = open_image(path, needed_side=_NEEDED_SIDE)
        return measure_image(opened, leaves=leaves, px_per_mm=px_per_mm, rulers=rulers)


def measure_image(
    image: OpenedImage, *, leaves: int = MAX_LEAVES, px_per_mm: float | None = None, rulers: bool = False
) -> MeasuredImage:
    """Find and measure the leaves of a sheet or photo.

    Args:
        image: the image; it may be decoded smaller than the original.
        leaves: most leaves to measure, best first.
        px_per_mm: scale of the original, where known.
        rulers: look for a ruler in the image where no scale is given.
    """
    pixels = np.asarray(image.rgb, np.uint8)
    decoded = image.rgb.width / image.width
    plant = find_plant(pixels)
    if plant.fraction < MIN_PLANT_FRACTION:
        return MeasuredImage((), NotMeasuredReason.NO_LEAF)
    plans = [
        plan
        for plan in find_crops(pixels, plant, leaves=leaves, tiles=0, whole_plant=False)
        if plan.kind is CropKind.LEAF and plan.quality.completeness >= _MIN_COMPLETENESS
    ]
    if rulers and px_per_mm is None and plans:
        ruler = find_ruler_scale(pixels)
        px_per_mm = None if ruler is None else ruler.px_per_mm / decoded
    found = tuple(_measure_plan(pixels, plant, plan, decoded, px_per_mm) for plan in plans)
    return MeasuredImage(found, None if found else NotMeasuredReason.NO_LEAF, px_per_mm)


def _measure_plan(
    pixels: NDArray[np.uint8], plant: PlantMask, plan: CropPlan, decoded: float, px_per_mm: float | None
) -> FoundLeaf:
    left, top, right, bottom = plan.box
    max_side = max(right - left, bottom - top)
    crop = cut_crop(pixels, plan, background="kept", max_side=_MAX_SIDE)
    scale = min(1.0, _MAX_SIDE / max_side) * decoded
    outer_petiole = _outer_petiole(plant, plan)
    measured = measure_leaf(
        crop.pixels,
        crop.mask,
        px_per_mm=px_per_mm,
        crop_scale=scale,
        outer_petiole_px=None if outer_petiole is None else outer_petiole / decoded,
    )
    if measured.lines is None and measured.not_measured is None:
        measured = replace(measured, characters=LeafCharacters())
    box = (round(left / decoded), round(top / decoded), round(right / decoded), round(bottom / decoded))
    return FoundLeaf(box, measured, crop.pixels)


def _outer_petiole(plant: PlantMask, plan: CropPlan) -> float | None:
    """Measure the petiole outside the crop's mask in pixels of the decoded image; None where more is attached."""
    height, width = plant.reduced.shape
    per_mask = plant.size[0] / width
    x, y = round(plan.box[0] / per_mask), round(plan.box[1] / (plant.size[1] / height))
    own = np.zeros((height, width), np.uint8)
    shape = plan.shape[: height - y, : width - x]
    own[y : y + shape.shape[0], x : x + shape.shape[1]] = shape
    _, labels = cv2.connectedComponents(plant.reduced.astype(np.uint8), connectivity=8)
    overlapping = np.unique(labels[(own > 0) & (labels > 0)])
    component = np.isin(labels, overlapping) & (labels > 0)
    if own.sum() < _MIN_OWN_SHARE * np.count_nonzero(component):
        return None
    rest = (component & (cv2.dilate(own, np.ones((3, 3), np.uint8)) == 0)).astype(np.uint8)
    if rest.sum() < 4:
        return 0.0
    depth = cv2.distanceTransform(rest, cv2.DIST_L2, 5)
    breadth = max(1.0, 2 * float(np.percentile(depth[rest > 0], 90)))
    return float(np.count_nonzero(rest) / breadth * per_mask)
