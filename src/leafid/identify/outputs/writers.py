"""Opens and reads result files. Records are written as they come, so that an interrupted run keeps the finished ones.

Batches are appended to CSV and JSONL; see ``parquet_files`` for Parquet.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from io import FileIO
from pathlib import Path

from leafid.destinations import Destination, check_destinations, contains_only, has_header
from leafid.errors import OutputError
from leafid.files import Existing, lock_open_file
from leafid.identify.outputs.darwin_core import DWC_COLUMNS
from leafid.identify.outputs.dwc_archive import is_archive
from leafid.identify.outputs.line_files import RecordWriter, read_complete_records
from leafid.identify.outputs.line_formats import JSONL, LineFormat, csv_format, csv_format_of
from leafid.identify.outputs.parquet_files import (
    ROWS_PER_FILE,
    ParquetWriter,
    is_foreign_folder,
    journal_path,
    parquet_records,
)
from leafid.identify.record_reading import RenamedColumnError
from leafid.identify.records import Record, unicode_path
from leafid.installation import require_parquet
from leafid.tables import path_cell

EXTENSIONS = (".csv", ".jsonl", ".parquet")
"""File extensions of the result formats."""


def result_destinations(path: Path, option: str = "-o") -> tuple[Destination, ...]:
    """Return the destinations of a result: its file, and for Parquet the journal too.

    Raises:
        OutputError: the extension is not one of ``EXTENSIONS``.
        InstallationError: it is ``.parquet``, and pyarrow is not installed.
    """
    file = _line_file(path)
    if file != path:
        require_parquet()
    if path.is_dir() and path.suffix == ".parquet":
        parts = contains_only(r"part-\d+\.parquet", r"\.part-.*\.partial")
        result = Destination(option, path, lambda folder: parts(folder) and not is_foreign_folder(folder), "folder")
    else:
        result = Destination(option, path, _is_result)
    return (result,) if file == path else (result, Destination(option, file, lambda _: _is_result(path)))


def darwin_core_destination(path: Path) -> Destination:
    """Return the destination of Darwin Core: rows in a .csv file, or an archive in a .zip file.

    Raises:
        OutputError: the extension is another.
    """
    kinds = {".csv": has_header(DWC_COLUMNS, begins=True), ".zip": is_archive}
    if path.suffix.lower() not in kinds:
        raise OutputError(f"--darwin-core {path}: name a file that ends in .csv, or in .zip for an archive.")
    return Destination("--darwin-core", path, kinds[path.suffix.lower()], makes_folders=False)


def _is_result(path: Path) -> bool:
    """Whether a file or an interrupted run has records of leafid; see ``read_records`` for what is raised."""
    next(read_records(path), None)
    return True


@contextmanager
def open_output(
    path: Path,
    *,
    existing: Existing = "refuse",
    on_existing: Callable[[Record], None] | None = None,
    rows_per_file: int = ROWS_PER_FILE,
    given: Sequence[str] = (),
    byte_order_mark: bool = False,
    like: Path | None = None,
) -> Iterator[RecordWriter]:
    """Open a result file for appending, and create missing parent folders.

    The file is locked against other processes. On resume, a truncated last record is removed, but only after all
    records have been read and ``on_existing`` has raised no error.

    Args:
        path: the result file.
        existing: what to do with an existing result.
        on_existing: called with each existing record on resume.
        rows_per_file: number of records from which a Parquet result is split into part files.
        given: names of the given columns of new records.
        byte_order_mark: whether a new CSV file begins with one, by which Excel recognises UTF-8.
        like: an existing result of the same ending, whose columns and byte order mark a new one takes.

    Raises:
        OutputError: see ``check_destinations``; or the file cannot be written, is not a result of leafid, or is locked.
    """
    check_destinations(result_destinations(path), existing=existing)
    new = csv_format(given, byte_order_mark=byte_order_mark) if path.suffix == ".csv" else JSONL
    new = new if like is None else _existing_format(like)
    with closing(_open_writer(path, new, existing, on_existing, rows_per_file)) as writer:
        yield writer
        writer.finish()
    if path.suffix == ".parquet":
        journal_path(path).unlink()


def _open_writer(
    path: Path,
    new: LineFormat,
    existing: Existing,
    on_existing: Callable[[Record], None] | None,
    rows_per_file: int,
) -> RecordWriter:
    """Open the file for appending, write its header, and on resume read its complete records.

    A result that is resumed and has a header keeps it, with or without a byte order mark.
    """
    file = _line_file(path)
    opened, is_new = _open_locked(path, file, existing)
    if existing == "resume" and _stopped_in_header(file, new):
        existing = "replace"
    lines = _existing_format(file) if existing == "resume" else new
    writer = RecordWriter(opened, lines) if file == path else ParquetWriter(opened, path, rows_per_file)
    try:
        if existing == "replace":
            writer.replace()
        elif existing == "resume":
            if os.path.getsize(file) or (file != path and path.exists()):
                for record in read_records(path):
                    if on_existing:
                        on_existing(record)
            writer.resume()
        writer.begin()
    except BaseException:
        if is_new:
            file.unlink(missing_ok=True)  # before it is closed: the lock still keeps other processes out
        writer.close()
        raise
    return writer


def _open_locked(path: Path, file: Path, existing: Existing) -> tuple[FileIO, bool]:
    """Open the file of a result and lock it; return also whether it is new."""
    busy = f"{path} is being written by another leafid process. Wait for it, or name another output."
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            is_new = not file.exists()
            opened = file.open("xb" if existing == "refuse" else "ab", buffering=0)
            if lock_open_file(opened, file, busy):
                return opened, is_new
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from None


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a result file. After an interrupted run, a truncated last record is left out.

    Raises:
        OutputError: the file does not exist, is not a result of leafid, or has columns of an earlier version.
        InstallationError: it is Parquet, and pyarrow is not installed.
    """
    file = _line_file(path)
    if file != path:
        require_parquet()
    try:
        yield from read_complete_records(file, _existing_format(file)) if file == path else parquet_records(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}.") from None
    except RenamedColumnError as error:
        raise OutputError(
            f"{path} was written by an earlier leafid: {error}. Identify the images again into another file."
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path} is not a result of this leafid: {error}. Name another file.") from None


def path_in_output(path: str, output: Path) -> str:
    """Return the form of an image path in a result file, by which a resumed run recognises it."""
    return path_cell(unicode_path(path)) if output.suffix == ".csv" else unicode_path(path)


def _line_file(path: Path) -> Path:
    """Return the file to which records are appended."""
    match path.suffix:
        case ".csv" | ".jsonl":
            return path
        case ".parquet":
            return journal_path(path)
        case ".xlsx":
            raise OutputError(
                f"{path}: a spreadsheet is written at the end, beside the result. Name both: -o "
                f"{path.with_suffix('.csv')} --spreadsheet {path}"
            )
        case _:
            raise OutputError(
                f"{path}: name a result file that ends in {', '.join(EXTENSIONS[:-1])} or {EXTENSIONS[-1]}."
            )


def _stopped_in_header(file: Path, new: LineFormat) -> bool:
    """Whether a file is empty or ends within the header of a format, as when the first run was killed at once."""
    with file.open("rb") as opened:
        return len(content := opened.read(len(new.header))) < len(new.header) and new.header.startswith(content)


def _existing_format(file: Path) -> LineFormat:
    return csv_format_of(file) if file.suffix == ".csv" else JSONL
