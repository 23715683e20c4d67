"""Separate the plant from non-plant objects on a sheet: labels, rulers, colour charts, stamps, barcodes, writing.

Objects are recognised by shape: printed objects are rectangles, rings and small letters, plants are not. Connected
components of the foreground are classified first alone and then together with their neighbours, because a ruler or a
colour chart consists of many components that form a rectangle only together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

# "Share" is a share of the image's long side, unless another is named. "Laplacian" is the mean absolute second
# difference of L* from pixel to pixel: print alternates between black and white, a plant does not.
MIN_RECTANGULARITY = 0.86  # filled shape by its smallest enclosing rectangle; leaves reach about 0.75
MIN_RECTANGULARITY_GROUP = 0.80  # the same for components that were joined first
MIN_FRAME_SOLIDITY = 0.93  # solidity of a filled ring or frame
MAX_FRAME_INK = 0.55  # share of the filled outline that is ink
MAX_STROKE = 0.0026  # half-width of a stroke of writing, as a share
MAX_LETTER = 0.07  # diagonal of a single letter or flourish, as a share
JOIN_DISTANCE = 0.010  # closer components belong together, as a share
MIN_PLANT_SHARE = 0.02  # thin groups with a smaller share of the plant's area are writing
MINOR_GROUP_SHARE = 0.12  # groups with a larger share of the plant's area need clearer signs of print
PRINT_LAPLACIAN_LARGE = 30.0  # Laplacian for these; whole plants as grey as print reach 17
PRINT_LAPLACIAN = 15.0  # leaves reach 15, roots 25; text and barcodes have 20 to 70
PRINT_LAPLACIAN_ISOLATED = 24.0  # the same for components without small neighbours; pale grass ears reach 26
STAMP_LAPLACIAN = 22.0  # the same for round, solid shapes of any colour
MAX_GREY_CHROMA = 5.0  # distance from the paper in a*, b*; rulers stay below
MAX_OBJECT_SHARE = 0.25  # share of the image's squared long side; larger components are never labels


class ComponentKind(IntEnum):
    """Class of a connected component of the foreground."""

    BACKGROUND = 0
    PLANT = 1
    SMALL = 2
    RECTANGLE = 3
    FRAME = 4
    EDGE = 5


@dataclass(frozen=True)
class Components:
    """The foreground as classified connected components.

    Attributes:
        labels: Number of the component at each pixel, int32 (H, W); 0 is background.
        kinds: `ComponentKind` of each number, uint8 (components + 1,).
        areas: Pixels of each component, int64 (components + 1,).
        places: One pixel of each component, as an index into the flat image, int64 (components + 1,).
    """

    labels: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    areas: NDArray[np.int64]
    places: NDArray[np.int64]

    def mask(self, kind: ComponentKind) -> NDArray[np.bool_]:
        """Return the pixels of all components of one kind, bool (H, W)."""
        return np.asarray((self.kinds == kind)[self.labels])


@dataclass(frozen=True)
class Outline:
    """Shape measures of one filled outline; all ratios 0..1, lengths in pixels."""

    rectangularity: float
    solidity: float
    short_side: float
    long_side: float
    filled_area: float


def measure_contour(shape: NDArray[np.uint8]) -> Outline:
    """Measure the largest outer contour of a non-empty binary image, uint8 (H, W)."""
    contours, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contour = max(contours, key=cv2.contourArea)
    _, (width, height), _ = cv2.minAreaRect(contour)
    # contourArea runs through pixel centres: half the perimeter and one pixel are missing to the area of the pixels.
    filled = cv2.contourArea(contour) + cv2.arcLength(contour, True) / 2 + 1
    hull = cv2.convexHull(contour)
    hull_area = cv2.contourArea(hull) + cv2.arcLength(hull, True) / 2 + 1
    return Outline(
        rectangularity=min(1.0, filled / ((width + 1) * (height + 1))),
        solidity=min(1.0, filled / hull_area),
        short_side=min(width, height) + 1,
        long_side=max(width, height) + 1,
        filled_area=filled,
    )


def classify_components(
    foreground: NDArray[np.bool_],
    sheet: NDArray[np.bool_],
    lightness: NDArray[np.float32],
    colour: NDArray[np.float32],
) -> Components:
    """Split the foreground into connected components and classify each as plant or as a non-plant object.

    Args:
        foreground: Everything that differs from the paper, bool (H, W).
        sheet: The sheet's region, bool (H, W), as from `paper.sheet_region`.
        lightness: CIE L* of the image, float32 (H, W).
        colour: Distance from the paper in a* and b* alone, float32 (H, W).

    Returns:
        The components; those of kind `ComponentKind.PLANT` are the plant.
    """
    binary = foreground.astype(np.uint8)
    count, connected, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    labels = np.asarray(connected, dtype=np.int32)
    half_width = np.zeros(count, np.float32)
    half_widths = cv2.distanceTransform(binary, cv2.DIST_L2, 3)
    np.maximum.at(half_width, labels[foreground], half_widths[foreground])
    side = max(foreground.shape)
    outside = cv2.dilate((~sheet).astype(np.uint8), np.ones((3, 3), np.uint8))
    kinds = np.zeros(count, np.uint8)
    for number in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[number])
        if area < 6 or (half_width[number] < MAX_STROKE * side and np.hypot(width, height) < MAX_LETTER * side):
            kinds[number] = ComponentKind.SMALL
            continue
        window = np.s_[y : y + height, x : x + width]
        shape = (labels[window] == number).astype(np.uint8)
        kinds[number] = _classify_single(shape, area, bool((outside[window] & shape).any()), side)
    places = np.zeros(count, np.int64)
    places[labels.ravel()] = np.arange(labels.size)
    components = Components(labels, kinds, stats[:, cv2.CC_STAT_AREA].astype(np.int64), places)
    laplacian = np.abs(cv2.Laplacian(lightness, cv2.CV_32F, ksize=1))
    features = _SheetFeatures(outside > 0, np.asarray(laplacian), colour)
    everything = (ComponentKind.PLANT, ComponentKind.SMALL, ComponentKind.RECTANGLE, ComponentKind.FRAME)
    components = _classify_groups(components, half_width, features, everything, PRINT_LAPLACIAN)
    # A label that touches the plant is not recognised in its group. Without the small letters it is tested again.
    components = _classify_groups(components, half_width, features, (ComponentKind.PLANT,), PRINT_LAPLACIAN_ISOLATED)
    return _absorb_fragments(components)


@dataclass(frozen=True)
class _SheetFeatures:
    """Features of a group besides its shape; all (H, W)."""

    outside: NDArray[np.bool_]
    laplacian: NDArray[np.float32]
    colour: NDArray[np.float32]


def _classify_single(shape: NDArray[np.uint8], area: int, at_edge: bool, side: int) -> ComponentKind:
    outline = measure_contour(shape)
    if at_edge and outline.short_side < 0.015 * side and outline.long_side > 3 * outline.short_side:
        return ComponentKind.EDGE
    if outline.filled_area > MAX_OBJECT_SHARE * side * side:
        return ComponentKind.PLANT
    if outline.rectangularity > MIN_RECTANGULARITY and outline.short_side >= 0.006 * side:
        return ComponentKind.RECTANGLE
    if outline.solidity > MIN_FRAME_SOLIDITY and area / outline.filled_area < MAX_FRAME_INK:
        return ComponentKind.FRAME
    return ComponentKind.PLANT


def _classify_groups(
    components: Components,
    half_width: NDArray[np.float32],
    features: _SheetFeatures,
    joined_kinds: tuple[ComponentKind, ...],
    print_laplacian: float,
) -> Components:
    """Join components that lie close together and classify each group; a rectangle or print is not plant as a whole."""
    side = max(components.labels.shape)
    ellipse = _neighbourhood(side)
    of_joined_kind = np.isin(components.kinds, joined_kinds)
    joined = cv2.dilate(of_joined_kind.astype(np.uint8)[components.labels], ellipse)
    _, groups, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    # Each component lies in one group as a whole.
    group_of = np.where(of_joined_kind, groups.ravel()[components.places], 0)
    group_of[0] = 0
    kinds = components.kinds.copy()
    all_plant = int(components.areas[kinds == ComponentKind.PLANT].sum())
    for group in np.unique(group_of[group_of > 0]):
        members = np.flatnonzero(group_of == group)
        plant = members[components.kinds[members] == ComponentKind.PLANT]
        if not len(plant):
            continue
        plant_area, area = int(components.areas[plant].sum()), int(components.areas[members].sum())
        if plant_area < 0.5 * area and len(members) > 2:
            kinds[members] = ComponentKind.SMALL
            continue
        if plant_area < MIN_PLANT_SHARE * all_plant and half_width[plant].max() < 3 * MAX_STROKE * side:
            kinds[members] = ComponentKind.SMALL
            continue
        x, y, w, h, _ = (int(value) for value in stats[group])
        window = np.s_[y : y + h, x : x + w]
        shape = np.asarray(cv2.erode((groups[window] == group).astype(np.uint8), ellipse), dtype=np.uint8)
        minor = plant_area < MINOR_GROUP_SHARE * all_plant
        kind = _classify_group(
            shape, window, len(members), features, print_laplacian if minor else PRINT_LAPLACIAN_LARGE
        )
        if kind is not ComponentKind.PLANT:
            kinds[members] = kind
    return replace(components, kinds=kinds)


def _neighbourhood(side: int) -> NDArray[np.uint8]:
    """Return the disc by which components are dilated to join them."""
    reach = max(1, round(JOIN_DISTANCE * side / 2))
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)), dtype=np.uint8)


def _absorb_fragments(components: Components) -> Components:
    """Count small components beside the plant as plant: flowers and roots break into fragments."""
    plant = components.mask(ComponentKind.PLANT).astype(np.uint8)
    near = cv2.dilate(plant, _neighbourhood(max(plant.shape))) > 0
    adjacent = np.zeros(len(components.kinds), np.bool_)
    adjacent[components.labels[near]] = True
    fragments = adjacent & (components.kinds == ComponentKind.SMALL)
    kinds = np.where(fragments, np.uint8(ComponentKind.PLANT), components.kinds)
    return replace(components, kinds=kinds)


def _classify_group(
    shape: NDArray[np.uint8],
    window: tuple[slice, slice],
    members: int,
    features: _SheetFeatures,
    print_laplacian: float,
) -> ComponentKind:
    """Classify a joined group by its outline and its texture.

    Print (barcodes, rulers, text) is grey and alternates between black and white from pixel to pixel. The greyer a
    group, the lower the Laplacian that is required. Stamps are coloured, but round and with a high Laplacian, which no
    leaf is.
    """
    if not shape.any():
        return ComponentKind.PLANT
    side = max(features.laplacian.shape)
    outline = measure_contour(shape)
    if outline.filled_area > MAX_OBJECT_SHARE * side * side:
        return ComponentKind.PLANT
    if members > 1 and outline.rectangularity > MIN_RECTANGULARITY_GROUP and outline.short_side > 0.006 * side:
        return ComponentKind.RECTANGLE
    inside = shape > 0
    laplacian = float(features.laplacian[window][inside].mean())
    colour = float(np.median(features.colour[window][inside]))
    is_stamp = laplacian > STAMP_LAPLACIAN and outline.solidity > MIN_FRAME_SOLIDITY
    if laplacian > print_laplacian + 1.5 * colour or is_stamp:
        return ComponentKind.SMALL
    if print_laplacian >= PRINT_LAPLACIAN_LARGE:
        return ComponentKind.PLANT
    oblong = outline.short_side < 0.1 * side and outline.long_side > 3 * outline.short_side
    if oblong and colour < MAX_GREY_CHROMA and outline.solidity > 0.85 and (features.outside[window] & inside).any():
        return ComponentKind.EDGE
    return ComponentKind.PLANT
