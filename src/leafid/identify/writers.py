"""Result files: records are written as they come, so that whatever stops the run, all finished records are kept.

CSV and JSONL are appended to, a batch at a time. Parquet cannot be: its records wait in a journal beside it
(``results.parquet.journal.jsonl``), which becomes the Parquet file when the run ends, and stays when it does not.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from leafid.errors import OutputError
from leafid.identify.formats import CSV, JSONL, LineFormat, csv_path, read_parquet, write_parquet
from leafid.identify.records import Record, written_path

Existing = Literal["refuse", "resume", "replace"]
"""What to do when the output is already there."""

ENDINGS = (".csv", ".jsonl", ".parquet")
"""Endings of result files, each with its format."""


class RecordWriter:
    """An open result file to which records are appended."""

    def __init__(self, opened: IO[bytes], lines: LineFormat) -> None:
        self._opened = opened
        self._lines = lines

    def write(self, records: Sequence[Record]) -> None:
        """Append records; when this returns they survive the death of the process.

        Raises:
            OutputError: the disk is full or gone.
        """
        content = memoryview(b"".join(map(self._lines.line, records)))
        try:
            while content:
                content = content[os.write(self._opened.fileno(), content) :]
        except OSError as error:
            raise OutputError(
                f"{self._opened.name} cannot be written: {error.strerror}. "
                "What was finished is kept; go on with --resume."
            ) from None


def check_output(path: Path, existing: Existing) -> None:
    """Check, before anything slow is done, that a result can be written to ``path``.

    Raises:
        OutputError: the ending is none of ``ENDINGS``, or a result is there and neither resumed nor replaced.
    """
    if path.suffix not in ENDINGS:
        raise OutputError(f"{path}: a result ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")
    if path.is_dir():
        raise OutputError(f"{path} is a folder. Name a file.")
    found = next((one for one in (path, _journal(path)) if one.exists()), None)
    if existing == "refuse" and found is not None:
        raise OutputError(f"{found} is already there. Add --resume to go on with it, or --force to replace it.")


@contextmanager
def open_output(
    path: Path, *, existing: Existing = "refuse", on_earlier: Callable[[Record], None] | None = None
) -> Iterator[RecordWriter]:
    """Open a result file for appending; folders above it are made.

    While the file is open, no second run can write to it. When resuming, a half-written last line, left by a run that
    was killed, is cut off, but nothing is touched before every record has been read and ``on_earlier`` has agreed.

    Args:
        path: the result file.
        existing: what to do when it is there.
        on_earlier: called with each record that is there already, when resuming.

    Raises:
        OutputError: see ``check_output``; or the file cannot be written, is no result of leafid, or is in use.
    """
    check_output(path, existing)
    file, lines = _line_file(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb" if existing == "refuse" else "ab", buffering=0) as opened:
            _lock(opened, path)
            writer = RecordWriter(opened, lines)
            if existing == "replace":
                if file != path:
                    path.unlink(missing_ok=True)
                opened.truncate(0)
            if existing == "resume":
                if file != path and path.exists() and not os.path.getsize(file):
                    writer.write(tuple(read_records(path)))
                opened.truncate(_replayed(path, on_earlier))
            if not os.path.getsize(file):
                opened.write(lines.header)
            yield writer
            os.fsync(opened.fileno())
        if file != path:
            write_parquet(read_records(path), path)
            file.unlink()
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from None


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a result file, also of one whose run was interrupted; a half-written last line is left out.

    Raises:
        OutputError: there is no such file, or it is no result of leafid.
    """
    file, lines = _line_file(path)
    try:
        if file != path and not (file.exists() and os.path.getsize(file)):
            yield from read_parquet(path)
        else:
            yield from (record for record, _ in _records_in(file, lines))
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path} is no result of this leafid: {error}. Name another file.") from None


def _replayed(path: Path, on_earlier: Callable[[Record], None] | None) -> int:
    """Tell of every record that is there; return the length of the file without a half-written last line."""
    file, lines = _line_file(path)
    end = 0
    try:
        for record, offset in _records_in(file, lines):
            end = offset
            if on_earlier:
                on_earlier(record)
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path} is no result of this leafid: {error}. Name another output.") from None
    return end


def _records_in(file: Path, lines: LineFormat) -> Iterator[tuple[Record, int]]:
    """Yield each complete record and the offset of its end.

    Raises:
        ValueError: the file holds something else.
    """
    with file.open("rb") as opened:
        start = opened.read(len(lines.start))
        if start != lines.start:
            if not lines.start.startswith(start):
                raise ValueError(f"it does not begin with {lines.start.decode().strip()}")
            return
        opened.seek(len(lines.header))
        for number, (content, end) in enumerate(lines.complete(opened), start=1):
            try:
                yield lines.record(content), end
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"record {number} is damaged ({type(error).__name__}: {error})") from None


def _lock(opened: IO[bytes], path: Path) -> None:
    """Hold the file until it is closed, or until the process dies."""
    try:
        import fcntl
    except ImportError:  # Windows
        return
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OutputError(f"{path} is being written by another leafid. Wait for it, or name another output.") from None


def path_in_output(path: str, output: Path) -> str:
    """Return the form that the path of an image has in a result file, by which a resumed run knows it again."""
    return csv_path(written_path(path)) if output.suffix == ".csv" else written_path(path)


def _journal(path: Path) -> Path:
    return path.with_name(f"{path.name}.journal.jsonl")


def _line_file(path: Path) -> tuple[Path, LineFormat]:
    """The file that is appended to, and its format."""
    match path.suffix:
        case ".csv":
            return path, CSV
        case ".jsonl":
            return path, JSONL
        case _:
            return _journal(path), JSONL
