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
    from leafid.characters.images import MOST_LEAVES, FoundLeaf, MeasuredImage, measure_file, measure_image
    from leafid.characters.measuring import Lines, MeasuredLeaf, measure_leaf

__all__ = [
    "CHARACTERS",
    "MOST_LEAVES",
    "Character",
    "Described",
    "FoundLeaf",
    "LeafCharacters",
    "Lines",
    "Measured",
    "MeasuredImage",
    "MeasuredLeaf",
    "NotMeasured",
    "measure_file",
    "measure_image",
    "measure_leaf",
]

_MODULES = {
    "MOST_LEAVES": "images",
    "FoundLeaf": "images",
    "MeasuredImage": "images",
    "measure_file": "images",
    "measure_image": "images",
    "Lines": "measuring",
    "MeasuredLeaf": "measuring",
    "measure_leaf": "measuring",
}


def __getattr__(name: str) -> object:
    """Load a name with its module when it is first asked for."""
    if name not in _MODULES:
        raise AttributeError(f"module 'leafid.characters' has no attribute {name!r}")
    return getattr(import_module(f"leafid.characters.{_MODULES[name]}"), name)
