"""Source ``table``: a CSV file with one row per image."""

import csv
import io
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from leafid.catalog import COLUMNS
from leafid.errors import SourceError
from leafid.jobs import TableSource
from leafid.sources.source_result import Failure, SourceFailureReason, SourceImage, SourceResult

MEASURED_COLUMNS = ("image_id", "width", "height")
"""Catalog columns that ``collect`` always measures from the image file; those of a table are ignored."""


def find_in_table(source: TableSource) -> SourceResult:
    """Find the images that a CSV file lists. All its columns are copied to the catalog, renamed as the job says.

    Rows without a path or a name, or with more or fewer fields than the header, are failures.

    Raises:
        SourceError: the file is missing, not UTF-8, without header, or lacks columns that the job names; or no row
            matches ``only``.
    """
    header, rows = _read(source.path)
    columns = _file_columns(source, header)
    result = SourceResult()
    ignored = [column for column in MEASURED_COLUMNS if column in columns]
    if ignored:
        result.notes.append(
            f"{source.path}: measured from the image files, not read from the table: {', '.join(ignored)}"
        )
    selected = 0
    for line, fields in rows:
        location = f"{source.path}, line {line}"
        if len(fields) != len(header):
            detail = f"{len(fields)} fields where the header has {len(header)}"
            result.failures.append(Failure("", location, SourceFailureReason.WRONG_FIELDS, detail))
            selected += 1
            continue
        row = dict(zip(header, (field.strip() for field in fields), strict=True))
        if any(row[column] != value for column, value in source.only.items()):
            continue
        selected += 1
        values = {name: row[column] for name, column in columns.items() if row[column]}
        _add_row(values, location, source.path.parent, result)
    if not selected:
        raise SourceError(_no_row_message(source, header, rows))
    return result


def _add_row(values: dict[str, str], location: str, folder: Path, result: SourceResult) -> None:
    """Add one row as an image, or as a failure."""
    path = values.pop("path", "")
    for column in MEASURED_COLUMNS:
        values.pop(column, None)
    if not path:
        result.failures.append(Failure("", location, SourceFailureReason.NO_PATH, "the row has no path"))
    elif path.lower().startswith(("http://", "https://")):
        detail = "a web address; a table lists files on this machine"
        result.failures.append(Failure(path, location, SourceFailureReason.WEB_ADDRESS, detail))
    elif "scientificName" not in values:
        result.failures.append(Failure(path, location, SourceFailureReason.NO_TAXON, "the row has no scientific name"))
    else:
        result.images.append(SourceImage(folder / path, location, values))


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Read header and rows with their line numbers; the delimiter is comma, semicolon or tab, as in the header."""
    if not path.is_file():
        raise SourceError(
            f"sources: there is no file {path}. Relative paths start at the current folder, {Path.cwd()}."
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise SourceError(f"sources: {path} is not UTF-8. Save it as 'CSV UTF-8'.") from None
    except OSError as error:
        raise SourceError(f"sources: {path} cannot be read: {error.strerror}.") from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, fields) for fields in reader if any(field.strip() for field in fields)]
    except csv.Error as error:
        raise SourceError(f"sources: {path}, line {reader.line_num}: {error}.") from None
    if not rows:
        raise SourceError(f"sources: {path} is empty. It needs a header line with a column for path and name.")
    header = [field.strip() for field in rows[0][1]]
    repeated = sorted({column for column in header if header.count(column) > 1})
    if repeated:
        raise SourceError(f"sources: {path} has columns of the same name: {', '.join(map(repr, repeated))}.")
    return header, rows[1:]


def _file_columns(source: TableSource, header: Sequence[str]) -> dict[str, str]:
    """Map columns of the catalog to columns of the file; refuse columns that the job names and the file lacks."""
    wanted = {f"columns.{name}": column for name, column in source.columns.items()}
    wanted |= {f"only.{column}": column for column in source.only}
    wanted |= {name: name for name in ("path", "scientificName") if name not in source.columns}
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
    return f"  {key}: there is no column {column!r}.{guess}"


def _no_row_message(source: TableSource, header: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> str:
    if not source.only:
        return f"sources: {source.path} has a header and no rows."
    lines = [f"sources: no row of {source.path} has all the values of `only`:"]
    for column, value in source.only.items():
        index = header.index(column)
        present = sorted({fields[index] for _, fields in rows if len(fields) == len(header)})
        shown = ", ".join(present[:12]) + (", ..." if len(present) > 12 else "")
        lines.append(f"  {column}: the job asks for {value!r}; the file has {shown}")
    return "\n".join(lines)
