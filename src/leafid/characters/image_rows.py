"""The rows of one image in the table of measured leaves: one per leaf, or one that says why there is none."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from leafid.characters.comparison import compare, describe_fit
from leafid.characters.leaf_ends import END_COLUMNS, EndsSource, LeafEnds
from leafid.characters.values import LeafCharacters, Measurement
from leafid.errors import FailureReason, ImageError
from leafid.images import guard_image
from leafid.tables import path_cell
from leafid.version import __version__

_SENTENCE_TAXA = 3  # taxa in the sentence of a row


class RowStatus(StrEnum):
    """Outcome for a leaf or an image."""

    MEASURED = "measured"
    NOT_MEASURED = "not_measured"
    FAILED = "failed"


@dataclass(frozen=True)
class MeasurementSettings:
    """What all images of a table are measured with.

    Attributes:
        leaves: most leaves of one image.
        px_per_mm: scale of all images; None: looked for in each image.
    """

    leaves: int
    px_per_mm: float | None = None

    def cells(self) -> dict[str, str]:
        """Return the cells that tell them, in every row."""
        given = "" if self.px_per_mm is None else repr(self.px_per_mm)
        return {"max_leaves": str(self.leaves), "px_per_mm_given": given}


def image_rows(image: tuple[Path, LeafEnds | None], settings: MeasurementSettings) -> list[dict[str, str]]:
    """Measure an image, given with its ends or None, and return its rows, at least one; missing values have no key."""
    path, ends = image
    cells = image_cells(path, ends) | settings.cells()
    try:
        with guard_image(path):
            return _measured_rows(path, cells, settings, ends)
    except ImageError as error:
        return [cells | {"status": RowStatus.FAILED, "reason": str(error)}]


def rows_of_ended_process(image: tuple[Path, LeafEnds | None], settings: MeasurementSettings) -> list[dict[str, str]]:
    """Return the row of an image that has ended its process."""
    reason = f"{FailureReason.NOT_PROCESSED}: its process ended: the decoder crashed on it, or memory ran out"
    return [image_cells(*image) | settings.cells() | {"status": RowStatus.FAILED, "reason": reason}]


def image_cells(path: Path, ends: LeafEnds | None) -> dict[str, str]:
    """Return what is known before the image is read; ends set by hand stay in the table whatever comes out."""
    cells = {"path": _path_text(path), "leafid_version": __version__}
    return cells if ends is None else cells | {"ends": EndsSource.BY_HAND} | _end_cells(ends)


def _end_cells(ends: LeafEnds) -> dict[str, str]:
    places = (_format_place(value) for point in (ends.base, ends.apex) for value in point)
    return dict(zip(END_COLUMNS, places, strict=True))


def _path_text(path: Path) -> str:
    """Return a path as it is written in a row; bytes that are not UTF-8 are escaped."""
    return path_cell(os.fsencode(path).decode("utf-8", "backslashreplace"))


def _measured_rows(
    path: Path, cells: dict[str, str], settings: MeasurementSettings, ends: LeafEnds | None
) -> list[dict[str, str]]:
    from leafid.characters.images import measure_file

    measured = measure_file(path, leaves=settings.leaves, px_per_mm=settings.px_per_mm, rulers=True, ends=ends)
    if measured.not_measured is not None:
        place = "" if ends is None else f": {ends}"
        reason = f"{measured.not_measured}{place}"
        return [cells | {"status": RowStatus.NOT_MEASURED, "reason": reason}]
    rows = []
    for number, leaf in enumerate(measured.leaves, start=1):
        row = cells | {
            "leaf": str(number),
            "leaves": str(len(measured.leaves)),
            "status": RowStatus.NOT_MEASURED if leaf.not_measured else RowStatus.MEASURED,
            "reason": leaf.not_measured or leaf.no_veins or "",
        }
        row |= dict(zip(("left", "top", "right", "bottom"), map(str, leaf.box), strict=True))
        if ends is None:
            row |= {"ends": EndsSource.FOUND} | _end_cells(leaf.ends)
        if measured.px_per_mm is not None:
            row["px_per_mm"] = _format_number(measured.px_per_mm)
        rows.append(row | _character_cells(leaf.characters))
    return rows


def _format_place(value: float) -> str:
    """Format a place in the image to a tenth of a pixel; a place beyond its upper or left edge is on the edge."""
    return f"{max(0.0, value):.1f}"


def _character_cells(characters: LeafCharacters) -> dict[str, str]:
    cells = {}
    for name, value in characters.present():
        if isinstance(value, Measurement):
            cells[name] = _format_number(value.value)
            cells[f"{name}_uncertainty"] = _format_number(value.uncertainty)
        else:
            cells[name] = value.value
        cells[f"{name}_quality"] = f"{value.quality:.2f}"
    if not cells:
        return cells
    fits = [fit for fit in compare(characters) if fit.fits]
    cells["flora_fit"] = "; ".join(f"{fit.taxon} {fit.likelihood:.2f}" for fit in fits)
    cells["flora_sentence"] = describe_fit(characters, fits[:_SENTENCE_TAXA])
    return cells


def _format_number(number: float) -> str:
    """Format a number with four significant digits; from 1000 on as a whole number."""
    return f"{number:.0f}" if number >= 1000 else f"{number:.4g}"
