"""Turn a sheet or photo into the views that the network sees: plant mask, leaf crops, vein map.

Importing this package is cheap: OpenCV and scikit-image are loaded when a name that needs them is first used (PEP 562).
A network that sees whole images needs neither. No public name equals the name of a module of this package, because the
module, once imported, would hide it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from leafid.sheets.crop_plan import Background, CropKind, CropPlan, CropQuality, LeafCrop
from leafid.sheets.preparation import PAD_COLOUR, PreparedImage, prepare, prepare_file

if TYPE_CHECKING:
    from leafid.sheets.crop_cutting import cut_crop
    from leafid.sheets.crop_search import find_crops
    from leafid.sheets.plants import PlantMask, downscale, find_plant, plant_mask
    from leafid.sheets.preview import draw_preview, preview_image
    from leafid.sheets.ridge_filters import line_responses
    from leafid.sheets.ruler_scale import RulerScale, find_ruler_scale
    from leafid.sheets.vein_map import flatten_illumination, vein_scores

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
    "cut_crop",
    "downscale",
    "draw_preview",
    "find_crops",
    "find_plant",
    "find_ruler_scale",
    "flatten_illumination",
    "line_responses",
    "plant_mask",
    "prepare",
    "prepare_file",
    "preview_image",
    "vein_scores",
]

_MODULES = {
    "cut_crop": "crop_cutting",
    "find_crops": "crop_search",
    "flatten_illumination": "vein_map",
    "line_responses": "ridge_filters",
    "draw_preview": "preview",
    "preview_image": "preview",
    "PlantMask": "plants",
    "find_plant": "plants",
    "plant_mask": "plants",
    "downscale": "plants",
    "RulerScale": "ruler_scale",
    "find_ruler_scale": "ruler_scale",
    "vein_scores": "vein_map",
}


def __getattr__(name: str) -> object:
    """Import the module of a public name when the name is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'leafid.sheets' has no attribute {name!r}")
    return getattr(import_module(f"leafid.sheets.{_MODULES[name]}"), name)
