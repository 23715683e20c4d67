"""Reads lists of images: tables with a column ``path``, text files, and standard input, in the usual encodings."""

import codecs
import csv
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from leafid.sources import is_web_address

STANDARD_INPUT = "-"
TABLE_ENDINGS = (".csv", ".tsv", ".parquet")
TEXT_ENDING = ".txt"

_MARKS = (  # UTF-32 first: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Byte order marks, which Excel, PowerShell and Notepad write."""

_PEEKED = 4096
Rows = list[tuple[int, str]]
"""Line and path of each row."""


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
    return _encoding(start) != "utf-8" or b"\0" not in start  # images contain zeros


def read_input_list(table: Path, mistakes: list[str]) -> list[str | Path]:
    """Read the paths in a table or text file, relative to it; web addresses stay text. Append to ``mistakes``."""
    readers = {".parquet": _parquet_values, TEXT_ENDING: _text_values}
    values = readers.get(table.suffix.lower(), _csv_values)(table, mistakes)
    if values is None:
        return []
    if not values:
        without = "contains no path" if table.suffix.lower() == TEXT_ENDING else "has a header but no rows"
        mistakes.append(f"{table}: {without}")
    mistakes += [f"{table}:{line}: path is empty" for line, value in values if not value.strip()]
    return [value if is_web_address(value) else table.parent / value for _, value in values if value.strip()]


def read_standard_input(mistakes: list[str]) -> list[str | Path]:
    """Read paths, one on each line, or separated by NUL as ``find -print0`` writes them; see ``_MARKS``."""
    content = sys.stdin.buffer.read()
    encoding = _encoding(content)
    if encoding == "utf-8":
        lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    else:
        text = _decoded(content, encoding, "standard input", mistakes)
        if text is None:
            return []
        lines = [os.fsencode(line) for line in text.splitlines()]
    if lines and not lines[-1]:
        lines.pop()  # empty part after the last NUL
    if not lines:
        mistakes.append("standard input: contains no path")
    mistakes += [f"standard input, line {number}: is empty" for number, line in enumerate(lines, 1) if not line.strip()]
    names = [os.fsdecode(line) for line in lines if line.strip()]
    return [name if is_web_address(name) else Path(name) for name in names]


def _encoding(content: bytes) -> str:
    """Return the encoding by the byte order mark; without one UTF-16 by its line ends, else UTF-8."""
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding
    if b"\n\0" in content[:_PEEKED] and content[1:_PEEKED:2].count(0) > len(content[:_PEEKED]) // 3:
        return "utf-16-le"  # a program that leaves the mark out; names in other scripts than Latin are not recognised
    return "utf-8"


def _decoded(content: bytes, encoding: str, name: str, mistakes: list[str]) -> str | None:
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        written = encoding.removesuffix("-sig").removesuffix("-le").upper()
        mistakes.append(f"{name}: not {written} text (byte {error.start}); save it as UTF-8")
        return None


def _text(table: Path, kind: str, mistakes: list[str]) -> str | None:
    """Return the text of a file; None if it cannot be read."""
    try:
        content = table.read_bytes()
    except OSError as error:
        mistakes.append(f"{table}: cannot be read as {kind}: {error.strerror or error}")
        return None
    return _decoded(content, _encoding(content), str(table), mistakes)


def _text_values(table: Path, mistakes: list[str]) -> Rows | None:
    """Return number and text of each line that is not empty; None if the file cannot be read."""
    text = _text(table, "text", mistakes)
    if text is None:
        return None
    return [(number, line) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def _csv_values(table: Path, mistakes: list[str]) -> Rows | None:
    """Return line and path of each row of a CSV (comma, semicolon or tab); None if it cannot be read."""
    text = _text(table, "CSV", mistakes)
    if text is None:
        return None
    delimiter = max(",;\t", key=text.partition("\n")[0].count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        column = _path_column(table, header, mistakes)
        if column is None:
            return None
        return [row for row in (_path(table, header, column, rows.line_num, cells, mistakes) for cells in rows) if row]
    except csv.Error as error:
        mistakes.append(f"{table}:{rows.line_num}: cannot be read as CSV: {error}")
        return None


def _path_column(table: Path, header: Sequence[str], mistakes: list[str]) -> int | None:
    """Return the index of the column ``path``; None if there is none, or two."""
    if header.count("path") == 1:
        return header.index("path")
    if "path" in header:
        mistakes.append(f"{table}: has {header.count('path')} columns path; keep one")
    else:
        mistakes.append(f"{table}: has no column path; it has {', '.join(header) or 'none'}")
    return None


def _path(
    table: Path, header: Sequence[str], column: int, line: int, cells: Sequence[str], mistakes: list[str]
) -> tuple[int, str] | None:
    """Return line and path of a row; None for a line without text and for a row of another length, a mistake."""
    if not cells:
        return None
    if (len(cells) != len(header) and any(cells[len(header) :])) or len(cells) <= column:
        mistakes.append(f"{table}:{line}: {len(cells)} values, the header has {len(header)}; quote values with commas")
        return None
    return line, cells[column]


def _parquet_values(table: Path, mistakes: list[str]) -> Rows | None:
    """Return number and path of each row of a Parquet file; None if it cannot be read."""
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(table) as opened:
            names = opened.schema_arrow.names
            if "path" not in names:
                mistakes.append(f"{table}: has no column path; it has {', '.join(names) or 'none'}")
                return None
            values = opened.read(columns=["path"]).column("path").to_pylist()
    except (OSError, pyarrow.ArrowException) as error:
        detail = (isinstance(error, OSError) and error.strerror) or error
        mistakes.append(f"{table}: cannot be read as Parquet: {detail}")
        return None
    if wrong := next((value for value in values if not isinstance(value, str | None)), None):
        mistakes.append(f"{table}: its column path contains {type(wrong).__name__}, not text")
        return None
    return [(number, value or "") for number, value in enumerate(values, start=1)]
