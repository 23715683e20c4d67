"""Records as lines of CSV and JSONL, and as Parquet. Each line can be read back, whatever the file is called."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, get_args, get_type_hints

from leafid.files import written_atomically
from leafid.identify.records import COLUMNS, Candidate, CitedSpecimen, Record, Status, as_values, from_values

if TYPE_CHECKING:
    import pyarrow

ROW_GROUP = 10_000
"""Records that are held in memory at a time while Parquet is written."""


@dataclass(frozen=True)
class LineFormat:
    """A text format in which each record stands for itself.

    Attributes:
        header: bytes at the beginning of the file.
        start: bytes by which a file of this format is known, the header included.
        line: the bytes of a record, line end included.
        record: the record of such bytes; raises ValueError, KeyError or TypeError where they are damaged.
        quoted: whether a quoted value may hold line ends, so that a record may span several lines.
    """

    header: bytes
    start: bytes
    line: Callable[[Record], bytes]
    record: Callable[[bytes], Record]
    quoted: bool

    def complete(self, opened: BinaryIO) -> Iterator[tuple[bytes, int]]:
        """Yield the bytes of each complete record and the offset of its end; a half-written last one is not."""
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
    """Write candidates for the eye and for ``parse_candidates``: ``Rosa gallica 0.9100; Rosa arvensis 0.0500``."""
    return "; ".join(f"{one.scientific_name} {one.probability:.4f}" for one in candidates)


def parse_candidates(text: str) -> tuple[Candidate, ...]:
    """Read what ``candidates_text`` wrote.

    Raises:
        ValueError: the text is something else.
    """
    found = re.findall(r"(.+?) (\d\.\d{4})(?:; |$)", text, flags=re.DOTALL)
    candidates = tuple(Candidate(name, float(score)) for name, score in found)
    if candidates_text(candidates) != text:
        raise ValueError(f"{text!r} is no list of candidates")
    return candidates


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins like this is run by spreadsheets as a formula."""


def csv_path(path: str) -> str:
    """Return a written path so that no spreadsheet runs it: ``=1.jpg`` becomes ``./=1.jpg``, which is the same file."""
    return f"./{path}" if path.startswith(_FORMULA) else path


def guarded(value: str) -> str:
    """Put an apostrophe before what a spreadsheet would run, or what begins with one."""
    return f"'{value}" if value.startswith((*_FORMULA, "'")) else value


def _csv_line(record: Record) -> bytes:
    values = as_values(record)
    for column in COLUMNS:
        if column.element is Candidate:
            values[column.name] = candidates_text(getattr(record, column.name))
        elif column.element is not None:
            values[column.name] = json.dumps(values[column.name], ensure_ascii=False) if values[column.name] else None
    cells = [
        "" if value is None else value if isinstance(value, float) else guarded(value) for value in values.values()
    ]
    cells[0] = csv_path(values["path"])
    return _csv_row(cells)


def _csv_row(cells: Sequence[str | float]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(cells)  # only what stands in the line end is quoted inside a value
    return text.getvalue().removesuffix("\r\n").encode("utf-8") + b"\n"


def _csv_record(line: bytes) -> Record:
    rows = list(csv.reader(io.StringIO(line.decode("utf-8"), newline=""), strict=True))
    if len(rows) != 1 or len(rows[0]) != len(COLUMNS):
        raise ValueError(f"not {len(COLUMNS)} values")
    values: dict[str, Any] = {}
    for column, cell in zip(COLUMNS, rows[0], strict=True):
        text = cell if column.name == "path" else cell.removeprefix("'")
        if column.element is Candidate:
            values[column.name] = parse_candidates(text)
        elif column.element is not None:
            values[column.name] = tuple(column.element(**one) for one in json.loads(text or "[]"))
        elif column.kind is float:
            values[column.name] = float(text) if text else None
        else:
            values[column.name] = None if column.optional and not text else text
    values["status"] = Status(values["status"])
    return Record(**values)


_CSV_HEADER = _csv_row([column.name for column in COLUMNS])
CSV = LineFormat(_CSV_HEADER, _CSV_HEADER, _csv_line, _csv_record, quoted=True)


# --- JSONL -----------------------------------------------------------------------------------------------------------


def _json_line(record: Record) -> bytes:
    return json.dumps(as_values(record), ensure_ascii=False).encode("utf-8") + b"\n"


def _json_record(line: bytes) -> Record:
    return from_values(json.loads(line))


JSONL = LineFormat(b"", f'{{"{COLUMNS[0].name}": '.encode(), _json_line, _json_record, quoted=False)


# --- Parquet ---------------------------------------------------------------------------------------------------------


def write_parquet(records: Iterable[Record], path: Path) -> None:
    """Write records as Parquet, all or nothing, a row group at a time.

    Raises:
        OutputError: the file cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    schema = _arrow_schema()
    rows = (as_values(record) for record in records)
    with written_atomically(path) as temporary, parquet.ParquetWriter(temporary, schema) as writer:
        for first in rows:
            group = list(islice(chain([first], rows), ROW_GROUP))
            writer.write_table(pyarrow.Table.from_pylist(group, schema=schema))


def read_parquet(path: Path) -> Iterator[Record]:
    """Yield the records of a Parquet file, a row group at a time.

    Raises:
        ValueError, KeyError or TypeError: it is no result of leafid.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as opened:
        for batch in opened.iter_batches(ROW_GROUP):
            yield from map(from_values, batch.to_pylist())


def rows_of_parquet(path: Path) -> int:
    """Return the number of records of a Parquet file.

    Raises:
        ValueError: it is none.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as opened:
        return int(opened.metadata.num_rows)


def _arrow_schema() -> "pyarrow.Schema":
    import pyarrow

    kinds: dict[type, pyarrow.DataType] = {
        str: pyarrow.string(),
        Status: pyarrow.string(),
        float: pyarrow.float64(),
    }
    for element in (Candidate, CitedSpecimen):
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
                column.name, kinds[column.element or column.kind], column.optional, {"description": column.description}
            )
            for column in COLUMNS
        ]
    )
