"""Parquet results. Parquet cannot be appended to: records wait in a journal beside it, which becomes the file at last.

From a million records on, ``results.parquet`` is a folder of files of at least so many, ``part-00001.parquet`` and so
on, which pandas, Polars and pyarrow read like a file, and DuckDB as ``'results.parquet/*.parquet'``. The journal,
``results.parquet.journal.jsonl``, holds the records of one part at a time and names it in its first line, except for
part 1. Where the part that it names is there, it became that part just before the process died, and holds nothing new.
"""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

from leafid.errors import OutputError
from leafid.identify.outputs.line_files import RecordWriter, complete_records, records_in
from leafid.identify.outputs.line_formats import JSONL, read_parquet, rows_of_parquet, write_parquet
from leafid.identify.records import Record

ROWS_PER_FILE = 1_000_000
"""From so many records on, a file of Parquet is followed by another."""

_COPIED_AT_ONCE = 1000


def journal_of(path: Path) -> Path:
    """Return where the records of a Parquet result wait."""
    return path.with_name(f"{path.name}.journal.jsonl")


def parts_of(path: Path) -> list[Path]:
    """Return the files of a result that is a folder, in order; none for all others."""
    return sorted(path.glob("part-[0-9]*.parquet")) if path.is_dir() else []


def is_foreign_folder(path: Path) -> bool:
    """Whether a folder lies here that is no result of leafid."""
    return path.is_dir() and not parts_of(path) and not journal_of(path).exists()


def parquet_records(path: Path) -> Iterator[Record]:
    """Yield the records of a Parquet result, also of one whose run was interrupted, in the order they were written.

    Raises:
        OSError: there is no such file, or it cannot be read.
        ValueError, KeyError or TypeError: it is no result of leafid.
    """
    parts = parts_of(path)
    for part in parts:
        yield from read_parquet(part)
    start, rows = _waiting(path, len(parts))
    if path.is_file() and rows < rows_of_parquet(path):
        yield from read_parquet(path)
    elif start is not None:
        yield from records_in(journal_of(path), JSONL, start=start)
    elif not parts:
        yield from read_parquet(path)


def _waiting(path: Path, parts: int) -> tuple[int | None, int]:
    """Where the records that wait in the journal begin, None without a journal, and how many they are."""
    journal = journal_of(path)
    if not journal.exists() or not os.path.getsize(journal):
        return None, 0
    with journal.open("rb") as opened:
        first = opened.readline(200)
    header = re.fullmatch(rb'\{"part": (\d+)\}\n', first)
    if (int(header[1]) if header else 1) <= parts or (header is None and first.startswith(b'{"part": ')):
        return os.path.getsize(journal), 0
    start = len(first) if header else 0
    return start, complete_records(journal, JSONL, start=start)[0]


class ParquetWriter(RecordWriter):
    """An open journal of a Parquet result, which becomes one file, or a folder of them."""

    def __init__(self, opened: IO[bytes], path: Path, rows_per_file: int) -> None:
        super().__init__(opened, JSONL)
        self._path = path
        self._rows_per_file = rows_per_file
        self._rows = 0

    def begin(self) -> None:
        """Name the part that the journal is of, if it is not there."""
        number = len(parts_of(self._path)) + 1
        if number > 1 and not os.path.getsize(self._opened.name):
            self._append(b'{"part": %d}\n' % number)

    def resume(self) -> None:
        """Bring journal and files together: what became a part leaves the journal, a finished file returns to it."""
        self._remove_torn()
        start, self._rows = _waiting(self._path, len(parts_of(self._path)))
        end = (
            complete_records(Path(self._opened.name), JSONL, start=start)[1] if self._rows and start is not None else 0
        )
        self._opened.truncate(end)
        if self._path.is_file():
            rest = islice(read_parquet(self._path), self._rows, None)
            while some := list(islice(rest, _COPIED_AT_ONCE)):
                super().write(some)
                self._rows += len(some)

    def replace(self) -> None:
        """Remove all files and empty the journal."""
        self._remove_torn()
        if self._path.is_dir():
            for part in reversed(parts_of(self._path)):
                part.unlink()
            try:
                self._path.rmdir()
            except OSError:
                raise OutputError(f"{self._path} holds files that are not of leafid. Name another output.") from None
        else:
            self._path.unlink(missing_ok=True)
        self._opened.truncate(0)

    def write(self, records: Sequence[Record]) -> None:
        """Append records; when this returns they survive the death of the process.

        Raises:
            OutputError: the disk is full or gone.
        """
        super().write(records)
        self._rows += len(records)
        if self._rows >= self._rows_per_file:
            self._finish_part()

    def finish(self) -> None:
        """Turn the journal into the file, or into the last part."""
        if not self._path.is_dir():
            write_parquet(parquet_records(self._path), self._path)
        elif self._rows:
            self._finish_part()

    def _finish_part(self) -> None:
        if self._path.is_file():
            self._path.unlink()  # all its records are in the journal
        self._path.mkdir(exist_ok=True)
        parts = len(parts_of(self._path))
        start, _ = _waiting(self._path, parts)
        part = self._path / f"part-{parts + 1:05}.parquet"
        write_parquet(records_in(Path(self._opened.name), JSONL, start=start or 0), part)
        self._opened.truncate(0)
        self._opened.seek(0)
        self._rows = 0
        self.begin()

    def _remove_torn(self) -> None:
        """Remove files that a killed process had not finished; none other is at work while this one holds the lock."""
        for torn in self._path.parent.glob(f".{glob_escaped(self._path.name)}.*.partial"):
            torn.unlink()
        for torn in self._path.glob(".part-*.partial"):
            torn.unlink()


def glob_escaped(name: str) -> str:
    """Return a name as a pattern that only it matches."""
    return re.sub(r"([*?[])", r"[\1]", name)
