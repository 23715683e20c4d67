"""Reads lists of images: tables with a column ``path``, text files, and standard input, in the usual encodings."""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leafid.identify.inputs.given_columns import carried_names
from leafid.installation import require_parquet
from leafid.sources import is_web_address
from leafid.tables import TableError, decoded, encoding_of, read_table

STANDARD_INPUT = "-"
TABLE_ENDINGS = (".csv", ".tsv", ".parquet")
TEXT_ENDING = ".txt"

_PEEKED = 4096
_LINE = re.compile(rb"([^\r\n]*)(?:\r\n|\r|\n)|([^\r\n]+)\Z")
_LINE_END = re.compile(r"\r\n|\r|\n")
_NUL_LINE = re.compile(rb"([^\0]*)\0|([^\0]+)\Z")


@dataclass(frozen=True, slots=True)
class ListedImage:
    """A row of a list: its line, the path as it stands there, and the given columns of its table."""

    line: int
    path: str
    given: dict[str, str | None] = field(default_factory=dict)


Rows = list[ListedImage]


def is_input_list(path: Path) -> bool:
    """Return whether a named file is a list: by its extension, and for ``.txt`` also because it contains text."""
    ending = path.suffix.lower()
    if ending in TABLE_ENDINGS:
        return True
    if ending != TEXT_ENDING or not path.is_file():
        return False
    try:
        with path.open("rb") as opened:
            start = opened.read(_PEEKED)
    except OSError:
        return False
    return _encoding(start) is not None or b"\0" not in start  # images contain zeros


def read_input_list(table: Path, mistakes: list[str]) -> list[tuple[str, dict[str, str | None]]]:
    """Read the images that a table or text file lists, and their given columns. Append to ``mistakes``.

    Paths are relative to the table; web addresses stay as they are. A table with the column ``path`` alone gives no
    columns.
    """
    readers = {".parquet": _parquet_values, TEXT_ENDING: _text_values}
    values = readers.get(table.suffix.lower(), _csv_values)(table, mistakes)
    if values is None:
        return []
    if not values:
        without = "contains no path" if table.suffix.lower() == TEXT_ENDING else "has a header but no rows"
        mistakes.append(f"{table}: {without}")
    mistakes += [f"{table}:{row.line}: path is empty" for row in values if not row.path.strip()]
    return [
        (row.path if is_web_address(row.path) else str(table.parent / row.path), row.given)
        for row in values
        if row.path.strip()
    ]


def read_standard_input(mistakes: list[str]) -> Iterator[str]:
    """Yield paths, one on each line, or separated by NUL as ``find -print0`` writes them; append to ``mistakes``.

    A list in UTF-16, as PowerShell writes it, is recognised.
    """
    content = sys.stdin.buffer.read()
    encoding = _encoding(content)
    if encoding is not None:
        try:
            content = os.fsencode(content.decode(encoding))
        except UnicodeError as error:
            mistakes.append(f"standard input: not {encoding.removesuffix('-sig').upper()} text ({error})")
            return
    if not content:
        mistakes.append("standard input: contains no path")
    # One after the other: a list of a million lines would take more memory than their names.
    for number, line in enumerate(re.finditer(_NUL_LINE if b"\0" in content else _LINE, content), start=1):
        name = os.fsdecode(line[1] if line[2] is None else line[2])
        if not name.strip():
            mistakes.append(f"standard input, line {number}: is empty")
        else:
            yield name if is_web_address(name) else str(Path(name))


def _encoding(content: bytes) -> str | None:
    """Return the encoding of a list that a byte order mark, or UTF-16 line ends, show; None for bytes and UTF-8.

    Line ends are required, because a list of short names that are separated by NUL looks much like UTF-16.
    """
    start = content[:_PEEKED]
    found = encoding_of(start)
    if found in (None, "utf-8-sig", "utf-16") or b"\n\0" in start or b"\0\n" in start:
        return found
    return None


def _text_values(table: Path, mistakes: list[str]) -> Rows | None:
    """Return number and text of each line that is not empty; None if the file cannot be read."""
    try:
        text = decoded(table.read_bytes(), str(table))
    except OSError as error:
        mistakes.append(f"{table}: cannot be read: {error.strerror or error}")
        return None
    except TableError as error:
        mistakes.append(str(error))
        return None
    # Not `splitlines`: names of files may contain its other separators, such as U+2028.
    lines = enumerate(_LINE_END.split(text), start=1)
    return [ListedImage(number, line) for number, line in lines if line.strip()]


def _csv_values(table: Path, mistakes: list[str]) -> Rows | None:
    """Return line and path of each row of a CSV (comma, semicolon or tab); None if it cannot be read."""
    try:
        read = read_table(table)
    except TableError as error:
        mistakes.append(str(error))
        return None
    if "path" not in read.header:
        mistakes.append(f"{table}: has no column path; it has {', '.join(read.header) or 'none'}")
        return None
    mistakes += [f"{table}:{line}: {reason}" for line, reason in read.wrong]
    rows = _rows(read.header, read.rows)
    return rows or ([] if not read.wrong else None)


def _rows(header: Sequence[str], numbered: Iterable[tuple[int, Sequence[str | None]]]) -> Rows:
    """Return the rows of a table with a column ``path``; blank cells of the other columns are missing."""
    column = header.index("path")
    names = carried_names(header) if len(header) > 1 else ()
    return [
        ListedImage(
            line,
            cells[column] or "",
            {name: cell if cell and cell.strip() else None for name, cell in zip(names, cells, strict=False)},
        )
        for line, cells in numbered
    ]


def _parquet_values(table: Path, mistakes: list[str]) -> Rows | None:
    """Return number and path of each row of a Parquet file; None if it cannot be read."""
    require_parquet()
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(table) as opened:
            names = opened.schema_arrow.names
            if "path" not in names:
                mistakes.append(f"{table}: has no column path; it has {', '.join(names) or 'none'}")
                return None
            columns = [column.to_pylist() for column in opened.read().columns]
    except (OSError, pyarrow.ArrowException) as error:
        detail = (isinstance(error, OSError) and error.strerror) or error
        mistakes.append(f"{table}: cannot be read as Parquet: {detail}")
        return None
    paths = columns[names.index("path")]
    if wrong := next((value for value in paths if not isinstance(value, str | None)), None):
        mistakes.append(f"{table}: its column path contains {type(wrong).__name__}, not text")
        return None
    cells = ([None if value is None else str(value) for value in row] for row in zip(*columns, strict=True))
    return _rows(names, enumerate(cells, start=1))
