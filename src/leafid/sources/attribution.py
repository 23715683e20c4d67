"""Whom to thank, how to cite, and what the collection consists of: four files beside the catalog.

They may be published with a model. They hold no coordinates, no localities and no names of collectors.
"""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.files import write_text, written_atomically
from leafid.jobs import Job
from leafid.statements import LIMITS
from leafid.version import __version__

if TYPE_CHECKING:
    import pandas as pd

ATTRIBUTION_COLUMNS = (
    "image_id",
    "scientificName",
    "institutionCode",
    "catalogNumber",
    "rightsHolder",
    "license",
    "licenseFrom",
    "references",
    "accessURI",
    "datasetKey",
    "gbifID",
    "downloadDOI",
    "retrieved",
)
UNSTATED = "(not stated)"


def write_attribution(catalog: "pd.DataFrame", job: Job) -> list[Path]:
    """Write ``ATTRIBUTION.csv``, ``ATTRIBUTION.md``, ``CITATION.md`` and ``DATA_CARD.md`` into the job's data folder.

    Images of folders and tables on this machine, whose origin only the user knows, are counted in the data card and
    left out of the other three.
    """
    public = catalog[catalog["accessURI"].notna()]
    folder = job.data_folder
    table = folder / "ATTRIBUTION.csv"
    with written_atomically(table) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(ATTRIBUTION_COLUMNS)
        rows = public[list(ATTRIBUTION_COLUMNS)].itertuples(index=False, name=None)
        writer.writerows([_text(value) for value in row] for row in rows)
    texts = {
        "ATTRIBUTION.md": attribution(public, job.name),
        "CITATION.md": citation(public, job.name),
        "DATA_CARD.md": data_card(catalog, job),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [table, *(folder / name for name in texts)]


def attribution(public: "pd.DataFrame", name: str) -> str:
    """Return who provided how many images under which licence, as Markdown."""
    groups = _counted(public, ["institutionCode", "rightsHolder", "license"])
    lines = [
        f"# Images of {name}: attribution",
        "",
        f"{_images(len(public))} of public collections. Every single one is listed in `ATTRIBUTION.csv` with its",
        "number in its herbarium, its licence and the address of its record.",
        "",
        "| institution | rights holder | licence | images |",
        "| --- | --- | --- | ---: |",
        *(f"| {' | '.join(map(_cell, key))} | {count} |" for key, count in groups),
    ]
    return "\n".join(lines) + "\n"


def citation(public: "pd.DataFrame", name: str) -> str:
    """Return how to cite the data, as Markdown: DOIs of downloads, and dataset counts for a GBIF derived dataset."""
    lines = [f"# How to cite the data of {name}", ""]
    dois = _counted(public[public["downloadDOI"].notna()], ["downloadDOI"])
    if dois:
        lines += ["## Downloads", ""]
        year = datetime.now(UTC).year
        for (doi,), count in dois:
            by = "GBIF.org" if doi.startswith("10.15468/") else "The publisher"
            lines.append(f"- {by} ({year}). Occurrence download. https://doi.org/{doi} ({_images(count)} used)")
        lines.append("")
    searched = public[public["downloadDOI"].isna() & public["datasetKey"].notna()]
    if len(searched):
        lines += [
            "## Records of GBIF's search",
            "",
            "GBIF asks that records taken by its search are cited as a *derived dataset*: register this table at",
            "https://www.gbif.org/derived-dataset/register, and cite the DOI that you are given.",
            "",
            "| datasetKey | images |",
            "| --- | ---: |",
            *(f"| {key} | {count} |" for (key,), count in _counted(searched, ["datasetKey"])),
            "",
        ]
    others = public[public["downloadDOI"].isna() & public["datasetKey"].isna()]
    if len(others):
        lines += [
            "## Other records",
            "",
            "Without a DOI or a dataset of GBIF; name their source and institution:",
            "",
            "| source | institution | images |",
            "| --- | --- | ---: |",
            *(
                f"| {' | '.join(map(_cell, key))} | {count} |"
                for key, count in _counted(others, ["source", "institutionCode"])
            ),
            "",
        ]
    if len(lines) == 2:
        lines += ["The images come from this machine alone.", ""]
    return "\n".join(lines)


def data_card(catalog: "pd.DataFrame", job: Job) -> str:
    """Return what the collection consists of, as Markdown: counts alone."""
    years = catalog["eventDate"].astype("str").str.extract(r"^(\d{3})", expand=False)
    decades = (years + "0s").fillna(UNSTATED)
    facts = catalog.assign(decade=decades)
    asked = job.fetching
    lines = [
        f"# Data card of {job.name}",
        "",
        f"Written by leafid {__version__} on {datetime.now(UTC).date().isoformat()}. {_images(len(catalog))}, "
        f"{_bare_count(catalog, 'scientificName')} names, {_bare_count(catalog, 'institutionCode')} institutions.",
        "",
        "No coordinates, localities or names of collectors stand here; of collectors only the hashed part of",
        "`gathering_id` in the catalog is left in what is published.",
        "",
        f"Licences allowed: {', '.join(asked.licences)}. Longest side asked of IIIF servers: {asked.max_side} px.",
        "",
    ]
    for title, column in (
        ("Taxa", "scientificName"),
        ("Institutions", "institutionCode"),
        ("Licences", "license"),
        ("Whose licence counts", "licenseFrom"),
        ("Decades of collecting", "decade"),
        ("Domains", "domain"),
        ("Sources", "source"),
    ):
        lines += [f"## {title}", "", f"| {column} | images |", "| --- | ---: |"]
        lines += [f"| {_cell(key[0])} | {count} |" for key, count in _counted(facts, [column])]
        lines.append("")
    return "\n".join([*lines, LIMITS]) + "\n"


def _counted(catalog: "pd.DataFrame", columns: list[str]) -> list[tuple[tuple[str, ...], int]]:
    """Count rows by columns, most frequent first."""
    if not len(catalog):
        return []
    filled = catalog[columns].astype("str").fillna(UNSTATED)
    sizes = filled.groupby(columns, sort=True).size().reset_index(name="images")
    rows = [(tuple(str(row[column]) for column in columns), int(row["images"])) for _, row in sizes.iterrows()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def _bare_count(catalog: "pd.DataFrame", column: str) -> int:
    return int(catalog[column].nunique())


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _cell(text: str) -> str:
    """Keep a value of a stranger inside its cell."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def _text(value: object) -> str:
    """A missing value is an empty cell; a value that a spreadsheet would run as a formula is quoted."""
    text = "" if value is None or value != value else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
