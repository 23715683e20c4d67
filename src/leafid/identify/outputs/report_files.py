"""Storage of a report: one self-contained file, or a folder of files for many images."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from leafid.destinations import Destination, check_destinations, contains_only, is_marked
from leafid.errors import OutputError
from leafid.files import written_atomically
from leafid.identify.outputs.pictures import data_address

MAX_ROWS_IN_FILE = 20_000
"""Number of rows up to which a report may be one file, of about 80 MB. A folder can show 100,000 rows."""

_ROWS_PER_SCRIPT = 5000
_INDEX, _ROWS, _PICTURES = "index.html", "rows", "pictures"

Render = Callable[..., str]
"""Renders the page, given ``rows`` to embed and ``row_files`` to load."""


class ReportWriter(Protocol):
    """Stores the pictures and rows of a report."""

    def add_picture(self, jpeg: bytes) -> str:
        """Store a picture; return its address in the page."""

    def add_row(self, row: dict[str, Any]) -> None:
        """Store a row; its pictures are addresses."""

    def finish(self, render: Render) -> None:
        """Write the page."""


def is_report_folder(path: Path) -> bool:
    """Return whether the name of a report means a folder."""
    return path.suffix.lower() != ".html"


@contextmanager
def open_report(path: Path) -> Iterator[ReportWriter]:
    """Open a report: a file if its name ends in ``.html``, else a folder. An existing report is replaced at the end.

    Raises:
        OutputError: the report cannot be written, or ``path`` is something else than a report.
    """
    check_destinations([report_destination(path)], existing="replace")
    if not is_report_folder(path):
        yield _FileReport(path)
        return
    partial = path.with_name(f".{path.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        yield _FolderReport(partial)
        shutil.rmtree(path, ignore_errors=True)
        partial.rename(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def report_destination(path: Path) -> Destination:
    """Return the destination of a report: a file that ends in ``.html``, or a folder.

    Raises:
        OutputError: the name has another extension.
    """
    if path.suffix.lower() not in (".html", ""):
        raise OutputError(f"--report {path}: name a file that ends in .html, or a folder whose name has no extension.")
    if is_report_folder(path):
        names = contains_only(*map(re.escape, (_INDEX, _ROWS, _PICTURES)))
        return Destination("--report", path, names, "folder", makes_folders=False)
    return Destination("--report", path, is_marked, makes_folders=False)


class _FileReport:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []

    def add_picture(self, jpeg: bytes) -> str:
        return data_address(jpeg)

    def add_row(self, row: dict[str, Any]) -> None:
        self._rows.append(row)

    def finish(self, render: Render) -> None:
        with written_atomically(self._path) as temporary:
            temporary.write_text(render(rows=self._rows, row_files=()), encoding="utf-8")


class _FolderReport:
    """Writes rows to script files as they come; browsers let a page opened from disk load scripts but not JSON."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._pending: list[dict[str, Any]] = []
        self._row_files: list[str] = []
        self._picture_count = 0
        (folder / _ROWS).mkdir(parents=True)

    def add_picture(self, jpeg: bytes) -> str:
        address = f"{_PICTURES}/{self._picture_count // 1000:03}/{self._picture_count:06}.jpg"
        self._picture_count += 1
        file = self._folder / address
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg)
        return address

    def add_row(self, row: dict[str, Any]) -> None:
        self._pending.append(row)
        if len(self._pending) == _ROWS_PER_SCRIPT:
            self._write(self._pending)
            self._pending = []

    def finish(self, render: Render) -> None:
        self._write(self._pending)
        (self._folder / _INDEX).write_text(render(rows=(), row_files=self._row_files), encoding="utf-8")

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self._row_files.append(f"{_ROWS}/{len(self._row_files) + 1:04}.js")
            content = f"add({json.dumps(rows, separators=(',', ':'))});\n"
            (self._folder / self._row_files[-1]).write_text(content, encoding="ascii")
