"""Cut planned crops out of the original at full resolution, with the exact edge of the leaf and its apex up."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.crops.crop_plan import MARGIN, Background, CropKind, CropPlan, LeafCrop
from leafid.sheets.plants import downscale

MAX_VEIN_WIDTH = 0.015  # of a pale vein that the mask may miss, as a share of the crop's longer side


def cut_crop(
    original: NDArray[np.uint8],
    plan: CropPlan,
    *,
    background: Background = "plain",
    max_side: int | None = None,
    exact_mask: bool = True,
) -> LeafCrop:
    """Cut one planned crop out of the original.

    Args:
        original: uint8 RGB (H, W, 3) of the size that the plan was made for.
        plan: A plan from `find_crops`.
        background: `plain` paints everything except the leaf white (for tiles and whole plants: except the plant);
            `kept` leaves it. Narrow gaps inside the plant are not painted, because a mask may miss pale veins.
        max_side: Reduce the box to at most this long side first. This saves most of the time where the network sees a
            large crop at a small size. Tiles are never reduced.
        exact_mask: Refine the mask to the edge of the leaf. Without it, the mask is that of the search, enlarged; where
            the background is kept and the crop is no leaf, the pixels are the same.

    Returns:
        The crop. Leaves are rotated and trimmed to their outline with a margin.
    """
    left, top, right, bottom = plan.box
    pixels = original[top:bottom, left:right]
    if max_side is not None and plan.kind is not CropKind.TILE:
        pixels = downscale(pixels, max_side)
    mask = _refine(pixels, plan.shape, plan.others) if exact_mask else _enlarged(plan.shape, pixels)
    if background == "plain":
        pixels = _painted_white(pixels, ~_close_vein_gaps(mask))
    if plan.kind is not CropKind.LEAF:
        return LeafCrop(np.ascontiguousarray(pixels), mask, plan)
    rotated, rotated_mask = _rotate(np.ascontiguousarray(pixels), mask, plan.angle)
    return LeafCrop(*_trim_to_mask(rotated, rotated_mask), plan)


def _refine(pixels: NDArray[np.uint8], shape: NDArray[np.bool_], others: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Refine a mask from the search resolution to the original's, so that teeth and tips follow the real edge.

    Pixels near the enlarged outline are assigned to the nearer of two mean colours, that of the plant and that of the
    background. All other pixels keep the enlarged mask, and so does a cut between two leaves.
    """
    height, width = pixels.shape[:2]
    enlarged = _enlarged(shape, pixels)
    factor = width / shape.shape[1]
    if factor < 1.5:  # the mask has nearly the resolution of the original already
        return np.asarray(enlarged)
    band = 2 * round(1.5 * factor) + 1
    plant = shape | others
    whole = (cv2.resize(plant.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5).astype(
        np.uint8
    )
    kernel = np.ones((band, band), np.uint8)
    inside, outside = cv2.erode(whole, kernel) > 0, cv2.dilate(whole, kernel) == 0
    inside &= enlarged
    if inside.sum() < 50 or outside.sum() < 50:  # too few pixels for a mean colour
        return np.asarray(enlarged)
    near = cv2.dilate(enlarged.astype(np.uint8), kernel) > 0
    undecided = near & ~inside & ~outside
    if others.any():
        foreign = cv2.resize(others.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) > 0.5
        undecided &= cv2.dilate(foreign.astype(np.uint8), kernel) == 0
    plant_colour, ground_colour = (np.array(cv2.mean(pixels, part.astype(np.uint8))[:3]) for part in (inside, outside))
    colours = pixels[undecided].astype(np.float64)
    refined = enlarged.copy()
    # |c - p|^2 < |c - g|^2, without the term |c|^2 that both have
    limit = ground_colour @ ground_colour - plant_colour @ plant_colour
    refined[undecided] = colours @ (2 * (ground_colour - plant_colour)) < limit
    return np.asarray(refined)


def _painted_white(pixels: NDArray[np.uint8], where: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a copy of pixels (H, W, 3) that is white where a mask (H, W) says."""
    white = cv2.cvtColor(np.where(where, np.uint8(255), np.uint8(0)), cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.bitwise_or(pixels, white), dtype=np.uint8)


def _enlarged(shape: NDArray[np.bool_], pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Enlarge a mask to the size of the pixels."""
    size = (pixels.shape[1], pixels.shape[0])
    return np.asarray(cv2.resize(shape.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5)


def _close_vein_gaps(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Close gaps and holes as narrow as veins, so that veins are not painted white; in doubt pixels are kept."""
    max_side = max(mask.shape)
    reach = 2 * round(MAX_VEIN_WIDTH * max_side / 2) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    closed = cv2.morphologyEx(
        cv2.copyMakeBorder(mask.astype(np.uint8), reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=0),
        cv2.MORPH_CLOSE,
        disc,
    )[reach:-reach, reach:-reach]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=4)
    hole = stats[:, cv2.CC_STAT_AREA] < (2 * MAX_VEIN_WIDTH * max_side) ** 2
    hole[0] = False  # label 0 is the plant
    return np.asarray((closed > 0) | hole[labels])


def _rotate(
    pixels: NDArray[np.uint8], mask: NDArray[np.bool_], angle: float
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Rotate counter-clockwise by `angle` degrees on a canvas that holds all of it; new corners repeat the edge."""
    if angle == 0:
        return pixels, mask
    height, width = mask.shape
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), angle, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    new_width, new_height = round(height * sine + width * cosine), round(height * cosine + width * sine)
    matrix[0, 2] += (new_width - width) / 2
    matrix[1, 2] += (new_height - height) / 2
    size = (new_width, new_height)
    rotated = cv2.warpAffine(pixels, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rotated_mask = cv2.warpAffine(mask.astype(np.uint8) * 255, matrix, size, flags=cv2.INTER_LINEAR) > 127
    return np.asarray(rotated, dtype=np.uint8), np.asarray(rotated_mask)


def _trim_to_mask(pixels: NDArray[np.uint8], mask: NDArray[np.bool_]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Trim to the bounding box of the mask with the margin."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    margin = round(MARGIN * max(w, h))
    view = np.s_[max(0, y - margin) : y + h + margin, max(0, x - margin) : x + w + margin]
    return np.ascontiguousarray(pixels[view]), np.ascontiguousarray(mask[view])
