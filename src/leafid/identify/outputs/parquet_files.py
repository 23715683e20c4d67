"""Parquet results. Parquet cannot be appended to, so records are collected in a journal and converted at the end.

From a million records, ``results.parquet`` is a folder of part files, ``part-00001.parquet`` and so on, which pandas,
Polars and pyarrow read like a file, and DuckDB as ``'results.parquet/*.parquet'``. The journal,
``results.parquet.journal.jsonl``, contains the records of one part and names the part in its first line, except for
part 1. If the named part exists already, the process died just after the conversion and the journal is obsolete.
"""

import glob
import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

from leafid.errors import OutputError
from leafid.identify.outputs.line_files import RecordWriter, count_complete_records, read_complete_records
from leafid.identify.outputs.line_formats import JSONL, count_parquet_rows, read_parquet, write_parquet
from leafid.identify.records import Record

ROWS_PER_FILE = 1_000_000
"""Number of records from which a Parquet result is split into part files."""

_COPY_BATCH = 1000


def journal_path(path: Path) -> Path:
    """Return the journal of a Parquet result."""
    return path.with_name(f"{path.name}.journal.jsonl")


def part_files(path: Path) -> list[Path]:
    """Return the part files of a result that is a folder, in order; an empty list for a file."""
    return sorted(path.glob("part-[0-9]*.parquet")) if path.is_dir() else []


def is_foreign_folder(path: Path) -> bool:
    """Return whether ``path`` is a folder without a result of leafid."""
    return path.is_dir() and not part_files(path) and not journal_path(path).exists()


def parquet_records(path: Path) -> Iterator[Record]:
    """Yield the records of a Parquet result, finished or interrupted, in the order of writing.

    Raises:
        OSError: the file does not exist or cannot be read.
        ValueError, KeyError or TypeError: the file is not a result of leafid.
    """
    parts = part_files(path)
    for part in parts:
        yield from read_parquet(part)
    start, rows = _pending(path, len(parts))
    if path.is_file() and rows < count_parquet_rows(path):
        yield from read_parquet(path)
    elif start is not None:
        yield from read_complete_records(journal_path(path), JSONL, start=start)
    elif not parts:
        yield from read_parquet(path)


def _pending(path: Path, parts: int) -> tuple[int | None, int]:
    """Return the offset of the first record in the journal (None without a journal) and the number of records."""
    journal = journal_path(path)
    if not journal.exists() or not os.path.getsize(journal):
        return None, 0
    with journal.open("rb") as opened:
        first = opened.readline(200)
    header = re.fullmatch(rb'\{"part": (\d+)\}\n', first)
    if (int(header[1]) if header else 1) <= parts or (header is None and first.startswith(b'{"part": ')):
        return os.path.getsize(journal), 0
    start = len(first) if header else 0
    return start, count_complete_records(journal, JSONL, start=start)[0]


class ParquetWriter(RecordWriter):
    """Appends records to the journal of a Parquet result, and converts it to one file or a folder of part files."""

    def __init__(self, opened: IO[bytes], path: Path, rows_per_file: int) -> None:
        super().__init__(opened, JSONL)
        self._path = path
        self._rows_per_file = rows_per_file
        self._rows = 0

    def begin(self) -> None:
        """Write the part number to an empty journal, except for part 1."""
        number = len(part_files(self._path)) + 1
        if number > 1 and not os.path.getsize(self._opened.name):
            self._append(b'{"part": %d}\n' % number)

    def resume(self) -> None:
        """Reconcile journal and files: drop records that a part file has, copy a finished file back to the journal."""
        self._remove_partial()
        start, self._rows = _pending(self._path, len(part_files(self._path)))
        end = (
            count_complete_records(Path(self._opened.name), JSONL, start=start)[1]
            if self._rows and start is not None
            else 0
        )
        self._opened.truncate(end)
        if self._path.is_file():
            rest = islice(read_parquet(self._path), self._rows, None)
            while batch := list(islice(rest, _COPY_BATCH)):
                super().write(batch)
                self._rows += len(batch)

    def replace(self) -> None:
        """Delete all part files and empty the journal."""
        self._remove_partial()
        if self._path.is_dir():
            for part in reversed(part_files(self._path)):
                part.unlink()
            try:
                self._path.rmdir()
            except OSError:
                raise OutputError(
                    f"{self._path} contains files that are not from leafid. Name another output."
                ) from None
        else:
            self._path.unlink(missing_ok=True)
        self._opened.truncate(0)

    def write(self, records: Sequence[Record]) -> None:
        """Append records; once this returns, they survive a crash of the process.

        Raises:
            OutputError: the file cannot be written, for example because the disk is full.
        """
        super().write(records)
        self._rows += len(records)
        if self._rows >= self._rows_per_file:
            self._finish_part()

    def finish(self) -> None:
        """Convert the journal to the file, or to the last part file."""
        if not self._path.is_dir():
            write_parquet(parquet_records(self._path), self._path)
        elif self._rows:
            self._finish_part()

    def _finish_part(self) -> None:
        if self._path.is_file():
            self._path.unlink()  # the journal contains all its records
        self._path.mkdir(exist_ok=True)
        parts = len(part_files(self._path))
        start, _ = _pending(self._path, parts)
        part = self._path / f"part-{parts + 1:05}.parquet"
        write_parquet(read_complete_records(Path(self._opened.name), JSONL, start=start or 0), part)
        self._opened.truncate(0)
        self._opened.seek(0)
        self._rows = 0
        self.begin()

    def _remove_partial(self) -> None:
        """Delete unfinished files of a killed process; the lock excludes other running processes."""
        for partial in self._path.parent.glob(f".{glob.escape(self._path.name)}.*.partial"):
            partial.unlink()
        for partial in self._path.glob(".part-*.partial"):
            partial.unlink()
