"""A CSV file with one row per image: how collections and benchmarks list their images."""

import csv
import io
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from leafid.catalog import COLUMNS
from leafid.errors import SourceError
from leafid.jobs import TableSource
from leafid.sources.found import Failure, Found, FoundImage, SourceReason

MEASURED = ("image_id", "width", "height")
"""Catalog columns that are always measured from the file, whatever a table says."""


def find_in_table(source: TableSource) -> Found:
    """Find the images that a CSV file lists; all its columns come along into the catalog, renamed as the job says.

    Rows without a path or a name, or with more or fewer fields than the header, are failures.

    Raises:
        SourceError: the file is missing, not UTF-8, without header, or lacks columns that the job names; or
            ``only`` leaves no row.
    """
    header, rows = _read(source.path)
    columns = _file_columns(source, header)
    found = Found()
    measured = [column for column in MEASURED if column in columns]
    if measured:
        found.notes.append(f"{source.path}: measured anew, not taken from the table: {', '.join(measured)}")
    chosen = 0
    for line, fields in rows:
        where = f"{source.path}, line {line}"
        if len(fields) != len(header):
            detail = f"{len(fields)} fields where the header has {len(header)}"
            found.failures.append(Failure("", where, SourceReason.WRONG_FIELDS, detail))
            chosen += 1
            continue
        row = dict(zip(header, (field.strip() for field in fields), strict=True))
        if any(row[column] != value for column, value in source.only.items()):
            continue
        chosen += 1
        values = {name: row[column] for name, column in columns.items() if row[column]}
        _take(values, where, source.path.parent, found)
    if not chosen:
        raise SourceError(_nothing_chosen(source, header, rows))
    return found


def _take(values: dict[str, str], where: str, folder: Path, found: Found) -> None:
    """Add one row as an image, or as a failure."""
    path = values.pop("path", "")
    for column in MEASURED:
        values.pop(column, None)
    if not path:
        found.failures.append(Failure("", where, SourceReason.NO_PATH, "the row has no path"))
    elif path.lower().startswith(("http://", "https://")):
        detail = "a web address; a table names files on this machine"
        found.failures.append(Failure(path, where, SourceReason.WEB_ADDRESS, detail))
    elif "scientificName" not in values:
        found.failures.append(Failure(path, where, SourceReason.NO_TAXON, "the row has no scientific name"))
    else:
        found.images.append(FoundImage(folder / path, where, values))


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and rows with their line numbers; fields are parted by comma, semicolon or tab, as the header is."""
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
    """The file's column for each column of the catalog; refuses columns that are asked for and not there."""
    wanted = {f"columns.{name}": column for name, column in source.columns.items()}
    wanted |= {f"only.{column}": column for column in source.only}
    wanted |= {name: name for name in ("path", "scientificName") if name not in source.columns}
    mistakes = [_missing(place, column, header) for place, column in wanted.items() if column not in header]
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


def _missing(place: str, column: str, header: Sequence[str]) -> str:
    lower = {name.lower(): name for name in header}
    close = get_close_matches(column.lower(), lower, n=1)
    guess = f" Did you mean {lower[close[0]]!r}?" if close else ""
    if place == column:
        guess = guess or f" Name the right one: `columns: {{{column}: ...}}`."
    return f"  {place}: there is no column {column!r}.{guess}"


def _nothing_chosen(source: TableSource, header: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> str:
    if not source.only:
        return f"sources: {source.path} has a header and no rows."
    lines = [f"sources: no row of {source.path} has all the values of `only`:"]
    for column, value in source.only.items():
        place = header.index(column)
        there = sorted({fields[place] for _, fields in rows if len(fields) == len(header)})
        shown = ", ".join(there[:12]) + (", ..." if len(there) > 12 else "")
        lines.append(f"  {column}: {value!r} asked for; the file has {shown}")
    return "\n".join(lines)
