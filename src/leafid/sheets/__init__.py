"""From a sheet or photo to what the network sees: plant mask, leaf crops, vein map."""

from leafid.sheets.leaf_crops import CropKind, CropPlan, CropQuality, LeafCrop, cut_crop, find_crops, leaf_crops
from leafid.sheets.plant_mask import PlantMask, find_plant, plant_mask

__all__ = [
    "CropKind",
    "CropPlan",
    "CropQuality",
    "LeafCrop",
    "PlantMask",
    "cut_crop",
    "find_crops",
    "find_plant",
    "leaf_crops",
    "plant_mask",
]
