"""From a sheet or photo to what the network sees: plant mask, leaf crops, vein map.

Importing this package is cheap: OpenCV and scikit-image are loaded with the first name that needs them (PEP 562), and
a network that sees whole images needs neither. No public name is that of a module in here, since the module, once
imported, would stand in for it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from leafid.sheets.crop_plan import Background, CropKind, CropPlan, CropQuality, LeafCrop
from leafid.sheets.preparation import PAD_COLOUR, PreparedImage, prepare, prepare_file

if TYPE_CHECKING:
    from leafid.sheets.crop_cutting import cut_crop
    from leafid.sheets.crop_search import find_crops, leaf_crops
    from leafid.sheets.vein_map import flatten_illumination
    from leafid.sheets.ridge_filters import line_responses
    from leafid.sheets.plants import PlantMask, find_plant, plant_mask
    from leafid.sheets.preview import draw_preview, preview_image
    from leafid.sheets.plants import downscale
    from leafid.sheets.ruler_scale import RulerScale, find_ruler_scale
    from leafid.sheets.vein_map import VeinField, vein_field, vein_scores

__all__ = [
    "PAD_COLOUR",
    "Background",
    "CropKind",
    "CropPlan",
    "CropQuality",
    "LeafCrop",
    "PlantMask",
    "PreparedImage",
    "RulerScale",
    "VeinField",
    "cut_crop",
    "draw_preview",
    "find_crops",
    "find_plant",
    "find_ruler_scale",
    "flatten_illumination",
    "leaf_crops",
    "line_responses",
    "plant_mask",
    "prepare",
    "prepare_file",
    "preview_image",
    "downscale",
    "vein_field",
    "vein_scores",
]

_MODULES = {
    "cut_crop": "crop_cutting",
    "find_crops": "crop_search",
    "leaf_crops": "crop_search",
    "flatten_illumination": "illumination",
    "line_responses": "oriented_ridges",
    "draw_preview": "look",
    "preview_image": "look",
    "PlantMask": "plants",
    "find_plant": "plants",
    "plant_mask": "plants",
    "downscale": "reduction",
    "RulerScale": "ruler_scale",
    "find_ruler_scale": "ruler_scale",
    "VeinField": "vein_map",
    "vein_field": "vein_map",
    "vein_scores": "vein_map",
}


def __getattr__(name: str) -> object:
    """Load a name with its module when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module 'leafid.sheets' has no attribute {name!r}")
    return getattr(import_module(f"leafid.sheets.{_MODULES[name]}"), name)
