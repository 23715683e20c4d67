"""Read tables of any spreadsheet or program, and write tables that every one of them reads as they are.

Reading: comma, semicolon or tab; UTF-8 or UTF-16, with or without byte order mark; any line end; quoted cells with line
ends; and a quote that is never closed costs one row. Writing: RFC 4180 with line feeds; cells that a spreadsheet would
run as a formula (CSV injection) begin with an apostrophe, which ``read_frame`` removes.
"""

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.files import written_atomically
from leafid.quoted_records import quoted_records

if TYPE_CHECKING:
    import pandas as pd

MISSING_WORDS = frozenset({"NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None", "\\N"})
"""What R, spreadsheets, pandas and databases write for a missing value."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A spreadsheet evaluates a cell that begins with one of these."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")


class TableError(Exception):
    """A file cannot be read as a table; the message names the file, the reason and the fix."""


@dataclass(frozen=True)
class Table:
    """A table: unique column names, and rows with their line numbers.

    ``rows`` have as many fields as the header. ``wrong`` are the other rows: the line and the reason.
    """

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    wrong: tuple[tuple[int, str], ...]


def read_table(path: Path) -> Table:
    """Read a CSV or TSV file.

    Raises:
        TableError: it cannot be opened, is no text, is empty, or has columns of the same name.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}.") from None
    return parse_table(decoded(content, str(path)), str(path))


def decoded(content: bytes, name: str, errors: str = "strict") -> str:
    """Decode a table: UTF-8 or UTF-16, with or without byte order mark.

    Raises:
        TableError: it is neither.
    """
    encoding = encoding_of(content) or "utf-8-sig"
    try:
        return content.decode(encoding, errors)
    except UnicodeDecodeError as error:
        raise TableError(f"{name} is not UTF-8 text (byte {error.start + 1}). Save it as 'CSV UTF-8'.") from None


def encoding_of(start: bytes) -> str | None:
    """Return the encoding that the first bytes of a text show, or None."""
    if start.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    sample = start[:400]
    if len(sample) >= 8 and sample[1::2].count(0) > len(sample) // 4:  # Latin letters have a zero as every second byte
        return "utf-16-le"
    return "utf-16-be" if len(sample) >= 8 and sample[0::2].count(0) > len(sample) // 4 else None


def parse_table(text: str, name: str) -> Table:
    """Parse the text of a table; ``name`` is for messages.

    Raises:
        TableError: as ``read_table``.
    """
    first, _, rest = text.partition("\n")
    stated = re.fullmatch(r"sep=(.)\r?", first)  # the line by which Excel states the delimiter
    skipped = 1 if stated else 0
    text = rest if stated else text
    newline = "\n" if "\n" in text else "\r"
    lines = io.StringIO(text, newline=newline)
    header_line = next((line for line in io.StringIO(text, newline=newline) if line.strip()), "")
    unquoted = re.sub(r'"[^"]*"', "", header_line)
    delimiter = stated[1] if stated else max(",;\t", key=unquoted.count)
    records = ((line + skipped, fields) for line, fields in quoted_records(lines, delimiter, '"'))
    filled = ((line, fields) for line, fields in records if isinstance(fields, str) or any(map(str.strip, fields)))
    header_row = next(filled, None)
    if header_row is None:
        raise TableError(f"{name} is empty. It needs a header line with the names of its columns.")
    line, fields = header_row
    if isinstance(fields, str):
        raise TableError(f"{name}:{line}: the header cannot be read: {fields}.")
    header = [field.strip() for field in fields]
    while header and not header[-1]:
        header.pop()
    repeated = sorted(column for column, number in Counter(header).items() if number > 1)
    if repeated:
        raise TableError(f"{name} has columns of the same name: {', '.join(map(repr, repeated))}. Rename one of them.")
    return _with_rows(name, header, filled)


def _with_rows(name: str, header: Sequence[str], records: Iterable[tuple[int, list[str] | str]]) -> Table:
    """Separate the rows that have as many values as the header from the others."""
    width = len(header)
    rows: list[tuple[int, tuple[str, ...]]] = []
    wrong: list[tuple[int, str]] = []
    for line, fields in records:
        if isinstance(fields, str):
            wrong.append((line, fields))
            continue
        while len(fields) > width and not fields[-1].strip():
            fields.pop()
        if len(fields) == width:
            rows.append((line, tuple(fields)))
        else:
            values = "1 value" if len(fields) == 1 else f"{len(fields)} values"
            wrong.append((line, f"{values}, the header has {width}"))
    return Table(name, tuple(header), tuple(rows), tuple(wrong))


# --- Writing ---------------------------------------------------------------------------------------------------------


def escape_formula(value: str) -> str:
    """Put an apostrophe before a value that a spreadsheet would evaluate, or that begins with an apostrophe.

    A plain number such as ``-60.1`` is evaluated to itself, and kept.
    """
    if value.startswith("'"):
        return f"'{value}"
    return f"'{value}" if value.startswith(FORMULA_STARTS) and not _NUMBER.fullmatch(value) else value


def unescape_formula(text: str) -> str:
    """Undo ``escape_formula``."""
    return text[1:] if text.startswith("'") and text[1:].startswith((*FORMULA_STARTS, "'")) else text


def path_cell(path: str) -> str:
    """Return a path that no spreadsheet evaluates: ``=1.jpg`` becomes ``./=1.jpg``, the same file."""
    return f"./{path}" if path.startswith(FORMULA_STARTS) else path


def csv_row(cells: Iterable[str | float]) -> str:
    """Return a row as written, with its line end; cells are not escaped here."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # csv quotes only the characters of its line end
    return text.getvalue().removesuffix("\r\n") + "\n"


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a table atomically; create its folder. Missing values (None, NaN) are empty cells.

    Bytes of file names that are not UTF-8 are written as they are; floats have six significant digits.

    Raises:
        OutputError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        written_atomically(path) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as opened,
    ):
        opened.write(csv_row(map(escape_formula, columns)))
        opened.writelines(csv_row(map(_cell, row)) for row in rows)


def write_frame(frame: "pd.DataFrame", path: Path) -> None:
    """Write a data frame as ``write_table`` does."""
    present = frame.astype(object).where(frame.notna(), None)  # pandas has several missing values
    write_table(path, [str(column) for column in frame.columns], present.itertuples(index=False, name=None))


def read_frame(path: Path) -> "pd.DataFrame":
    """Read a table that leafid wrote, or that someone edited since: all values as text, empty cells missing.

    Raises:
        TableError: as ``read_table``, or rows have more or fewer values than the header; all are listed.
    """
    import pandas as pd

    try:
        content = path.read_bytes()
    except OSError as error:
        raise TableError(f"{path} cannot be read: {error.strerror or error}.") from None
    table = parse_table(decoded(content, str(path), "surrogateescape"), str(path))
    if table.wrong:
        lines = [f"  {path.name}:{line}: {reason}" for line, reason in table.wrong[:10]]
        more = [f"  ... and {len(table.wrong) - 10} more"] if len(table.wrong) > 10 else []
        raise TableError("\n".join([f"{path} has rows that do not fit its header:", *lines, *more]))
    columns = zip(*(fields for _, fields in table.rows), strict=True) if table.rows else ([] for _ in table.header)
    values = {
        unescape_formula(name): pd.Series([unescape_formula(text) or None for text in column], dtype="str")
        for name, column in zip(table.header, columns, strict=True)
    }
    return pd.DataFrame(values, columns=[unescape_formula(name) for name in table.header])


def _cell(value: object) -> str:
    """Return a value as text; ``value != value`` is true of NaN."""
    if value is None or value != value:
        return ""
    if isinstance(value, float):
        return f"{value:.6g}"
    return escape_formula(str(value))
