"""Leaf characters beside the answer: measured on the best leaf, compared with the floras' ranges of the candidates.

They stand next to the scores and never change them: one can only check the other while they are apart.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from leafid.characters import CHARACTERS
from leafid.errors import ImageError
from leafid.identify.records import COLUMNS, Candidate, Record

if TYPE_CHECKING:
    from leafid.characters import MeasuredImage

CHARACTER_COLUMNS = tuple(
    character.name for character in CHARACTERS if character.name in {column.name for column in COLUMNS}
)
"""Characters that are fields of a record."""

DIGITS = 2
"""Decimal places of measured numbers; they are not known any better."""


def measured_leaf(path: Path) -> "MeasuredImage | ImageError":
    """Measure the best leaf of an image.

    The file is opened again, at the size at which veins are seen: what the network sees, and so the answer, is the same
    with and without characters.
    """
    from leafid.characters import measure_file

    try:
        return measure_file(path, leaves=1)
    except ImageError as error:
        return error


def character_values(measured: "MeasuredImage | ImageError", candidates: Sequence[Candidate]) -> dict[str, Any]:
    """Return the fields of a record that tell of its leaf, missing ones left out.

    Args:
        measured: see ``measured_leaf``.
        candidates: of the record; only their ranges are compared with.
    """
    from leafid.characters import compare, describe_fit, flora_ranges

    if isinstance(measured, ImageError):
        return {"flora_sentence": f"No leaf was measured ({measured.reason})."}
    if not measured.leaves:
        return {"flora_sentence": f"No leaf was measured ({measured.not_measured})."}
    leaf = measured.leaves[0].measured
    seen = dict(leaf.characters.present())
    if not seen:
        return {"flora_sentence": f"No leaf was measured ({leaf.not_measured or leaf.no_veins})."}
    values: dict[str, Any] = {}
    for name in CHARACTER_COLUMNS:
        if name in seen:
            value = seen[name].value
            values[name] = round(value, DIGITS) if isinstance(value, float) else value
    names = {candidate.scientific_name for candidate in candidates}
    ranges = [taxon for taxon in flora_ranges() if taxon.taxon in names]
    return values | {"flora_sentence": describe_fit(leaf.characters, compare(leaf.characters, ranges))}


def has_characters(record: Record) -> bool:
    """Tell whether a leaf was measured for this record."""
    return any(getattr(record, name) is not None for name in CHARACTER_COLUMNS)


def drawn_leaf(path: Path, *, longest: int) -> Image.Image | None:
    """Measure the best leaf of an image again and draw it with what was measured; None: it has none.

    Args:
        path: the image.
        longest: longer side of the drawing in pixels.

    Raises:
        ImageError: the file cannot be read.
    """
    from leafid.characters import draw_leaf_lines, measure_file

    found = measure_file(path, leaves=1).leaves
    return draw_leaf_lines(found[0].pixels, found[0].measured.lines, longest=longest) if found else None
