"""From a sheet or photo to what the network sees: plant mask, leaf crops, vein map."""

from leafid.sheets.crop_cutting import Background, cut_crop
from leafid.sheets.crop_plan import CropKind, CropPlan, CropQuality, LeafCrop
from leafid.sheets.leaf_crops import find_crops, leaf_crops
from leafid.sheets.plant_mask import PlantMask, find_plant, plant_mask

__all__ = [
    "Background",
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
