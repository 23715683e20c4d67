"""Which parts of the plant become views: found once on the decoded image, then cut from it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.images import OpenedImage
from leafid.jobs import Preprocessing
from leafid.sheets.crop_cutting import cut_crop
from leafid.sheets.crop_plan import CropKind, CropPlan, LeafCrop, view_side
from leafid.sheets.crop_search import find_crops
from leafid.sheets.plants import WORKING_SIDE, PlantMask, find_plant
from leafid.sheets.plants import downscale
from leafid.sheets.vein_map import draw_vein_map

MIN_PLANT_FRACTION = 0.002
"""Share of the image below which what was found is no plant."""

_MAX_SIDE = 2.5  # long side to which a crop is reduced before its edge is refined, as a multiple of what is seen of it


@dataclass(frozen=True)
class FoundViews:
    """Where the views of the plant lie.

    Attributes:
        pixels: the decoded image, uint8 RGB (H, W, 3); of a large sheet it is copied out of Pillow once, not twice.
        plant: the mask, of the size of the decoded image.
        plans: what is to be cut, in the order plant, leaves, tiles, in pixels of the decoded image; empty without a
            plant. Leaves are as many as there are to be leaves or vein maps.
        notes: which of the wanted views are not to be had.
    """

    pixels: NDArray[np.uint8]
    plant: PlantMask
    plans: tuple[CropPlan, ...]
    notes: tuple[str, ...]


def find_views(image: OpenedImage, preprocessing: Preprocessing) -> FoundViews:
    """Find the plant and the parts of it that the network is to see."""
    wanted = preprocessing.views
    pixels = np.asarray(image.rgb, dtype=np.uint8)
    reduced = downscale(pixels, WORKING_SIDE)  # once: that takes as long on a large sheet as either search
    plant = find_plant(reduced, size=(pixels.shape[1], pixels.shape[0]))
    if plant.fraction < MIN_PLANT_FRACTION:
        return FoundViews(pixels, plant, (), ("no plant was found; the whole image is seen",))
    tile_side = (preprocessing.tile_side or preprocessing.size) * image.rgb.width / image.width
    whole, *parts = find_crops(
        reduced,
        plant,
        leaves=max(wanted.leaves, wanted.veins),
        tiles=wanted.tiles,
        tile_side=max(1, round(tile_side)),
    )
    plans = [whole] * wanted.plant + parts
    leaves, tiles = (sum(plan.kind is kind for plan in plans) for kind in (CropKind.LEAF, CropKind.TILE))
    counted = (("leaves", leaves, wanted.leaves), ("tiles", tiles, wanted.tiles), ("vein maps", leaves, wanted.veins))
    notes = [f"{count} of {asked} {name}" for name, count, asked in counted if count < asked]
    if not plans and not wanted.image:
        plans, notes = [whole], [*notes, "the whole plant is seen instead"]
    return FoundViews(pixels, plant, tuple(plans), tuple(notes))


def cut_views(found: FoundViews, preprocessing: Preprocessing) -> list[tuple[CropKind, Image.Image]]:
    """Cut the views out of the decoded image, with their background kept or painted white, and draw vein maps."""
    crops: dict[CropKind, list[LeafCrop]] = {kind: [] for kind in CropKind}
    for plan in found.plans:
        max_side = round(_MAX_SIDE * view_side(plan.kind, preprocessing))
        crop = cut_crop(found.pixels, plan, background=preprocessing.background, max_side=max_side)
        crops[plan.kind].append(crop)
    wanted, leaves = preprocessing.views, crops[CropKind.LEAF]
    views = [
        *((CropKind.PLANT, crop.pixels) for crop in crops[CropKind.PLANT]),
        *((CropKind.LEAF, crop.pixels) for crop in leaves[: wanted.leaves]),
        *((CropKind.TILE, crop.pixels) for crop in crops[CropKind.TILE]),
        *((CropKind.VEINS, draw_vein_map(crop.pixels, crop.mask)) for crop in leaves[: wanted.veins]),
    ]
    return [(kind, Image.fromarray(pixels)) for kind, pixels in views]
