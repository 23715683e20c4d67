"""Formats of records: CSV, JSONL and Parquet. Each can be written and read back."""

import codecs
import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, get_args, get_type_hints

from leafid.files import written_atomically
from leafid.identify.record_reading import record_from_dict
from leafid.identify.records import COLUMNS, Candidate, Record, Status, record_to_dict
from leafid.tables import csv_row, escape_formula, path_cell, unescape_formula

if TYPE_CHECKING:
    import pyarrow

_MAX_HEADER = 50_000_000  # bytes; some tables of collections have 100,000 columns
_GIVEN = "From the table that named the image."

ROW_GROUP = 10_000
"""Number of records in a Parquet row group, which is held in memory."""


@dataclass(frozen=True)
class LineFormat:
    """A text format that stores records one after the other.

    Attributes:
        header: bytes before the first record.
        start: bytes with which every file of this format begins, header included.
        line: returns the bytes of a record, including the line end.
        record: parses such bytes; raises ValueError, KeyError or TypeError if they are damaged.
        quoted: whether a quoted value may contain line ends, so that a record may span several lines.
        given: names of the given columns in the header, if the format has one.
    """

    header: bytes
    start: bytes
    line: Callable[[Record], bytes]
    record: Callable[[bytes], Record]
    quoted: bool
    given: tuple[str, ...] = ()

    def complete_records(self, opened: BinaryIO) -> Iterator[tuple[bytes, int]]:
        """Yield the bytes of each complete record and the offset of its end; skip a truncated last record."""
        offset, pending, inside_quotes = opened.tell(), list[bytes](), False
        for line in opened:
            pending.append(line)
            inside_quotes ^= self.quoted and line.count(b'"') % 2 == 1
            if line.endswith(b"\n") and not inside_quotes:
                record = b"".join(pending)
                offset += len(record)
                yield record, offset
                pending.clear()


# --- CSV -------------------------------------------------------------------------------------------------------------


def candidates_text(candidates: Iterable[Candidate]) -> str:
    """Return candidates as text, such as ``Rosa gallica 0.9100; Rosa arvensis 0.0500``."""
    return "; ".join(f"{candidate.scientific_name} {candidate.probability:.4f}" for candidate in candidates)


def parse_candidates(text: str) -> tuple[Candidate, ...]:
    """Parse text from ``candidates_text``.

    Raises:
        ValueError: the text does not have this form.
    """
    found = re.findall(r"(.+?) (\d\.\d{4})(?:; |$)", text, flags=re.DOTALL)
    candidates = tuple(Candidate(name, float(probability)) for name, probability in found)
    if candidates_text(candidates) != text:
        raise ValueError(f"{text!r} is not a list of candidates")
    return candidates


def _csv_line(record: Record) -> bytes:
    values = record_to_dict(record)
    for column in COLUMNS:
        if column.element_type is Candidate:
            values[column.name] = candidates_text(getattr(record, column.name))
        elif column.element_type is not None:
            values[column.name] = json.dumps(values[column.name], ensure_ascii=False) if values[column.name] else None
    cells = [
        "" if value is None else value if isinstance(value, float) else escape_formula(value)
        for value in values.values()
    ]
    cells[0] = path_cell(values["path"])
    return _csv_row(cells)


def _csv_row(cells: Sequence[str | float]) -> bytes:
    return csv_row(cells).encode("utf-8")


def _csv_record(line: bytes, given: Sequence[str] = ()) -> Record:
    rows = list(csv.reader(io.StringIO(line.decode("utf-8"), newline=""), strict=True))
    if len(rows) != 1 or len(rows[0]) != len(COLUMNS) + len(given):
        raise ValueError(f"not {len(COLUMNS) + len(given)} values")
    values: dict[str, Any] = {}
    for column, cell in zip(COLUMNS, rows[0], strict=False):
        text = cell if column.name == "path" else cell.removeprefix("'")
        if column.element_type is Candidate:
            values[column.name] = parse_candidates(text)
        elif column.element_type is not None:
            values[column.name] = tuple(column.element_type(**element) for element in json.loads(text or "[]"))
        elif column.value_type is float:
            values[column.name] = float(text) if text else None
        else:
            values[column.name] = None if column.optional and not text else text
    values["status"] = Status(values["status"])
    further = (cell.removeprefix("'") or None for cell in rows[0][len(COLUMNS) :])
    return Record(**values, given=tuple(zip(given, further, strict=True)))


_NAMES = [column.name for column in COLUMNS]


def csv_format(given: Sequence[str] = (), *, byte_order_mark: bool = False) -> LineFormat:
    """Return the format of a CSV file.

    Args:
        given: names of the given columns of its records, which follow those of a record.
        byte_order_mark: whether it begins with one, by which Excel recognises UTF-8.
    """
    header = (codecs.BOM_UTF8 if byte_order_mark else b"") + _csv_row([*_NAMES, *map(escape_formula, given)])
    return LineFormat(header, header, _csv_line, partial(_csv_record, given=given), quoted=True, given=tuple(given))


def csv_format_of(file: Path) -> LineFormat:
    """Return the format of an existing CSV file, by its header.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as opened:
        start = opened.readline(_MAX_HEADER)
    marked = codecs.BOM_UTF8.startswith(start[:3]) and start != b""  # also where only a part of the mark was written
    usual = csv_format(byte_order_mark=marked)
    if not start.endswith(b"\n"):  # stopped while the header was written, perhaps among the given columns
        return replace(usual, start=start + b"\n") if start.startswith(usual.start[:-1] + b",") else usual
    try:
        header = next(csv.reader([start.decode("utf-8-sig", "replace")]), [])
    except csv.Error:
        return usual
    if header[: len(_NAMES)] != _NAMES:
        return usual
    given = [unescape_formula(name) for name in header[len(_NAMES) :]]
    return csv_format(given, byte_order_mark=start.startswith(codecs.BOM_UTF8))


# --- JSONL -----------------------------------------------------------------------------------------------------------


def _json_line(record: Record) -> bytes:
    return json.dumps(record_to_dict(record), ensure_ascii=False).encode("utf-8") + b"\n"


def _json_record(line: bytes) -> Record:
    return record_from_dict(json.loads(line))


JSONL = LineFormat(b"", f'{{"{COLUMNS[0].name}": '.encode(), _json_line, _json_record, quoted=False)


# --- Parquet ---------------------------------------------------------------------------------------------------------


def write_parquet(records: Iterable[Record], path: Path) -> None:
    """Write records to a Parquet file atomically, a row group at a time.

    Raises:
        OutputError: the file cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    records = iter(records)
    first_record = next(records, None)
    schema = _arrow_schema([name for name, _ in first_record.given] if first_record else ())
    rows = map(record_to_dict, chain([first_record] if first_record else (), records))
    with written_atomically(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for first in rows:
            group = list(islice(chain([first], rows), ROW_GROUP))
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))


def read_parquet(path: Path) -> Iterator[Record]:
    """Yield the records of a Parquet file, a row group at a time.

    Raises:
        ValueError, KeyError or TypeError: the file is not a result of leafid.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as opened:
        for batch in opened.iter_batches(ROW_GROUP):
            yield from map(record_from_dict, batch.to_pylist())


def count_parquet_rows(path: Path) -> int:
    """Return the number of records of a Parquet file.

    Raises:
        ValueError: the file is not Parquet.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as opened:
        return int(opened.metadata.num_rows)


def _arrow_schema(given: Iterable[str]) -> "pyarrow.Schema":
    import pyarrow

    kinds: dict[type | None, pyarrow.DataType] = {
        str: pyarrow.string(),
        Status: pyarrow.string(),
        float: pyarrow.float64(),
    }
    for element in {column.element_type for column in COLUMNS} - {None}:
        hints = get_type_hints(element)
        kinds[element] = pyarrow.list_(
            pyarrow.struct(
                [
                    pyarrow.field(name, kinds[next(iter(get_args(hint)), hint)], nullable=bool(get_args(hint)))
                    for name, hint in hints.items()
                ]
            )
        )
    return pyarrow.schema(
        [
            pyarrow.field(
                column.name,
                kinds[column.element_type or column.value_type],
                column.optional,
                {"description": column.description},
            )
            for column in COLUMNS
        ]
        + [pyarrow.field(name, pyarrow.string(), metadata={"description": _GIVEN}) for name in given]
    )
