"""Measure leaf characters: form, size and secondary veins of single leaves, compared with the ranges in floras.

Terms follow the Manual of Leaf Architecture (Ellis et al. 2009). Importing this package is cheap: OpenCV is loaded when
a name that needs it is first used (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from leafid.characters.values import (
    CHARACTERS,
    Character,
    FormTerm,
    LeafCharacters,
    Measurement,
    NotMeasuredReason,
)

if TYPE_CHECKING:
    from leafid.characters.comparison import CharacterFit, Fit, TaxonFit, compare, describe, describe_fit
    from leafid.characters.drawing import draw_characters, draw_leaf_lines, preview_characters
    from leafid.characters.images import MAX_LEAVES, FoundLeaf, MeasuredImage, measure_file, measure_image
    from leafid.characters.measurement import Lines, MeasuredLeaf, measure_leaf
    from leafid.characters.ranges import FloraRanges, flora_ranges, read_ranges
    from leafid.characters.table import MeasurementSummary, column_documentation, measure_to_file, table_columns

__all__ = [
    "CHARACTERS",
    "MAX_LEAVES",
    "Character",
    "CharacterFit",
    "Fit",
    "FloraRanges",
    "FormTerm",
    "FoundLeaf",
    "LeafCharacters",
    "Lines",
    "MeasuredImage",
    "MeasuredLeaf",
    "Measurement",
    "MeasurementSummary",
    "NotMeasuredReason",
    "TaxonFit",
    "column_documentation",
    "compare",
    "describe",
    "describe_fit",
    "draw_characters",
    "draw_leaf_lines",
    "flora_ranges",
    "measure_file",
    "measure_image",
    "measure_leaf",
    "measure_to_file",
    "preview_characters",
    "read_ranges",
    "table_columns",
]

_MODULES = {
    "CharacterFit": "comparison",
    "Fit": "comparison",
    "TaxonFit": "comparison",
    "compare": "comparison",
    "describe": "comparison",
    "describe_fit": "comparison",
    "draw_characters": "drawing",
    "draw_leaf_lines": "drawing",
    "preview_characters": "drawing",
    "MAX_LEAVES": "images",
    "FoundLeaf": "images",
    "MeasuredImage": "images",
    "measure_file": "images",
    "measure_image": "images",
    "Lines": "measurement",
    "MeasuredLeaf": "measurement",
    "measure_leaf": "measurement",
    "FloraRanges": "ranges",
    "flora_ranges": "ranges",
    "read_ranges": "ranges",
    "MeasurementSummary": "table",
    "column_documentation": "table",
    "measure_to_file": "table",
    "table_columns": "table",
}


def __getattr__(name: str) -> object:
    """Import the module of a public name when the name is first used."""
    if name not in _MODULES:
        raise AttributeError(f"module 'leafid.characters' has no attribute {name!r}")
    return getattr(import_module(f"leafid.characters.{_MODULES[name]}"), name)
