"""Files of records that are appended to, line by line, and read back up to where a killed process left them."""

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from leafid.errors import OutputError
from leafid.identify.outputs.line_formats import LineFormat
from leafid.identify.records import Record


class RecordWriter:
    """An open result file to which records are appended."""

    def __init__(self, opened: IO[bytes], lines: LineFormat) -> None:
        self._opened = opened
        self._lines = lines

    def lock(self, path: Path) -> None:
        """Keep other runs out until the file is closed or the process dies; ``path`` is the result they are told of."""
        try:
            import fcntl
        except ImportError:  # Windows
            return
        try:
            fcntl.flock(self._opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(
                f"{path} is being written by another leafid. Wait for it, or name another output."
            ) from None

    def begin(self) -> None:
        """Write what stands before the first record, if it is not there."""
        if not os.path.getsize(self._opened.name):
            self._append(self._lines.header)

    def resume(self) -> None:
        """Cut off a half-written last line."""
        _, end = complete_records(Path(self._opened.name), self._lines)
        self._opened.truncate(end)

    def replace(self) -> None:
        """Cut off everything."""
        self._opened.truncate(0)

    def write(self, records: Sequence[Record]) -> None:
        """Append records; when this returns they survive the death of the process.

        Raises:
            OutputError: the disk is full or gone.
        """
        self._append(b"".join(map(self._lines.line, records)))

    def finish(self) -> None:
        """Do what is to be done once all records are written."""

    def close(self) -> None:
        """Close the file once its content is on the disk."""
        with self._opened, suppress(OSError):  # a pipe cannot be synchronised
            os.fsync(self._opened.fileno())

    def _append(self, content: bytes) -> None:
        rest = memoryview(content)
        try:
            while rest:
                rest = rest[os.write(self._opened.fileno(), rest) :]
        except OSError as error:
            raise OutputError(
                f"{self._opened.name} cannot be written: {error.strerror}. "
                "What was finished is kept; go on with --resume."
            ) from None


def records_in(file: Path, lines: LineFormat, *, start: int = 0) -> Iterator[Record]:
    """Yield each complete record of a file, from the byte ``start`` on.

    Raises:
        ValueError: the file holds something else.
    """
    for number, (content, _) in enumerate(_complete_lines(file, lines, start), start=1):
        try:
            yield lines.record(content)
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"record {number} is damaged ({type(error).__name__}: {error})") from None


def complete_records(file: Path, lines: LineFormat, *, start: int = 0) -> tuple[int, int]:
    """Return the number of complete records and the offset of the end of the last, or 0 without any.

    Raises:
        ValueError: the file holds something else.
    """
    number = end = 0
    for number, (_, end) in enumerate(_complete_lines(file, lines, start), start=1):  # noqa: B007 -- the last are wanted
        pass
    return number, end


def _complete_lines(file: Path, lines: LineFormat, start: int) -> Iterator[tuple[bytes, int]]:
    with file.open("rb") as opened:
        opened.seek(start)
        begin = opened.read(len(lines.start))
        if begin != lines.start:
            if not lines.start.startswith(begin):
                raise ValueError(f"it does not begin with {lines.start.decode().strip()}")
            return
        opened.seek(start + len(lines.header))
        yield from lines.complete(opened)
