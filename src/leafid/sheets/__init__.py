"""From a sheet or photo to what the network sees: plant mask, leaf crops, vein map."""

from leafid.sheets.plant_mask import PlantMask, find_plant, plant_mask

__all__ = ["PlantMask", "find_plant", "plant_mask"]
