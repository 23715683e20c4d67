"""Draw a synthetic herbarium whose truth (taxon, masks, veins, leaf characters) is exactly known.

Drawn photographs (see ``photograph``) show fresh leaves of no particular taxon, with their masks and veins.

It replaces images that may not be shipped, gives a new user something to try, and serves to test plant masks, vein maps
and leaf characters. It is not evidence of how well real plants are identified.
"""

from leafid.demo.album import draw_album, photograph_record
from leafid.demo.damage import fold, insect_holes, tear
from leafid.demo.furniture import Furniture
from leafid.demo.gatherings import Gathering, SheetSpec, sheet_spec
from leafid.demo.herbaria import HERBARIA, Herbarium
from leafid.demo.herbarium import DEFAULT_PX_PER_MM, draw_herbarium, truth_record
from leafid.demo.leaf import DrawnLeaf, Vein, draw_leaf, leaf_look
from leafid.demo.photograph import DrawnPhotograph, PhotographedLeaf, draw_photograph
from leafid.demo.sheet import STEM, DrawnSheet, SheetLeaf, draw_sheet
from leafid.demo.taxa import DEMO_TAXA, Interval, LeafRanges, leaf_ranges
from leafid.demo.traits import LeafTraits, Plant, PlantLook, sample_leaf, sample_plant

__all__ = [
    "DEFAULT_PX_PER_MM",
    "DEMO_TAXA",
    "HERBARIA",
    "STEM",
    "DrawnLeaf",
    "DrawnPhotograph",
    "DrawnSheet",
    "Furniture",
    "Gathering",
    "Herbarium",
    "Interval",
    "LeafRanges",
    "LeafTraits",
    "PhotographedLeaf",
    "Plant",
    "PlantLook",
    "SheetLeaf",
    "SheetSpec",
    "Vein",
    "draw_album",
    "draw_herbarium",
    "draw_leaf",
    "draw_photograph",
    "draw_sheet",
    "fold",
    "insect_holes",
    "leaf_look",
    "leaf_ranges",
    "photograph_record",
    "sample_leaf",
    "sample_plant",
    "sheet_spec",
    "tear",
    "truth_record",
]
