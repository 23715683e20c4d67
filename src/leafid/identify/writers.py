"""Result files: records are written as they come, so that whatever stops the run, all finished records are kept.

CSV and JSONL are appended to, a batch at a time. Parquet cannot be: its records wait in a journal beside it
(``results.parquet.journal.jsonl``), which becomes the Parquet file when the run ends, and stays when it does not.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
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

    def cut(self, length: int) -> None:
        """Keep the first ``length`` bytes."""
        self._opened.truncate(length)

    def begin(self) -> None:
        """Write what stands before the first record."""
        self._append(self._lines.header)

    def write(self, records: Sequence[Record]) -> None:
        """Append records; when this returns they survive the death of the process.

        Raises:
            OutputError: the disk is full or gone.
        """
        self._append(b"".join(map(self._lines.line, records)))

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


def check_output(path: Path, existing: Existing) -> None:
    """Check, before anything slow is done, that a result can be written to ``path``.

    Raises:
        OutputError: the ending is none of ``ENDINGS``, or a result is there and neither resumed nor replaced.
    """
    file, _ = _line_file(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder. Name a file.")
    found = next((one for one in (path, file) if one.exists()), None)
    if existing == "refuse" and found is not None:
        raise OutputError(f"{found} is already there. Add --resume to go on with it, or --force to replace it.")


VIEW_ENDINGS = {"--darwin-core": ".csv", "--report": ".html"}
"""Options of `leafid identify` that name a view of the records, and how the file ends; a view is written anew."""


def check_view(option: str, path: Path, existing: Existing, *, output: Path | None) -> None:
    """Check, before anything slow is done, that a view of the records can be written to ``path``.

    Raises:
        OutputError: the ending is wrong, the folder is missing, it is the result itself, or it is there and neither
            resumed nor replaced.
    """
    ending = VIEW_ENDINGS[option]
    if path.suffix.lower() != ending:
        raise OutputError(f"{option} {path}: name a file that ends in {ending}.")
    if not path.parent.is_dir():
        raise OutputError(f"{option} {path}: there is no folder {path.parent}. Make it first.")
    if output is not None and path.absolute() == output.absolute():
        raise OutputError(f"{option} {path} is the result file too. Name another file.")
    if path.is_dir() or (existing == "refuse" and path.exists()):
        raise OutputError(f"{option} {path} is already there. Name another file, or add --resume or --force.")


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
    with closing(_opened(path, existing, on_earlier)) as writer:
        yield writer
    if path.suffix == ".parquet":
        write_parquet(read_records(path), path)
        _journal(path).unlink()


def _opened(path: Path, existing: Existing, on_earlier: Callable[[Record], None] | None) -> RecordWriter:
    """Open the file that is appended to, with its header and, when resuming, with its complete records."""
    file, lines = _line_file(path)
    is_new = not file.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        writer = RecordWriter(file.open("xb" if existing == "refuse" else "ab", buffering=0), lines)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from None
    try:
        writer.lock(path)
        if existing == "replace":
            if not is_new or path.exists():
                next(read_records(path), None)  # what is no result of leafid is not replaced
            if file != path:
                path.unlink(missing_ok=True)
            writer.cut(0)
        elif existing == "resume":
            if file != path and path.exists() and not os.path.getsize(file):
                for record in read_records(path):
                    writer.write([record])
            writer.cut(_replayed(path, on_earlier))
        if not os.path.getsize(file):
            writer.begin()
    except BaseException:
        writer.close()
        if is_new:
            file.unlink()
        raise
    return writer


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
        case ".parquet":
            return _journal(path), JSONL
        case _:
            raise OutputError(f"{path}: a result ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")
