"""Leaf characters as a botanist measures them: form, size and secondary veins of single leaves, and the floras' ranges.

Terms as in the Manual of Leaf Architecture (Ellis et al. 2009). Importing this package is cheap: OpenCV is loaded with
the first name that needs it (PEP 562).
"""

from importlib import import_module
from typing import TYPE_CHECKING

from leafid.characters.values import (
    CHARACTERS,
    Character,
    Described,
    LeafCharacters,
    Measured,
    NotMeasured,
)

if TYPE_CHECKING:
    from leafid.characters.comparison import CharacterFit, Fit, TaxonFit, compare, describe, sentence
    from leafid.characters.drawing import draw_characters, draw_leaf_lines, look_at_characters
    from leafid.characters.images import MOST_LEAVES, FoundLeaf, MeasuredImage, measure_file, measure_image
    from leafid.characters.lines import Lines
    from leafid.characters.measuring import MeasuredLeaf, measure_leaf
    from leafid.characters.ranges import FloraRanges, flora_ranges, read_ranges
    from leafid.characters.table import MeasuredSummary, column_documentation, measure_to_file, table_columns

__all__ = [
    "CHARACTERS",
    "MOST_LEAVES",
    "Character",
    "CharacterFit",
    "Described",
    "Fit",
    "FloraRanges",
    "FoundLeaf",
    "LeafCharacters",
    "Lines",
    "Measured",
    "MeasuredImage",
    "MeasuredLeaf",
    "MeasuredSummary",
    "NotMeasured",
    "TaxonFit",
    "column_documentation",
    "compare",
    "describe",
    "draw_characters",
    "draw_leaf_lines",
    "flora_ranges",
    "look_at_characters",
    "measure_file",
    "measure_image",
    "measure_leaf",
    "measure_to_file",
    "read_ranges",
    "sentence",
    "table_columns",
]

_MODULES = {
    "CharacterFit": "comparison",
    "Fit": "comparison",
    "TaxonFit": "comparison",
    "compare": "comparison",
    "describe": "comparison",
    "sentence": "comparison",
    "draw_characters": "drawing",
    "draw_leaf_lines": "drawing",
    "look_at_characters": "drawing",
    "MOST_LEAVES": "images",
    "FoundLeaf": "images",
    "MeasuredImage": "images",
    "measure_file": "images",
    "measure_image": "images",
    "Lines": "lines",
    "MeasuredLeaf": "measuring",
    "measure_leaf": "measuring",
    "FloraRanges": "ranges",
    "flora_ranges": "ranges",
    "read_ranges": "ranges",
    "MeasuredSummary": "table",
    "column_documentation": "table",
    "measure_to_file": "table",
    "table_columns": "table",
}


def __getattr__(name: str) -> object:
    """Load a name with its module when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module 'leafid.characters' has no attribute {name!r}")
    return getattr(import_module(f"leafid.characters.{_MODULES[name]}"), name)
