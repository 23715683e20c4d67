"""What a report is made of on the disk: one file that holds its pictures, or for many images a folder of files."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from leafid.errors import OutputError
from leafid.files import written_atomically

ROWS_IN_A_FILE = 20_000
"""Rows up to which a report may be one file, of about 80 MB; a folder shows 100,000."""

_ROWS_AT_ONCE = 5000  # in each of a folder's files of rows
_INDEX, _ROWS, _PICTURES = "index.html", "rows", "pictures"

Render = Callable[..., str]
"""Makes the page, given ``rows``, those it holds itself, and ``row_files``, those that it loads."""


class ReportForm(Protocol):
    """Takes pictures and rows as they come."""

    def picture(self, jpeg: bytes) -> str:
        """Keep a picture; return its address in the page."""

    def add(self, row: dict[str, Any]) -> None:
        """Keep a row, whose pictures are addresses."""

    def finish(self, render: Render) -> None:
        """Write the page."""


def is_folder_form(path: Path) -> bool:
    """Tell whether the report is to be a folder, by its name."""
    return path.suffix.lower() != ".html"


@contextmanager
def report_at(path: Path) -> Iterator[ReportForm]:
    """Open a report: a file if its name ends in ``.html``, else a folder. What is there is replaced at the end.

    Raises:
        OutputError: it cannot be written, or a folder is there that is no report.
    """
    if not is_folder_form(path):
        yield _File(path)
        return
    check_replaceable(path)
    partial = path.with_name(f".{path.name}.partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        yield _Folder(partial)
        shutil.rmtree(path, ignore_errors=True)
        partial.rename(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_replaceable(folder: Path) -> None:
    """Check that nothing but a report is lost where a folder is replaced.

    Raises:
        OutputError: it holds other files, or is none.
    """
    if folder.exists() and (not folder.is_dir() or {one.name for one in folder.iterdir()} - {_INDEX, _ROWS, _PICTURES}):
        raise OutputError(f"{folder} is no folder of a report and is not replaced. Name another.")


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: list[dict[str, Any]] = []

    def picture(self, jpeg: bytes) -> str:
        return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)

    def finish(self, render: Render) -> None:
        with written_atomically(self._path) as temporary:
            temporary.write_text(render(rows=self._rows, row_files=()), encoding="utf-8")


class _Folder:
    """Rows go to the disk as they come, in scripts: a page that is opened from a disk may load no other data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[dict[str, Any]] = []
        self._row_files: list[str] = []
        self._pictures = 0
        (folder / _ROWS).mkdir(parents=True)

    def picture(self, jpeg: bytes) -> str:
        address = f"{_PICTURES}/{self._pictures // 1000:03}/{self._pictures:06}.jpg"
        self._pictures += 1
        file = self._folder / address
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(jpeg)
        return address

    def add(self, row: dict[str, Any]) -> None:
        self._waiting.append(row)
        if len(self._waiting) == _ROWS_AT_ONCE:
            self._write(self._waiting)
            self._waiting = []

    def finish(self, render: Render) -> None:
        self._write(self._waiting)
        (self._folder / _INDEX).write_text(render(rows=(), row_files=self._row_files), encoding="utf-8")

    def _write(self, rows: Sequence[dict[str, Any]]) -> None:
        if rows:
            self._row_files.append(f"{_ROWS}/{len(self._row_files) + 1:04}.js")
            content = f"add({json.dumps(rows, separators=(',', ':'))});\n"
            (self._folder / self._row_files[-1]).write_text(content, encoding="ascii")
