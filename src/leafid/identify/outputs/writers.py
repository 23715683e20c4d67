"""Result files: records are written as they come, so that whatever stops the run, all finished records are kept.

CSV and JSONL are appended to, a batch at a time; of Parquet tells ``parquet_results``.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from leafid.errors import OutputError
from leafid.files import Existing
from leafid.identify.outputs.line_files import RecordWriter, records_in
from leafid.identify.outputs.line_formats import CSV, JSONL, LineFormat, csv_path
from leafid.identify.outputs.parquet_files import (
    ROWS_PER_FILE,
    ParquetWriter,
    is_foreign_folder,
    journal_of,
    parquet_records,
)
from leafid.identify.outputs.report_forms import check_replaceable
from leafid.identify.records import Record, written_path

ENDINGS = (".csv", ".jsonl", ".parquet")
"""Endings of result files, each with its format."""


def check_output(path: Path, existing: Existing) -> None:
    """Check, before anything slow is done, that a result can be written to ``path``.

    Raises:
        OutputError: the ending is none of ``ENDINGS``, or a result is there and neither resumed nor replaced.
    """
    file, _ = _line_file(path)
    if path.is_dir() and (path.suffix != ".parquet" or is_foreign_folder(path)):
        raise OutputError(f"{path} is a folder. Name a file.")
    found = next((one for one in (path, file) if one.exists()), None)
    if existing == "refuse" and found is not None:
        raise OutputError(f"{found} is already there. Add --resume to go on with it, or --force to replace it.")


VIEW_ENDINGS = {"--darwin-core": (".csv",), "--report": (".html", "")}
"""Options of `leafid identify` that name a view of the records, and how its name ends; a view is written anew."""


def check_view(option: str, path: Path, existing: Existing, *, output: Path | None) -> None:
    """Check, before anything slow is done, that a view of the records can be written to ``path``.

    Raises:
        OutputError: the ending is wrong, the folder is missing, it is the result itself, or it is there and neither
            resumed nor replaced, or is no report.
    """
    endings = VIEW_ENDINGS[option]
    if path.suffix.lower() not in endings:
        folder = ", or a folder, whose name has no ending" if "" in endings else ""
        raise OutputError(f"{option} {path}: name a file that ends in {endings[0]}{folder}.")
    if not path.parent.is_dir():
        raise OutputError(f"{option} {path}: there is no folder {path.parent}. Make it first.")
    if output is not None and path.absolute() == output.absolute():
        raise OutputError(f"{option} {path} is the result file too. Name another file.")
    if not path.suffix and existing != "refuse":
        check_replaceable(path)
    elif (path.suffix and path.is_dir()) or (existing == "refuse" and path.exists()):
        raise OutputError(f"{option} {path} is already there. Name another file, or add --resume or --force.")


@contextmanager
def open_output(
    path: Path,
    *,
    existing: Existing = "refuse",
    on_earlier: Callable[[Record], None] | None = None,
    rows_per_file: int = ROWS_PER_FILE,
) -> Iterator[RecordWriter]:
    """Open a result file for appending; folders above it are made.

    While the file is open, no second run can write to it. When resuming, a half-written last line, left by a run that
    was killed, is cut off, but nothing is touched before every record has been read and ``on_earlier`` has agreed.

    Args:
        path: the result file.
        existing: what to do when it is there.
        on_earlier: called with each record that is there already, when resuming.
        rows_per_file: records from which on a Parquet result goes on in another file.

    Raises:
        OutputError: see ``check_output``; or the file cannot be written, is no result of leafid, or is in use.
    """
    check_output(path, existing)
    with closing(_opened(path, existing, on_earlier, rows_per_file)) as writer:
        yield writer
        writer.finish()
    if path.suffix == ".parquet":
        journal_of(path).unlink()


def _opened(
    path: Path, existing: Existing, on_earlier: Callable[[Record], None] | None, rows_per_file: int
) -> RecordWriter:
    """Open the file that is appended to, with its header and, when resuming, with its complete records."""
    file, lines = _line_file(path)
    is_new = not file.exists()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = file.open("xb" if existing == "refuse" else "ab", buffering=0)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from None
    writer = RecordWriter(opened, lines) if file == path else ParquetWriter(opened, path, rows_per_file)
    try:
        writer.lock(path)
        if existing == "replace":
            if os.path.getsize(file) or (file != path and path.exists()):
                next(read_records(path), None)  # what is no result of leafid is not replaced
            writer.replace()
        elif existing == "resume":
            if os.path.getsize(file) or (file != path and path.exists()):
                for record in read_records(path):
                    if on_earlier:
                        on_earlier(record)
            writer.resume()
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
        yield from records_in(file, lines) if file == path else parquet_records(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"{path} is no result of this leafid: {error}. Name another file.") from None


def path_in_output(path: str, output: Path) -> str:
    """Return the form that the path of an image has in a result file, by which a resumed run knows it again."""
    return csv_path(written_path(path)) if output.suffix == ".csv" else written_path(path)


def _line_file(path: Path) -> tuple[Path, LineFormat]:
    """The file that is appended to, and its format."""
    match path.suffix:
        case ".csv":
            return path, CSV
        case ".jsonl":
            return path, JSONL
        case ".parquet":
            return journal_of(path), JSONL
        case _:
            raise OutputError(f"{path}: a result ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}.")
