"""Leaf characters of the best leaf, compared with the ranges that floras give for the candidates.

Characters never change the probabilities: each can check the other only while they are independent.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from leafid.characters import CHARACTERS
from leafid.errors import ImageError
from leafid.identify.records import COLUMNS, Candidate, Record

if TYPE_CHECKING:
    from leafid.characters import MeasuredImage, NotMeasuredReason

CHARACTER_COLUMNS = tuple(
    character.name for character in CHARACTERS if character.name in {column.name for column in COLUMNS}
)
"""Characters that are fields of a record."""

DIGITS = 2
"""Decimal places of measurements; further digits are below their accuracy."""


def measure_best_leaf(path: Path) -> "MeasuredImage | ImageError":
    """Measure the best leaf of an image.

    The file is read again, at the resolution that veins need, so that the network's input is the same with and without
    characters.
    """
    from leafid.characters import measure_file

    try:
        return measure_file(path, leaves=1)
    except ImageError as error:
        return error


def character_values(measured: "MeasuredImage | ImageError", candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Return the fields of a record that describe its leaf, without missing ones.

    Args:
        measured: from ``measure_best_leaf``.
        candidates: of the record; the leaf is compared with the ranges of these taxa.
    """
    from leafid.characters import compare, describe_fit, flora_ranges

    if isinstance(measured, ImageError):
        return {"flora_sentence": f"No leaf was measured ({measured.reason})."}
    if not measured.leaves:
        return {"flora_sentence": _because(measured.not_measured)}
    leaf = measured.leaves[0]
    present = dict(leaf.characters.present())
    if not present:
        return {"flora_sentence": _because(leaf.not_measured)}
    values: dict[str, Any] = {}
    for name in CHARACTER_COLUMNS:
        if name in present:
            value = present[name].value
            values[name] = round(value, DIGITS) if isinstance(value, float) else value
    names = {candidate.scientific_name for candidate in candidates}
    ranges = [taxon for taxon in flora_ranges() if taxon.taxon in names]
    sentence = describe_fit(leaf.characters, compare(leaf.characters, ranges))
    if leaf.no_veins is not None:
        sentence += f" {leaf.no_veins.words.capitalize()}."
    return values | {"flora_sentence": sentence}


def _because(reason: "NotMeasuredReason | None") -> str:
    return "No leaf was measured." if reason is None else f"No leaf was measured: {reason.words}."


def has_characters(record: Record) -> bool:
    """Return whether a leaf was measured for this record."""
    return any(getattr(record, name) is not None for name in CHARACTER_COLUMNS)


def draw_best_leaf(path: Path, *, longest: int) -> Image.Image | None:
    """Measure the best leaf of an image again and draw the measurements on it; None if no leaf is found.

    Args:
        path: the image.
        longest: length of the longer side of the drawing in pixels.

    Raises:
        ImageError: the file cannot be read.
    """
    from leafid.characters import draw_leaf_lines, measure_file

    found = measure_file(path, leaves=1).leaves
    return draw_leaf_lines(found[0].pixels, found[0].lines, longest=longest) if found else None
