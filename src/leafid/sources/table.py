"""Source ``table``: a CSV file with one row per image."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches
from pathlib import Path

from leafid.catalog import COLUMNS
from leafid.errors import SourceError
from leafid.jobs import TableSource
from leafid.sources.source_result import (
    MAX_LISTED_FAILURES,
    Failure,
    SourceFailureReason,
    SourceImage,
    SourceResult,
    file_key,
)
from leafid.tables import MISSING_WORDS, Table, TableError, read_table

MEASURED_COLUMNS = ("image_id", "width", "height")
"""Catalog columns that ``collect`` always measures from the image file; those of a table are ignored."""

_NOT_FREE_TEXT = {column.name for column in COLUMNS} - {"licenseStatement", "rightsHolder", "creator"}


def find_in_table(source: TableSource, *, named: Collection[str] = ()) -> SourceResult:
    """Find the images that a CSV file lists. All its columns are copied to the catalog, renamed as the job says.

    Rows without a path or a name, or with more or fewer fields than the header, are failures.

    Args:
        source: the file and its columns.
        named: ``file_key`` of the files that other sources name. Rows of these need no name; with any, the table needs
            no column ``scientificName``.

    Raises:
        SourceError: the file is missing, not UTF-8, without header, or lacks columns that the job names; or no row
            matches ``only``.
    """
    table = _read(source.path)
    header = table.header
    columns = _file_columns(source, header, names_needed=not named)
    result = SourceResult()
    ignored = [column for column in MEASURED_COLUMNS if column in columns]
    if ignored:
        result.notes.append(
            f"{source.path}: measured from the image files, not read from the table: {', '.join(ignored)}"
        )
    selected = 0
    for line, reason in table.wrong[:MAX_LISTED_FAILURES]:
        detail = f"{source.path.name}:{line}: {reason}"
        result.failures.append(Failure("", f"{source.path}, line {line}", SourceFailureReason.WRONG_FIELDS, detail))
    if len(table.wrong) > MAX_LISTED_FAILURES:
        detail = f"{len(table.wrong) - MAX_LISTED_FAILURES} more rows that do not fit the header"
        result.failures.append(Failure("", str(source.path), SourceFailureReason.WRONG_FIELDS, detail))
    for line, fields in table.rows:
        location = f"{source.path}, line {line}"
        row = dict(zip(header, (field.strip() for field in fields), strict=True))
        if any(row[column] != value for column, value in source.only.items()):
            continue
        selected += 1
        values = {name: row[column] for name, column in columns.items()}
        others_are = any(values[name] == "NA" for name in values if name in _NOT_FREE_TEXT - {"institutionCode"})
        values = {name: text for name, text in values.items() if not _is_missing(name, text, others_are)}
        stated = {"domain": source.domain} if source.domain else {}
        _add_row(stated | values, location, source.path.parent, named, result)
    if not selected and not table.wrong:
        raise SourceError(_no_row_message(source, table))
    return result


def _add_row(values: dict[str, str], location: str, folder: Path, named: Collection[str], result: SourceResult) -> None:
    """Add one row as an image, or as a failure."""
    path = values.pop("path", "")
    for column in MEASURED_COLUMNS:
        values.pop(column, None)
    if not path:
        result.failures.append(Failure("", location, SourceFailureReason.NO_PATH, "the row has no path"))
    elif path.lower().startswith(("http://", "https://")):
        detail = "a web address; a table lists files on this machine"
        result.failures.append(Failure(path, location, SourceFailureReason.WEB_ADDRESS, detail))
    elif "scientificName" not in values and file_key(folder / path) not in named:
        detail = "the row has no scientific name" + (", and no other source has its file" if named else "")
        result.failures.append(Failure(path, location, SourceFailureReason.NO_TAXON, detail))
    else:
        result.images.append(SourceImage(folder / path, location, values))


def _read(path: Path) -> Table:
    """Read the file; its rows without the spaces around values."""
    if not path.is_file():
        raise SourceError(
            f"sources: there is no file {path}. Relative paths start at the current folder, {Path.cwd()}."
        )
    try:
        return read_table(path)
    except TableError as error:
        raise SourceError(f"sources: {error}") from None


def _is_missing(column: str, text: str, others_are: bool) -> bool:
    """Whether a value means that there is none, such as R's ``NA``.

    Only catalog columns are judged, not free text. ``NA`` is also the code of a herbarium (U.S. National Arboretum), so
    as institutionCode it is missing only if the row has it in another column.
    """
    if not text:
        return True
    if text not in MISSING_WORDS or column not in _NOT_FREE_TEXT:
        return False
    return column != "institutionCode" or text != "NA" or others_are


def _file_columns(source: TableSource, header: Sequence[str], *, names_needed: bool) -> dict[str, str]:
    """Map columns of the catalog to columns of the file; refuse columns that the job names and the file lacks."""
    wanted = {f"columns.{name}": column for name, column in source.columns.items()}
    wanted |= {f"only.{column}": column for column in source.only}
    needed = ("path", "scientificName") if names_needed else ("path",)
    wanted |= {name: name for name in needed if name not in source.columns}
    mistakes = [_missing_message(key, column, header) for key, column in wanted.items() if column not in header]
    declared = {column.name.lower(): column.name for column in COLUMNS}
    for name in source.columns:
        close = get_close_matches(name.lower(), declared, n=1, cutoff=0.85)
        if close and name not in declared.values():
            mistakes.append(f"  columns.{name}: the catalog has no such column. Did you mean {declared[close[0]]!r}?")
    if mistakes:
        columns = ", ".join(header)
        raise SourceError("\n".join([f"sources: {source.path} lacks columns:", *mistakes, f"  It has: {columns}"]))
    renamed = set(source.columns.values())
    return {column: column for column in header if column not in renamed} | source.columns


def _missing_message(key: str, column: str, header: Sequence[str]) -> str:
    lower = {name.lower(): name for name in header}
    close = get_close_matches(column.lower(), lower, n=1)
    guess = f" Did you mean {lower[close[0]]!r}?" if close else ""
    if key == column:
        guess = guess or f" Name the right one: `columns: {{{column}: ...}}`."
        if key == "scientificName":
            guess += " Or add the folder of the images, whose folders are named by taxa, as another source."
    return f"  {key}: there is no column {column!r}.{guess}"


def _no_row_message(source: TableSource, table: Table) -> str:
    if not source.only:
        return f"sources: {source.path} has a header and no rows."
    lines = [f"sources: no row of {source.path} has all the values of `only`:"]
    for column, value in source.only.items():
        index = table.header.index(column)
        present = sorted({fields[index] for _, fields in table.rows})
        shown = ", ".join(present[:12]) + (", ..." if len(present) > 12 else "")
        lines.append(f"  {column}: the job asks for {value!r}; the file has {shown}")
    return "\n".join(lines)
