"""The catalog: one row per image. ``COLUMNS`` declares its columns and their documentation."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leafid.destinations import has_header
from leafid.errors import CatalogError
from leafid.files import written_atomically
from leafid.tables import TableError, read_frame, write_frame

if TYPE_CHECKING:
    import pandas as pd

DARWIN_CORE = "http://rs.tdwg.org/dwc/terms/"
DUBLIN_CORE = "http://purl.org/dc/terms/"


@dataclass(frozen=True)
class Column:
    """One column: name, type, meaning, namespace of its term if it has one, and whether every row needs a value."""

    name: str
    dtype: Literal["str", "Int64"]
    description: str
    namespace: str | None = None
    required: bool = False


COLUMNS: tuple[Column, ...] = (
    Column("image_id", "str", "Identifier of the image, from its bytes; unique in the catalog.", required=True),
    Column("path", "str", "The image file, relative to the catalog.", required=True),
    Column("scientificName", "str", "Name on the label or in the source, without author.", DARWIN_CORE, required=True),
    Column(
        "acceptedTaxonKey", "str", "Key of the accepted taxon in the checklist used.", "http://rs.gbif.org/terms/1.0/"
    ),
    Column("taxonRank", "str", "Rank of the name: species, genus, ...", DARWIN_CORE),
    Column("genus", "str", "Genus.", DARWIN_CORE),
    Column("family", "str", "Family.", DARWIN_CORE),
    Column("institutionCode", "str", "Herbarium that holds the sheet.", DARWIN_CORE),
    Column("catalogNumber", "str", "Barcode or number of the sheet in its herbarium.", DARWIN_CORE),
    Column("recordedBy", "str", "Collector. Never copied into bundles or results.", DARWIN_CORE),
    Column("recordNumber", "str", "The collector's own number.", DARWIN_CORE),
    Column("eventDate", "str", "Date of collecting, ISO 8601, as precise as known.", DARWIN_CORE),
    Column("basisOfRecord", "str", "PreservedSpecimen, HumanObservation, ...", DARWIN_CORE),
    Column("license", "str", "Licence of the image, as an SPDX identifier where it has one.", DUBLIN_CORE),
    Column("rightsHolder", "str", "Who holds the rights in the image.", DUBLIN_CORE),
    Column("references", "str", "Web address of the record.", DUBLIN_CORE),
    Column("sha256", "str", "SHA-256 of the file's bytes, in hexadecimal."),
    Column("width", "Int64", "Width in pixels, upright."),
    Column("height", "Int64", "Height in pixels, upright."),
    Column(
        "gathering_id",
        "str",
        "Gathering: specimens that one collector took of one population at one time; the unit of splitting.",
    ),
    Column("split", "str", "train, val or test, if the source prescribes it."),
    Column("verbatimIdentification", "str", "The name as the source gives it, with author.", DARWIN_CORE),
    Column("identifiedBy", "str", "Who identified the sheet. Never copied into bundles or results.", DARWIN_CORE),
    Column("typeStatus", "str", "Type status of the sheet and the name that it typifies.", DARWIN_CORE),
    Column("domain", "str", "specimen (a pressed sheet), field (a photo of a living plant) or drawn."),
    Column("creator", "str", "Who made the image.", DUBLIN_CORE),
    Column("licenseStatement", "str", "The licence in the publisher's own words."),
    Column("licenseFrom", "str", "Origin of the licence: medium, or record if the medium has none."),
    Column("accessURI", "str", "Web address of the image.", "http://rs.tdwg.org/ac/terms/"),
    Column("retrieved", "str", "Date on which the image was fetched, ISO 8601."),
    Column("source", "str", "Kind of the source of the row."),
    Column("gbifID", "str", "Key of the occurrence at GBIF.", "http://rs.gbif.org/terms/1.0/"),
    Column("datasetKey", "str", "Key of the dataset at GBIF.", "http://rs.gbif.org/terms/1.0/"),
    Column("downloadDOI", "str", "DOI of the download to cite."),
)

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn", "learn"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
}
"""Words for train, val and test in columns and names of folders, in lower case."""

FAILURE_COLUMNS = ("path", "source", "reason", "detail")
"""Columns of ``failures.csv``: one row for each image that is missing in the catalog."""


def is_catalog(path: Path) -> bool:
    """Whether a file begins with the columns of a catalog."""
    first = [column.name for column in COLUMNS if column.required]
    if path.suffix != ".parquet":
        return has_header(first, begins=True)(path)
    import pyarrow
    from pyarrow import parquet

    try:
        return list(parquet.read_schema(path).names[: len(first)]) == first
    except (OSError, pyarrow.ArrowException):
        return False


def write_catalog(catalog: "pd.DataFrame", path: Path) -> None:
    """Write a catalog atomically as ``.csv`` or ``.parquet``, by the extension of ``path``.

    Raises:
        CatalogError: required values are missing, identifiers are repeated, or the extension is neither.
    """
    ordered = _typed(catalog, path)
    if _extension(path) == ".csv":
        write_frame(ordered, path)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as temporary:
        ordered.to_parquet(temporary, index=False)


def read_catalog(path: Path) -> "pd.DataFrame":
    """Read and check a catalog: declared columns in declared order and types, then any others as text.

    Raises:
        CatalogError: the file is missing or unreadable, or has mistakes; all of them are listed.
    """
    import pandas as pd

    if not path.is_file():
        raise CatalogError(f"There is no catalog {path}. `leafid collect JOB` writes it.")
    try:
        if _extension(path) == ".csv":
            frame = read_frame(path)
        else:
            frame = pd.read_parquet(path)
    except (OSError, ValueError, TableError) as error:
        raise CatalogError(f"{path} cannot be read as a catalog: {error}") from None
    return _typed(frame, path)


def image_paths(catalog: "pd.DataFrame", catalog_path: Path) -> list[Path]:
    """Return the image files of the rows; paths are relative to the catalog's folder."""
    return [catalog_path.parent / path for path in catalog["path"]]


def relative_to_catalog(image: Path, catalog_path: Path) -> str:
    """Return the ``path`` of an image for a catalog, with ``/`` on every system."""
    return Path(os.path.relpath(image.resolve(), catalog_path.resolve().parent)).as_posix()


def column_documentation() -> str:
    """Return the column table as Markdown."""
    rows = ["| column | type | required | term | meaning |", "| --- | --- | --- | --- | --- |"]
    for column in COLUMNS:
        kind = "text" if column.dtype == "str" else "whole number"
        term = f"`{column.namespace}{column.name}`" if column.namespace else ""
        rows.append(
            f"| `{column.name}` | {kind} | {'yes' if column.required else ''} | {term} | {column.description} |"
        )
    return "\n".join(rows) + "\n"


def _extension(path: Path) -> str:
    if path.suffix not in (".csv", ".parquet"):
        raise CatalogError(f"{path}: the name of a catalog must end in .csv or .parquet.")
    return path.suffix


def _typed(frame: "pd.DataFrame", path: Path) -> "pd.DataFrame":
    """Order and convert the declared columns; report all mistakes."""
    import pandas as pd

    mistakes: list[str] = []
    typed: dict[str, pd.Series] = {}
    for column in COLUMNS:
        if column.name not in frame:
            if column.required:
                mistakes.append(f"the column {column.name} is missing")
            typed[column.name] = pd.Series(pd.NA, index=frame.index, dtype=column.dtype)
            continue
        values = frame[column.name]
        if column.dtype == "Int64":
            numbers = pd.to_numeric(values, errors="coerce")
            wrong = (numbers.isna() & values.notna()) | (numbers % 1 != 0) & numbers.notna()
            mistakes += [
                f"row {row + 1}, {column.name}: {value!r} is not a whole number" for row, value in _rows(values, wrong)
            ]
            typed[column.name] = numbers.where(~wrong).astype("Int64")
        else:
            typed[column.name] = values.astype("str")
        if column.required:
            mistakes += [f"row {row + 1}: {column.name} is empty" for row, _ in _rows(values, values.isna())]
    repeated = typed["image_id"][typed["image_id"].duplicated() & typed["image_id"].notna()]
    mistakes += [f"image_id {image_id} occurs in more than one row" for image_id in dict.fromkeys(repeated)]
    if mistakes:
        raise CatalogError(_listed(path, mistakes))
    further = {name: frame[name] for name in frame.columns if name not in typed}
    return pd.DataFrame({**typed, **further}, index=frame.index)


def _rows(values: "pd.Series", where: "pd.Series") -> list[tuple[int, object]]:
    return [(row, value) for row, (value, wrong) in enumerate(zip(values, where, strict=True)) if wrong]


def _listed(path: Path, mistakes: Sequence[str]) -> str:
    shown = [f"  {mistake}" for mistake in mistakes[:20]]
    if len(mistakes) > 20:
        shown.append(f"  ... and {len(mistakes) - 20} more")
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return "\n".join([f"{path} has {count}:", *shown])
