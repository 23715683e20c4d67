"""Draw a synthetic herbarium whose truth (taxon, masks, veins, leaf characters) is exactly known.

It replaces images that may not be shipped, gives a new user something to try, and serves to test plant masks, vein maps
and leaf characters. It is not evidence of how well real plants are identified.
"""

from leafid.demo.damage import fold, insect_holes, tear
from leafid.demo.furniture import Furniture
from leafid.demo.gatherings import Gathering, SheetSpec, sheet_spec
from leafid.demo.herbaria import HERBARIA, Herbarium
from leafid.demo.herbarium import DEFAULT_PX_PER_MM, draw_herbarium, truth_record
from leafid.demo.leaf import DrawnLeaf, Vein, draw_leaf, leaf_look
from leafid.demo.sheet import STEM, DrawnSheet, SheetLeaf, draw_sheet
from leafid.demo.taxa import DEMO_TAXA, Interval, LeafRanges, leaf_ranges
from leafid.demo.traits import LeafTraits, Plant, PlantLook, sample_leaf, sample_plant

__all__ = [
    "DEFAULT_PX_PER_MM",
    "DEMO_TAXA",
    "HERBARIA",
    "STEM",
    "DrawnLeaf",
    "DrawnSheet",
    "Furniture",
    "Gathering",
    "Herbarium",
    "Interval",
    "LeafRanges",
    "LeafTraits",
    "Plant",
    "PlantLook",
    "SheetLeaf",
    "SheetSpec",
    "Vein",
    "draw_herbarium",
    "draw_leaf",
    "draw_sheet",
    "fold",
    "insect_holes",
    "leaf_look",
    "leaf_ranges",
    "sample_leaf",
    "sample_plant",
    "sheet_spec",
    "tear",
    "truth_record",
]
