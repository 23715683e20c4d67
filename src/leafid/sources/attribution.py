"""Attribution, citation and data card: four files beside the catalog.

They may be published with a model. They contain no coordinates, localities or names of collectors.
"""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.files import write_text
from leafid.jobs import Job
from leafid.statements import TrainedOn
from leafid.tables import write_frame
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

    The data card counts all images. The other three list public images only, since the origin of images in folders and
    tables on this machine is unknown.
    """
    public = catalog[catalog["accessURI"].notna()]
    folder = job.data_folder
    table = folder / "ATTRIBUTION.csv"
    write_frame(public[list(ATTRIBUTION_COLUMNS)], table)
    texts = {
        "ATTRIBUTION.md": attribution(public, job.name),
        "CITATION.md": citation(public, job.name),
        "DATA_CARD.md": data_card(catalog, job),
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [table, *(folder / name for name in texts)]


def attribution(public: "pd.DataFrame", name: str) -> str:
    """Count images by institution, rights holder and licence, as Markdown."""
    groups = _counted(public, ["institutionCode", "rightsHolder", "license"])
    lines = [
        f"# Images of {name}: attribution",
        "",
        f"{_images(len(public))} of public collections. `ATTRIBUTION.csv` lists each with its catalogue number,",
        "its licence and the address of its record.",
        "",
        "| institution | rights holder | licence | images |",
        "| --- | --- | --- | ---: |",
        *(f"| {' | '.join(map(_cell, key))} | {count} |" for key, count in groups),
    ]
    return "\n".join(lines) + "\n"


def citation(public: "pd.DataFrame", name: str) -> str:
    """Describe how to cite the data, as Markdown: DOIs of downloads, and dataset counts for a GBIF derived dataset."""
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
            "## Records from GBIF's search",
            "",
            "GBIF asks that records from its search are cited as a *derived dataset*: register this table at",
            "https://www.gbif.org/derived-dataset/register, and cite the DOI that GBIF returns.",
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
            "These have neither a DOI nor a GBIF dataset. Cite their source and institution:",
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
        lines += ["All images come from this machine.", ""]
    return "\n".join(lines)


def data_card(catalog: "pd.DataFrame", job: Job) -> str:
    """Describe the collection by counts alone, as Markdown."""
    years = catalog["eventDate"].astype("str").str.extract(r"^(\d{3})", expand=False)
    decades = (years + "0s").fillna(UNSTATED)
    with_decades = catalog.assign(decade=decades)
    fetching = job.fetching
    lines = [
        f"# Data card of {job.name}",
        "",
        f"Written by leafid {__version__} on {datetime.now(UTC).date().isoformat()}. {_images(len(catalog))}, "
        f"{_distinct(catalog, 'scientificName')} names, {_distinct(catalog, 'institutionCode')} institutions.",
        "",
        "This card contains no coordinates, localities or names of collectors. In published files, `gathering_id` is",
        "a hash from which the collector cannot be read.",
        "",
        f"Licences allowed: {', '.join(fetching.licences)}. Longest side requested from IIIF servers: "
        f"{fetching.max_side} px.",
        "",
    ]
    for title, column in (
        ("Taxa", "scientificName"),
        ("Institutions", "institutionCode"),
        ("Licences", "license"),
        ("Origin of the licence", "licenseFrom"),
        ("Decades of collecting", "decade"),
        ("Domains", "domain"),
        ("Sources", "source"),
    ):
        lines += [f"## {title}", "", f"| {column} | images |", "| --- | ---: |"]
        lines += [f"| {_cell(key[0])} | {count} |" for key, count in _counted(with_decades, [column])]
        lines.append("")
    return "\n".join([*lines, TrainedOn.of_images(catalog).caution]) + "\n"


def _counted(catalog: "pd.DataFrame", columns: list[str]) -> list[tuple[tuple[str, ...], int]]:
    """Count rows by the values of some columns, most frequent first."""
    if not len(catalog):
        return []
    filled = catalog[columns].astype("str").fillna(UNSTATED)
    groups = filled.groupby(columns, sort=True).size().reset_index(name="images")
    rows = [(tuple(str(row[column]) for column in columns), int(row["images"])) for _, row in groups.iterrows()]
    return sorted(rows, key=lambda row: (-row[1], row[0]))


def _distinct(catalog: "pd.DataFrame", column: str) -> int:
    return int(catalog[column].nunique())


def _images(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _cell(text: str) -> str:
    """Escape a value of unknown origin for a cell of a Markdown table."""
    return " ".join(text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").split())
