"""Leaf characters of the best leaf, compared with the ranges that floras give for the candidates.

Characters never change the probabilities: each can check the other only while they are independent.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from leafid.characters import CHARACTERS
from leafid.errors import ImageError
from leafid.identify.records import COLUMNS, Candidate, LeafCheck, Record
from leafid.images import ImageSource

if TYPE_CHECKING:
    from leafid.characters import MeasuredImage, NotMeasuredReason

CHARACTER_COLUMNS = tuple(
    character.name for character in CHARACTERS if character.name in {column.name for column in COLUMNS}
)
"""Characters that are fields of a record."""

DIGITS = 2
"""Decimal places of measurements; further digits are below their accuracy."""


def measure_best_leaf(image: ImageSource) -> "MeasuredImage | ImageError":
    """Measure the best leaf of an image.

    The file is read again, at the resolution that veins need, so that the network's input is the same with and without
    characters.
    """
    from leafid.characters import measure_file

    try:
        return measure_file(image, leaves=1)
    except ImageError as error:
        return error


def leaf_fields(
    measured: "MeasuredImage | ImageError", candidates: Sequence[Candidate], name: str | None
) -> tuple[dict[str, Any], str | None]:
    """Return the fields of a record that describe its leaf, without missing ones, and the caution that follows.

    Args:
        measured: from ``measure_best_leaf``.
        candidates: of the record; the leaf is compared with the ranges of these taxa.
        name: the taxon named; None if undetermined. ``leaf_check`` says how the leaf fits it.
    """
    from leafid.characters import Fit, NotMeasuredReason, compare, describe_fit, flora_ranges

    if isinstance(measured, ImageError):
        return {"flora_sentence": f"No leaf was measured ({measured.reason})."}, None
    if not measured.leaves:
        return _not_measured(measured.not_measured or NotMeasuredReason.NO_LEAF)
    leaf = measured.leaves[0]
    present = dict(leaf.characters.present())
    if not present:
        return _not_measured(leaf.not_measured)
    values: dict[str, Any] = {}
    for character in CHARACTER_COLUMNS:
        if character in present:
            value = present[character].value
            values[character] = round(value, DIGITS) if isinstance(value, float) else value
    names = {candidate.scientific_name for candidate in candidates}
    fits = compare(leaf.characters, [taxon for taxon in flora_ranges() if taxon.taxon in names])
    sentence = describe_fit(leaf.characters, fits)
    if leaf.no_veins is not None:
        sentence += f" {leaf.no_veins.words.capitalize()}."
    values["flora_sentence"] = sentence
    of_name = next((fit for fit in fits if fit.taxon == name and fit.fits), None)
    if of_name is None:
        return values, None
    excluded = bool(of_name.characters_with(Fit.OUTSIDE))
    values["leaf_check"] = (LeafCheck.EXCLUDES if excluded else LeafCheck.FITS).value
    return values, f"The leaf excludes {name}: {describe_fit(leaf.characters, [of_name])}" if excluded else None


def _not_measured(reason: "NotMeasuredReason | None") -> tuple[dict[str, Any], str | None]:
    if reason is None:
        return {"flora_sentence": "No leaf was measured."}, None
    fields = {"flora_sentence": f"No leaf was measured: {reason.words}."}
    match reason.value:
        case LeafCheck.NO_LEAF:
            caution = "The leaf parser found no leaf, so nothing about a leaf supports the name."
        case LeafCheck.OVERLAPPED:
            caution = "The leaves lie over one another, so no character of a leaf could be compared with the name."
        case _:
            return fields, None
    return fields | {"leaf_check": reason.value}, caution


def clearest_leaf(measured: Sequence["MeasuredImage | ImageError | None"]) -> int:
    """Return the index of the photo whose leaf shows most: counted veins, else any character; else the first photo.

    Args:
        measured: for each photo of a plant, from ``measure_best_leaf``; at least one.
    """
    return max(range(len(measured)), key=lambda index: (_clarity(measured[index]), -index))


def _clarity(measured: "MeasuredImage | ImageError | None") -> int:
    if measured is None or isinstance(measured, ImageError) or not measured.leaves:
        return 0
    names = {name for name, _ in measured.leaves[0].characters.present()}
    return 2 if "secondary_vein_pairs" in names else 1 if names else 0


def without_pixels(measured: "MeasuredImage | ImageError | None") -> "MeasuredImage | ImageError | None":
    """Return measurements without the pictures of the leaves, for plants of many photos."""
    if measured is None or isinstance(measured, ImageError):
        return measured
    leaves = tuple(replace(leaf, pixels=np.zeros((0, 0, 3), np.uint8), lines=None) for leaf in measured.leaves)
    return replace(measured, leaves=leaves)


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
