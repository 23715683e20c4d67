"""Appends records to text files line by line, and reads them back up to the last complete record."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from leafid.errors import OutputError
from leafid.files import check_in_place
from leafid.identify.outputs.line_formats import LineFormat
from leafid.identify.record_reading import RenamedColumnError, check_renamed_columns
from leafid.identify.records import Record


class RecordWriter:
    """Appends records to an open result file."""

    def __init__(self, opened: IO[bytes], lines: LineFormat) -> None:
        self._opened = opened
        self._lines = lines

    def begin(self) -> None:
        """Write the header if the file is empty."""
        if not os.path.getsize(self._opened.name):
            self._append(self._lines.header)

    def resume(self) -> None:
        """Truncate the file after the last complete record."""
        _, end = count_complete_records(Path(self._opened.name), self._lines)
        self._opened.truncate(end)

    def replace(self) -> None:
        """Empty the file."""
        self._opened.truncate(0)

    def write(self, records: Sequence[Record]) -> None:
        """Append records; once this returns, they survive a crash of the process.

        Raises:
            OutputError: the file cannot be written, for example because the disk is full.
        """
        self._append(b"".join(map(self._lines.line, records)))

    def finish(self) -> None:
        """Finish the result after the last record."""

    def close(self) -> None:
        """Flush the file to the disk and close it."""
        with self._opened, suppress(OSError):  # a pipe cannot be flushed
            os.fsync(self._opened.fileno())

    def _append(self, content: bytes) -> None:
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._opened.fileno(), rest) :]
        except OSError as error:
            raise OutputError(
                f"{self._opened.name} cannot be written: {error.strerror}. "
                "Finished records are kept; continue with --resume."
            ) from None
        check_in_place(self._opened, Path(self._opened.name))


def read_complete_records(file: Path, lines: LineFormat, *, start: int = 0) -> Iterator[Record]:
    """Yield each complete record of a file, from byte offset ``start``.

    Raises:
        RenamedColumnError: the file has columns of an earlier version.
        ValueError: the file is not a result.
    """
    for number, (content, _) in enumerate(_complete_lines(file, lines, start), start=1):
        try:
            yield lines.record(content)
        except RenamedColumnError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"record {number} is damaged ({type(error).__name__}: {error})") from None


def count_complete_records(file: Path, lines: LineFormat, *, start: int = 0) -> tuple[int, int]:
    """Return the number of complete records and the byte offset of the end of the last (0 without any).

    Raises:
        ValueError: the file is not a result.
    """
    number = end = 0
    for number, (_, end) in enumerate(_complete_lines(file, lines, start), start=1):  # noqa: B007 -- used after the loop
        pass
    return number, end


def _complete_lines(file: Path, lines: LineFormat, start: int) -> Iterator[tuple[bytes, int]]:
    with file.open("rb") as opened:
        opened.seek(start)
        begin = opened.read(len(lines.start))
        if begin != lines.start:
            if not lines.start.startswith(begin):
                header, _, _ = (begin + opened.readline(1000)).decode("utf-8", "replace").partition("\n")
                check_renamed_columns(header.split(","))
                raise ValueError(f"it does not begin with {lines.start.decode().strip()}")
            return
        opened.seek(start + len(lines.header))
        yield from lines.complete_records(opened)
