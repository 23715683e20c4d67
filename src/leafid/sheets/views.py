"""Which parts of the plant become views: found once on the decoded image, then cut from it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.images import OpenedImage
from leafid.jobs import Preprocessing
from leafid.sheets.crop_cutting import cut_crop
from leafid.sheets.crop_plan import CropKind, CropPlan, side_of
from leafid.sheets.crop_search import find_crops
from leafid.sheets.plants import WORKING_SIDE, PlantMask, find_plant
from leafid.sheets.reduction import reduced_to
from leafid.sheets.vein_map import drawn_veins

LEAST_PLANT = 0.002
"""Share of the image below which what was found is no plant."""

_LONGEST = 2.5  # long side to which a crop is reduced before its edge is refined, as a multiple of what is seen of it


@dataclass(frozen=True)
class FoundViews:
    """Where the views of the plant lie.

    Attributes:
        pixels: the decoded image, uint8 RGB (H, W, 3); of a large sheet it is copied out of Pillow once, not twice.
        plant: the mask, of the size of the decoded image.
        plans: the views in the order plant, leaves, tiles, vein maps, in pixels of the decoded image; empty without a
            plant.
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
    reduced = reduced_to(pixels, WORKING_SIDE)  # once: that takes as long on a large sheet as either search
    plant = find_plant(reduced, size=(pixels.shape[1], pixels.shape[0]))
    if plant.fraction < LEAST_PLANT:
        return FoundViews(pixels, plant, (), ("no plant was found; the whole image is seen",))
    tile_side = (preprocessing.tile_side or preprocessing.size) * image.rgb.width / image.width
    whole, *parts = find_crops(
        reduced,
        plant,
        leaves=max(wanted.leaves, wanted.veins),
        tiles=wanted.tiles,
        tile_side=max(1, round(tile_side)),
    )
    leaves = [plan for plan in parts if plan.kind is CropKind.LEAF]
    tiles = [plan for plan in parts if plan.kind is CropKind.TILE]
    veins = [replace(plan, kind=CropKind.VEINS) for plan in leaves[: wanted.veins]]
    leaves = leaves[: wanted.leaves]
    plans = [whole] * wanted.plant + leaves + tiles + veins
    notes = [
        f"{len(found)} of {asked} {name}"
        for found, asked, name in (
            (leaves, wanted.leaves, "leaves"),
            (tiles, wanted.tiles, "tiles"),
            (veins, wanted.veins, "vein maps"),
        )
        if len(found) < asked
    ]
    if not plans and not wanted.image:
        plans, notes = [whole], [*notes, "the whole plant is seen instead"]
    return FoundViews(pixels, plant, tuple(plans), tuple(notes))


def cut_views(found: FoundViews, preprocessing: Preprocessing) -> list[tuple[CropKind, Image.Image]]:
    """Cut the views out of the decoded image, with their background kept or painted white, or draw their veins."""
    cut = []
    for plan in found.plans:
        longest = round(_LONGEST * side_of(plan.kind, preprocessing))
        crop = cut_crop(found.pixels, plan, background=preprocessing.background, longest=longest)
        pixels = drawn_veins(crop.pixels, crop.mask) if plan.kind is CropKind.VEINS else crop.pixels
        cut.append((plan.kind, Image.fromarray(pixels)))
    return cut
