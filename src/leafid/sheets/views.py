"""Find the parts of the plant that become views on the decoded image, and cut them from it."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.images import OpenedImage
from leafid.jobs import Preprocessing
from leafid.sheets.crops.crop_cutting import cut_crop
from leafid.sheets.crops.crop_plan import CropKind, CropPlan, LeafCrop, view_side
from leafid.sheets.crops.crop_search import find_crops
from leafid.sheets.crops.leaf_orientation import turned_upright
from leafid.sheets.plants import PlantMask, downscale, find_plant
from leafid.sheets.vein_map import draw_vein_map

MIN_PLANT_FRACTION = 0.002
"""Share of the image; a smaller mask is not a plant."""

_MAX_SIDE = 2.5  # long side to which a crop is reduced before its edge is refined, as a multiple of the view's side


@dataclass(frozen=True)
class FoundViews:
    """Position of the views of the plant.

    Attributes:
        pixels: the decoded image, uint8 RGB (H, W, 3), kept because copying a large sheet out of Pillow takes time.
        plant: the mask, of the size of the decoded image.
        plans: the crops, in the order plant, leaves, tiles, in pixels of the decoded image; empty without a plant.
            There are enough leaves for both leaf views and vein maps.
        notes: remarks on views that are missing.
    """

    pixels: NDArray[np.uint8]
    plant: PlantMask
    plans: tuple[CropPlan, ...]
    notes: tuple[str, ...]


def find_views(image: OpenedImage, preprocessing: Preprocessing) -> FoundViews:
    """Find the plant and the parts of it that become views."""
    requested = preprocessing.views
    pixels = np.asarray(image.rgb, dtype=np.uint8)
    reduced = downscale(
        pixels, preprocessing.search_side
    )  # for both searches: on a large sheet it takes as long as either
    plant = find_plant(reduced, size=(pixels.shape[1], pixels.shape[0]), working_side=preprocessing.search_side)
    if plant.fraction < MIN_PLANT_FRACTION:
        return FoundViews(pixels, plant, (), ("no plant was found; the whole image is seen",))
    # A tile is so many pixels of the original or, where that is reduced, of the reduced image.
    reduction = max(1.0, min(image.width, image.height) / (preprocessing.reduced_side or math.inf))
    tile_side = (preprocessing.tile_side or preprocessing.size) * reduction * image.rgb.width / image.width
    whole, *parts = find_crops(
        reduced,
        plant,
        leaves=max(requested.leaves, requested.veins),
        tiles=requested.tiles,
        tile_side=max(1, round(tile_side)),
    )
    plans = [whole] * requested.plant + parts
    leaves, tiles = (sum(plan.kind is kind for plan in plans) for kind in (CropKind.LEAF, CropKind.TILE))
    counted = (
        ("leaves", leaves, requested.leaves),
        ("tiles", tiles, requested.tiles),
        ("vein maps", leaves, requested.veins),
    )
    notes = [f"{count} of {expected} {name}" for name, count, expected in counted if count < expected]
    if not plans and not requested.image:
        plans, notes = [whole], [*notes, "the whole plant is seen instead"]
    return FoundViews(pixels, plant, tuple(plans), tuple(notes))


def cut_views(found: FoundViews, preprocessing: Preprocessing) -> list[tuple[CropKind, Image.Image]]:
    """Cut the views out of the decoded image, with their background kept or painted white, and draw vein maps."""
    crops: dict[CropKind, list[LeafCrop]] = {kind: [] for kind in CropKind}
    for plan in found.plans:
        max_side = round(_MAX_SIDE * view_side(plan.kind, preprocessing))
        crop = cut_crop(
            found.pixels,
            plan,
            background=preprocessing.background,
            max_side=max_side,
            exact_mask=preprocessing.background == "plain" or plan.kind is CropKind.LEAF,  # else nothing uses it
        )
        if plan.kind is CropKind.PLANT and preprocessing.orientation == "upright":
            crop = replace(crop, pixels=turned_upright(crop.pixels, plan.shape))
        crops[plan.kind].append(crop)
    requested, leaves = preprocessing.views, crops[CropKind.LEAF]
    views = [
        *((CropKind.PLANT, crop.pixels) for crop in crops[CropKind.PLANT]),
        *((CropKind.LEAF, crop.pixels) for crop in leaves[: requested.leaves]),
        *((CropKind.TILE, crop.pixels) for crop in crops[CropKind.TILE]),
        *((CropKind.VEINS, draw_vein_map(crop.pixels, crop.mask)) for crop in leaves[: requested.veins]),
    ]
    return [(kind, Image.fromarray(pixels)) for kind, pixels in views]
