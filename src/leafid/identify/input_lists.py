"""Reads lists of images: tables with a column ``path``, and standard input."""

import csv
import os
import sys
from pathlib import Path

from leafid.sources import is_web_address

STANDARD_INPUT = "-"
TABLE_ENDINGS = (".csv", ".parquet")


def read_input_list(table: Path, mistakes: list[str]) -> list[str | Path]:
    """Read the column ``path`` of a table, relative to the table; web addresses stay text. Append to ``mistakes``."""
    values = (_parquet_values if table.suffix.lower() == ".parquet" else _csv_values)(table, mistakes)
    if values is None:
        return []
    if not values:
        mistakes.append(f"{table}: has a header but no rows")
    mistakes += [f"{table}:{line}: path is empty" for line, value in values if not value.strip()]
    return [value if is_web_address(value) else table.parent / value for _, value in values if value.strip()]


def read_standard_input(mistakes: list[str]) -> list[str | Path]:
    """Read paths, one on each line, or separated by NUL as ``find -print0`` writes them."""
    content = sys.stdin.buffer.read()
    lines = content.split(b"\0") if b"\0" in content else content.splitlines()
    if lines and not lines[-1]:
        lines.pop()  # empty part after the last NUL
    if not lines:
        mistakes.append("standard input: contains no path")
    mistakes += [f"standard input, line {number}: is empty" for number, line in enumerate(lines, 1) if not line.strip()]
    names = [os.fsdecode(line) for line in lines if line.strip()]
    return [name if is_web_address(name) else Path(name) for name in names]


def _csv_values(table: Path, mistakes: list[str]) -> list[tuple[int, str]] | None:
    """Return line and path of each row of a CSV (comma, semicolon or tab); None if it cannot be read."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as opened:
            header = opened.readline()
            opened.seek(0)
            delimiter = max(",;\t", key=header.count)
            rows = csv.DictReader(opened, delimiter=delimiter, strict=True)
            if "path" not in (rows.fieldnames or ()):
                mistakes.append(f"{table}: has no column path; it has {', '.join(rows.fieldnames or ()) or 'none'}")
                return None
            return [(rows.line_num, row["path"] or "") for row in rows]
    except UnicodeDecodeError as error:
        mistakes.append(f"{table}: not UTF-8 text (byte {error.start}); save it as CSV UTF-8")
    except (OSError, csv.Error) as error:
        detail = error.strerror if isinstance(error, OSError) else error
        mistakes.append(f"{table}: cannot be read as CSV: {detail}")
    return None


def _parquet_values(table: Path, mistakes: list[str]) -> list[tuple[int, str]] | None:
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
