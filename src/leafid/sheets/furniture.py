"""What lies on a sheet beside the plant: labels, rulers, colour charts, stamps, barcodes, writing.

Furniture is told from plant by shape. People print rectangles, rings and small letters; plants do not. Pieces of the
foreground are judged first alone, then with their neighbours, because a ruler or a colour chart falls into many
pieces that only together form a rectangle.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import cv2
import numpy as np
from numpy.typing import NDArray

RECTANGULAR = 0.86  # share of its smallest enclosing rectangle that a filled shape covers; leaves reach about 0.75
RECTANGULAR_GROUP = 0.80  # the same for pieces that were joined first
ROUND = 0.93  # solidity of a ring or frame, filled
HOLLOW = 0.55  # share of the filled outline that is ink
THIN = 0.0026  # half the stroke width of writing, as a share of the image's long side
WRITING = 0.07  # longest diagonal of a single letter or flourish, as a share of the long side
NEIGHBOUR = 0.010  # pieces closer than this share of the long side belong together
NEGLIGIBLE = 0.02  # thin groups with less than this share of the plant's area are taken for writing
PRINTED_SHARE = 0.12  # groups with a larger share of the plant's area need clearer signs of print
PRINTED_JUMPS_LARGE = 30.0  # `PRINTED_JUMPS` for them; whole plants reach 17 where they are as grey as print
PRINTED_JUMPS = 15.0  # mean absolute second difference of L*; leaves reach 15, roots 25, text and barcodes 20 to 70
PRINTED_JUMPS_ALONE = 24.0  # the same for pieces without small neighbours, where pale grass ears reach 26
STAMPED_JUMPS = 22.0  # the same for round, solid shapes of any colour
GREY = 5.0  # distance from the paper in a*, b*; rulers stay below
LARGEST_FURNITURE = 0.25  # share of the image; nothing larger is ever a label


class Piece(IntEnum):
    """What a connected piece of foreground is taken for."""

    BACKGROUND = 0
    PLANT = 1
    SMALL = 2
    RECTANGLE = 3
    FRAME = 4
    EDGE = 5


@dataclass(frozen=True)
class Pieces:
    """The foreground in connected pieces.

    Attributes:
        labels: Number of the piece at each pixel, int32 (H, W); 0 is background.
        kinds: `Piece` of each number, uint8 (pieces + 1,).
        areas: Pixels of each piece, int64 (pieces + 1,).
    """

    labels: NDArray[np.int32]
    kinds: NDArray[np.uint8]
    areas: NDArray[np.int64]

    def mask(self, kind: Piece) -> NDArray[np.bool_]:
        """Pixels of all pieces of one kind, bool (H, W)."""
        return np.asarray((self.kinds == kind)[self.labels])


@dataclass(frozen=True)
class Outline:
    """Shape measures of one filled outline; all ratios 0..1, lengths in pixels."""

    rectangularity: float
    solidity: float
    short_side: float
    long_side: float
    filled_area: float


def measure_outline(shape: NDArray[np.uint8]) -> Outline:
    """Measure the largest outer contour of a non-empty binary image, uint8 (H, W)."""
    contours, _ = cv2.findContours(shape, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    contour = max(contours, key=cv2.contourArea)
    _, (width, height), _ = cv2.minAreaRect(contour)
    # contourArea runs through pixel centres; half the perimeter and one pixel give the area of the pixels themselves
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


def judge_pieces(
    foreground: NDArray[np.bool_],
    sheet: NDArray[np.bool_],
    lightness: NDArray[np.float32],
    colour: NDArray[np.float32],
) -> Pieces:
    """Split the foreground into connected pieces and say of each whether it is plant or furniture.

    Args:
        foreground: Everything that differs from the paper, bool (H, W).
        sheet: The sheet's region, bool (H, W), as from `paper.sheet_region`.
        lightness: CIE L* of the image, float32 (H, W).
        colour: Distance from the paper in a* and b* alone, float32 (H, W).

    Returns:
        The pieces; those of kind `Piece.PLANT` are the plant.
    """
    binary = foreground.astype(np.uint8)
    count, connected, stats, _ = cv2.connectedComponentsWithStats(binary, connectivity=8)
    labels = np.asarray(connected, dtype=np.int32)
    half_width = np.zeros(count, np.float32)
    np.maximum.at(half_width, labels.ravel(), cv2.distanceTransform(binary, cv2.DIST_L2, 3).ravel())
    side = max(foreground.shape)
    outside = cv2.dilate((~sheet).astype(np.uint8), np.ones((3, 3), np.uint8))
    kinds = np.zeros(count, np.uint8)
    for number in range(1, count):
        x, y, width, height, area = (int(value) for value in stats[number])
        if area < 6 or (half_width[number] < THIN * side and np.hypot(width, height) < WRITING * side):
            kinds[number] = Piece.SMALL
            continue
        window = np.s_[y : y + height, x : x + width]
        shape = (labels[window] == number).astype(np.uint8)
        kinds[number] = _judge_alone(shape, area, bool((outside[window] & shape).any()), side)
    pieces = Pieces(labels=labels, kinds=kinds, areas=stats[:, cv2.CC_STAT_AREA].astype(np.int64))
    jumps = np.abs(cv2.Laplacian(lightness, cv2.CV_32F, ksize=1))
    around = _Surroundings(outside > 0, np.asarray(jumps), colour)
    everything = (Piece.PLANT, Piece.SMALL, Piece.RECTANGLE, Piece.FRAME)
    pieces = _judge_groups(pieces, half_width, around, everything, PRINTED_JUMPS)
    # A label that touches the plant hides in its group; once the small letters are gone it stands alone.
    pieces = _judge_groups(pieces, half_width, around, (Piece.PLANT,), PRINTED_JUMPS_ALONE)
    return _take_in_crumbs(pieces)


@dataclass(frozen=True)
class _Surroundings:
    """What a group is judged by beside its shape; all (H, W)."""

    outside: NDArray[np.bool_]
    jumps: NDArray[np.float32]
    colour: NDArray[np.float32]


def _judge_alone(shape: NDArray[np.uint8], area: int, at_edge: bool, side: int) -> Piece:
    outline = measure_outline(shape)
    if at_edge and outline.short_side < 0.015 * side and outline.long_side > 3 * outline.short_side:
        return Piece.EDGE
    if outline.filled_area > LARGEST_FURNITURE * side * side:
        return Piece.PLANT
    if outline.rectangularity > RECTANGULAR and outline.short_side >= 0.006 * side:
        return Piece.RECTANGLE
    if outline.solidity > ROUND and area / outline.filled_area < HOLLOW:
        return Piece.FRAME
    return Piece.PLANT


def _judge_groups(
    pieces: Pieces,
    half_width: NDArray[np.float32],
    around: _Surroundings,
    joined_kinds: tuple[Piece, ...],
    printed_jumps: float,
) -> Pieces:
    """Join pieces that lie close together; a group that is a rectangle, or print, is furniture as a whole."""
    side = max(pieces.labels.shape)
    ellipse = _neighbourhood(side)
    joinable = np.isin(pieces.kinds, joined_kinds)[pieces.labels]
    joined = cv2.dilate(joinable.astype(np.uint8), ellipse)
    _, groups, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    group_of = np.zeros(len(pieces.kinds), np.int64)
    group_of[pieces.labels[joinable]] = groups[joinable]
    kinds = pieces.kinds.copy()
    all_plant = int(pieces.areas[kinds == Piece.PLANT].sum())
    for group in np.unique(group_of[group_of > 0]):
        members = np.flatnonzero(group_of == group)
        plant = members[pieces.kinds[members] == Piece.PLANT]
        if not len(plant):
            continue
        plant_area, area = int(pieces.areas[plant].sum()), int(pieces.areas[members].sum())
        if plant_area < 0.5 * area and len(members) > 2:
            kinds[members] = Piece.SMALL
            continue
        if plant_area < NEGLIGIBLE * all_plant and half_width[plant].max() < 3 * THIN * side:
            kinds[members] = Piece.SMALL
            continue
        x, y, w, h, _ = (int(value) for value in stats[group])
        window = np.s_[y : y + h, x : x + w]
        shape = np.asarray(cv2.erode((groups[window] == group).astype(np.uint8), ellipse), dtype=np.uint8)
        minor = plant_area < PRINTED_SHARE * all_plant
        verdict = _judge_shape_and_print(
            shape, window, len(members), around, printed_jumps if minor else PRINTED_JUMPS_LARGE
        )
        if verdict is not Piece.PLANT:
            kinds[members] = verdict
    return Pieces(labels=pieces.labels, kinds=kinds, areas=pieces.areas)


def _neighbourhood(side: int) -> NDArray[np.uint8]:
    """Disc by which pieces are widened before they are joined."""
    reach = max(1, round(NEIGHBOUR * side / 2))
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)), dtype=np.uint8)


def _take_in_crumbs(pieces: Pieces) -> Pieces:
    """Count small pieces beside the plant as plant: flowers and roots break into crumbs."""
    near = cv2.dilate(pieces.mask(Piece.PLANT).astype(np.uint8), _neighbourhood(max(pieces.labels.shape))) > 0
    touched = np.zeros(len(pieces.kinds), np.bool_)
    touched[pieces.labels[near]] = True
    kinds = np.where(touched & (pieces.kinds == Piece.SMALL), np.uint8(Piece.PLANT), pieces.kinds)
    return Pieces(labels=pieces.labels, kinds=kinds, areas=pieces.areas)


def _judge_shape_and_print(
    shape: NDArray[np.uint8],
    window: tuple[slice, slice],
    members: int,
    around: _Surroundings,
    printed_jumps: float,
) -> Piece:
    """Judge a joined group by its outline and by what is seen inside it.

    Print is grey and jumps between black and white from pixel to pixel: barcodes, rulers, text. The greyer, the fewer
    jumps are asked for. Stamps are coloured, but round and full of jumps, which no leaf is.
    """
    if not shape.any():
        return Piece.PLANT
    side = max(around.jumps.shape)
    outline = measure_outline(shape)
    if outline.filled_area > LARGEST_FURNITURE * side * side:
        return Piece.PLANT
    if members > 1 and outline.rectangularity > RECTANGULAR_GROUP and outline.short_side > 0.006 * side:
        return Piece.RECTANGLE
    inside = shape > 0
    jumps, colour = float(around.jumps[window][inside].mean()), float(np.median(around.colour[window][inside]))
    if jumps > printed_jumps + 1.5 * colour or (jumps > STAMPED_JUMPS and outline.solidity > ROUND):
        return Piece.SMALL
    if printed_jumps >= PRINTED_JUMPS_LARGE:
        return Piece.PLANT
    oblong = outline.short_side < 0.1 * side and outline.long_side > 3 * outline.short_side
    if oblong and colour < GREY and outline.solidity > 0.85 and (around.outside[window] & inside).any():
        return Piece.EDGE
    return Piece.PLANT
