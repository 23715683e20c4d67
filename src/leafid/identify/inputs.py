"""From what a user names (files, folders, globs, tables, web addresses) to the images in order; nothing is dropped."""

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from leafid.errors import UsageError
from leafid.identify.input_lists import STANDARD_INPUT, TABLE_ENDINGS, read_input_list, read_standard_input
from leafid.identify.records import written_path
from leafid.images import IMAGE_EXTENSIONS
from leafid.pages import TIFF_EXTENSIONS, page_path, pages_of_file
from leafid.sources import is_web_address


@dataclass(frozen=True)
class Inputs:
    """The images to identify, and what lay beside them.

    Attributes:
        paths: one entry for each record to come: a file, a page of one (``scan.tif#page=2``), or a web address. What is
            named twice stands here twice.
        others: files in folders that do not end like an image, counted by ending (``""`` for none).
        hidden: files and folders in folders that begin with a dot, counted.
        repeated: folders that were reached again through a link and not entered again, counted.
        empty: folders that were named and hold no image.
        paged: TIFF files of several pages, each with an entry of its own.
    """

    paths: tuple[str, ...]
    others: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    repeated: int = 0
    empty: tuple[Path, ...] = ()
    paged: int = 0

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was left out, in sentences for the user; empty when nothing was."""
        remarks = [f"The folder {written_path(str(folder))} holds no image." for folder in self.empty]
        if count := sum(self.others.values()):
            kinds = ", ".join(
                f"{number} {ending or 'without ending'}" for ending, number in sorted(self.others.items())
            )
            remarks.append(f"{_counted(count, 'file')} in folders left out, not ending like an image: {kinds}.")
        if self.hidden:
            remarks.append(f"{_counted(self.hidden, 'hidden file or folder', 'hidden files and folders')} left out.")
        if self.repeated:
            remarks.append(f"{_counted(self.repeated, 'folder')} reached again through a link and read once.")
        if self.paged:
            remarks.append(f"{_counted(self.paged, 'TIFF file')} of several pages; each page has its record.")
        return tuple(remarks)


def find_inputs(arguments: Sequence[str | Path]) -> Inputs:
    """List the images that ``arguments`` name, in order.

    - A folder stands for all images in it and its subfolders, by ending (``leafid.images.IMAGE_EXTENSIONS``), sorted by
      path. Links are followed; a folder is entered once. A subfolder that is named like an image but holds none, or
      that may not be read, stays in the list and becomes a failed record.
    - ``*``, ``?``, ``[...]`` and ``**`` are expanded where the shell has not; each match counts as if it were named.
    - A ``.csv`` or ``.parquet`` file lists images in its column ``path``, relative to the table, one per row.
    - ``-`` lists images on standard input, one per line, or separated by NUL.
    - ``http://`` and ``https://`` begin the address of an image, of an IIIF image service, or of an IIIF manifest that
      stands for its first image; in tables and lists, too.
    - Anything else is an image, whatever it is called, and even if it does not exist: it becomes a failed record.

    The list is taken as it is: a file named twice gives two records, so that a table and its results agree row by row,
    unless a TIFF file of several pages is among them, for each page gives a record. For that, TIFF files are opened
    here, and no others.

    Raises:
        UsageError: a glob matches nothing, a table cannot be used, or no image is found; all mistakes are listed.
    """
    named: list[str | Path] = []
    others: Counter[str] = Counter()
    empty: list[Path] = []
    hidden = repeated = 0
    mistakes: list[str] = []
    for argument in _expanded(arguments, mistakes):
        if is_web_address(str(argument)):
            named.append(str(argument))
        elif os.path.isdir(argument):
            folder = _search(Path(argument))
            others += folder.others
            hidden += folder.hidden
            repeated += folder.repeated
            named += folder.images
            if not folder.images:
                empty.append(Path(argument))
        elif str(argument) == STANDARD_INPUT:
            named += read_standard_input(mistakes)
        elif Path(argument).suffix.lower() in TABLE_ENDINGS:
            named += read_input_list(Path(argument), mistakes)
        else:
            named.append(argument)
    if not named and not mistakes:
        mistakes += [f"{folder}: holds no file that ends like an image" for folder in empty] or ["no image is named"]
        mistakes.append(f"images end in {' '.join(sorted(IMAGE_EXTENSIONS))}")
    if mistakes:
        raise UsageError("\n".join(["These images cannot be identified:", *_indented(mistakes)]))
    paths, paged = with_pages(named)
    return Inputs(paths, dict(others), hidden, repeated, tuple(empty), paged)


def with_pages(named: Iterable[str | Path]) -> tuple[tuple[str, ...], int]:
    """Put the pages of a TIFF file in its place, web addresses being text; return also how often that was done."""
    paths: list[str] = []
    paged = 0
    counted: dict[Path, int] = {}
    for one in named:
        pages = 1
        if isinstance(one, Path) and one.suffix.lower() in TIFF_EXTENSIONS:
            pages = counted[one] if one in counted else counted.setdefault(one, pages_of_file(one))
        if pages == 1:
            paths.append(str(one))
        else:
            paged += 1
            paths += [page_path(one, page) for page in range(1, pages + 1)]
    return tuple(paths), paged


def _expanded(arguments: Iterable[str | Path], mistakes: list[str]) -> list[str | Path]:
    """Expand globs; a name that exists, or a web address, is never taken for a glob."""
    paths: list[str | Path] = []
    for argument in map(str, arguments):
        if is_web_address(argument):
            paths.append(argument)
            continue
        if os.path.lexists(argument) or not glob.has_magic(argument):
            paths.append(Path(argument))
            continue
        matches = sorted(glob.glob(argument, recursive=True))
        if not matches:
            mistakes.append(f"{argument}: no file matches; the search started in {Path.cwd()}")
        paths += map(Path, matches)
    return paths


def images_below(folder: Path) -> list[Path]:
    """Return the images in a folder and its subfolders, by ending, sorted.

    Raises:
        OSError: there is no such folder.
    """
    return _search(folder).images


@dataclass
class _Folder:
    images: list[Path] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    repeated: int = 0


def _search(top: Path) -> _Folder:
    """Walk a folder and everything below it."""
    found = _Folder()
    entered: set[tuple[int, int]] = set()

    def enter(folder: Path) -> None:
        identity = folder.stat()
        if (identity.st_dev, identity.st_ino) in entered:
            found.repeated += 1
            return
        entered.add((identity.st_dev, identity.st_ino))
        before = len(found.images)
        try:
            entries = list(os.scandir(folder))
        except OSError:
            found.images.append(folder)  # opening it later gives the reason
            return
        for entry in entries:
            path = folder / entry.name
            ending = path.suffix.lower()
            if entry.name.startswith("."):
                found.hidden += 1
            elif os.path.isdir(path):  # unlike DirEntry.is_dir, says no to a link that leads to itself
                enter(path)
            elif ending in IMAGE_EXTENSIONS:
                found.images.append(path)
            else:
                found.others[ending] += 1
        if len(found.images) == before and folder.suffix.lower() in IMAGE_EXTENSIONS and folder != top:
            found.images.append(folder)

    enter(top)
    found.images.sort(key=lambda path: path.parts)
    return found


def _indented(mistakes: Sequence[str], shown: int = 20) -> list[str]:
    lines = [f"  {mistake}" for mistake in mistakes[:shown]]
    if len(mistakes) > shown:
        lines.append(f"  ... and {len(mistakes) - shown} more")
    return lines


def _counted(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
