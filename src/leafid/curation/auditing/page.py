"""Write an audit as one self-contained HTML file with embedded thumbnails, without scripts or network access."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.curation.auditing.audit_result import Audit, ShortcutResult
from leafid.curation.auditing.image_inspection import InspectedImage
from leafid.files import write_text
from leafid.html import page_template

if TYPE_CHECKING:
    import pandas as pd

REGION_WORDS = {
    "border": "border only",
    "background": "background only",
    "label_region": "labels, rulers, stamps only",
    "mean_colour": "mean colour only",
    "whole": "whole image, 16 × 16 pixels",
}
EVALUATION_WORDS = {"crossvalidated": "five folds by gathering", "job_split": "the job's split, train → test"}
MAX_SHOWN_CONFLICTS = 100


@dataclass(frozen=True)
class ContactImage:
    """One image of a contact sheet."""

    taxon: str
    path: str
    split: str
    details: str


@dataclass(frozen=True)
class _Line:
    """One line of the shortcut table: a region with and without background, by both classifiers."""

    region: str
    evaluation: str
    cells: tuple[ShortcutResult | None, ...]


def write_page(
    path: Path,
    audit: Audit,
    contacts: Sequence[ContactImage],
    inspected: Mapping[str, InspectedImage],
    pairs_shown: int,
    conflicts: "pd.DataFrame",
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        audit: the result of the audit.
        contacts: images for the contact sheets, grouped by taxon.
        inspected: inspected images with their thumbnails, by path.
        pairs_shown: number of pairs of near-duplicates to show.
        conflicts: the columns ``CONFLICT_COLUMNS``.
    """
    sheets = [(name, list(rows)) for name, rows in groupby(contacts, key=lambda contact: contact.taxon)]
    html = page_template("leafid.curation.auditing", "audit.html").render(
        audit=audit,
        lines={question: _lines(audit, question) for question in ("taxon", "institution")},
        sheets=sheets,
        thumbnails={path: one.thumbnail for path, one in inspected.items() if one.thumbnail},
        pairs=audit.near_duplicates[:pairs_shown],
        conflicts=conflicts.head(MAX_SHOWN_CONFLICTS).astype(object).where(conflicts.notna(), "").to_dict("records"),
        region_words=REGION_WORDS,
        evaluation_words=EVALUATION_WORDS,
    )
    write_text(path, html)


def _lines(audit: Audit, question: str) -> list[_Line]:
    """Return the table of one question; cells are nearest neighbour and linear, with the background and without."""
    rows: dict[tuple[str, str, str, str], ShortcutResult] = {
        (row.evaluation, row.region, row.background, row.classifier): row
        for row in audit.shortcuts
        if row.question == question
    }
    columns = [(kept, how) for kept in ("kept", "removed") for how in ("nearest_neighbour", "linear")]
    return [
        _Line(region, evaluation, tuple(rows.get((evaluation, region, *column)) for column in columns))
        for evaluation in EVALUATION_WORDS
        for region in REGION_WORDS
        if any(key[:2] == (evaluation, region) for key in rows)
    ]
