"""The audit as one HTML file that needs nothing else: no script, no network, thumbnails inside."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.curation.auditing.figures import Audit, ShortcutResult
from leafid.curation.auditing.pictures import Pictured
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
CONFLICTS_SHOWN = 100


@dataclass(frozen=True)
class Contact:
    """One image of a contact sheet."""

    taxon: str
    path: str
    split: str
    details: str


@dataclass(frozen=True)
class _Line:
    """One line of the shortcut table: the same region with its background and without, by both classifiers."""

    region: str
    evaluation: str
    cells: tuple[ShortcutResult | None, ...]


def write_page(
    path: Path,
    audit: Audit,
    contacts: Sequence[Contact],
    pictures: Mapping[str, Pictured],
    pairs_shown: int,
    conflicts: "pd.DataFrame",
) -> None:
    """Write the page.

    Args:
        path: the HTML file.
        audit: the figures.
        contacts: images for the contact sheets, those of one taxon after the other.
        pictures: thumbnails by path.
        pairs_shown: how many pairs of near-duplicates are shown.
        conflicts: the columns ``CONFLICT_COLUMNS``.
    """
    sheets = [(name, list(rows)) for name, rows in groupby(contacts, key=lambda contact: contact.taxon)]
    html = page_template("leafid.curation.auditing", "audit.html").render(
        audit=audit,
        lines={question: _lines(audit, question) for question in ("taxon", "institution")},
        sheets=sheets,
        thumbnails={path: one.thumbnail for path, one in pictures.items() if one.thumbnail},
        pairs=audit.near_duplicates[:pairs_shown],
        conflicts=conflicts.head(CONFLICTS_SHOWN).astype(object).where(conflicts.notna(), "").to_dict("records"),
        region_words=REGION_WORDS,
        evaluation_words=EVALUATION_WORDS,
    )
    write_text(path, html)


def _lines(audit: Audit, question: str) -> list[_Line]:
    """The table of one question; cells are nearest neighbour and linear, first with the background, then without."""
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
