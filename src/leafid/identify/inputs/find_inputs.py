"""Expands what a user names (files, folders, globs, tables, web addresses) to an ordered list of images."""

import glob
import os
import re
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from leafid.errors import UsageError
from leafid.file_names import is_hidden_or_system
from leafid.identify.inputs.given_columns import GivenColumns
from leafid.identify.inputs.input_lists import STANDARD_INPUT, is_input_list, read_input_list, read_standard_input
from leafid.identify.inputs.name_list import NameList
from leafid.identify.records import unicode_path
from leafid.images import IMAGE_EXTENSIONS
from leafid.pages import page_path, pages_of_file
from leafid.sources import is_web_address

T = TypeVar("T")


@dataclass(frozen=True)
class Inputs:
    """The images to identify, and what was left out.

    Attributes:
        paths: one entry per future record: a file, a page of a TIFF file (``scan.tif#page=2``), or a web address. An
            image named twice is listed twice.
        other_files: number of files in folders without an image extension, by extension (``""`` for none).
        hidden: number of files and folders in folders that are hidden or the system's: names that begin with a dot,
            recycle bins, thumbnails of network storage.
        repeated_folders: number of times a link led to a folder that had been searched already.
        empty_folders: named folders without an image.
        multipage_files: number of TIFF files with several pages, whose pages are listed separately.
        given: the further columns of the tables that name images, by position in ``paths``.
    """

    paths: tuple[str, ...]
    other_files: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    repeated_folders: int = 0
    empty_folders: tuple[Path, ...] = ()
    multipage_files: int = 0
    given: GivenColumns = field(default_factory=GivenColumns)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences for the user on what was left out; empty if nothing was."""
        remarks = [f"The folder {unicode_path(str(folder))} contains no image." for folder in self.empty_folders]
        if count := sum(self.other_files.values()):
            kinds = ", ".join(
                f"{number} {ending or 'without extension'}" for ending, number in sorted(self.other_files.items())
            )
            remarks.append(f"{_counted(count, 'file')} in folders left out, without an image extension: {kinds}.")
        if self.hidden:
            left_out = _counted(self.hidden, "hidden or system file or folder", "hidden or system files and folders")
            remarks.append(f"{left_out} left out.")
        if self.repeated_folders:
            remarks.append(
                f"{_counted(self.repeated_folders, 'folder')} reached again through a link and searched once."
            )
        if self.multipage_files:
            remarks.append(
                f"{_counted(self.multipage_files, 'TIFF file')} with several pages; each page has its own record."
            )
        return tuple(remarks)


def find_inputs(arguments: Sequence[str | Path], *, shard: str | None = None) -> Inputs:
    """List the images that ``arguments`` name, in order.

    - A folder means all images in it and its subfolders, by extension (``leafid.images.IMAGE_EXTENSIONS``), sorted by
      path. Links are followed; each folder is searched once. A subfolder that has an image extension but contains no
      image, or that cannot be read, remains in the list and gives a failed record.
    - ``*``, ``?``, ``[...]`` and ``**`` are expanded if the shell has not done so.
    - A ``.csv``, ``.tsv`` or ``.parquet`` file lists images in its column ``path``, a ``.txt`` file one on each line,
      relative to the file. The columns of a table are given columns of its images, see ``carried_names``.
    - ``-`` reads a list from standard input, one path per line, or separated by NUL; ``./-`` is a file of this name.
    - ``http://`` and ``https://`` begin the address of an image, of an IIIF image service, or of an IIIF manifest,
      which means its first image. Tables and lists may contain addresses too.
    - Anything else is taken as an image, whatever its name; a file that does not exist gives a failed record. A name
      without an extension that does not exist is taken as a folder, and refused.

    A file named twice gives two records, so that a table and its results agree row by row. The exception is a TIFF
    file with several pages, whatever its extension, which gives a record per page. The first bytes of each file are
    read here; only TIFF files are read further, to count their pages.

    Args:
        arguments: as a user names them.
        shard: list only this part of the images, see ``select_shard``; the others take little memory.

    Raises:
        UsageError: a folder does not exist, a glob matches nothing, a table cannot be used, or no image is found; all
            mistakes are listed.
    """
    named, given = NameList(), GivenColumns()
    other_files: Counter[str] = Counter()
    empty: list[Path] = []
    hidden = repeated = 0
    mistakes: list[str] = []
    for argument in _expanded(arguments, mistakes):
        if argument == STANDARD_INPUT:  # a path `./-` is not a str here
            named.extend(read_standard_input(mistakes))
        elif is_web_address(str(argument)):
            named.append(str(argument))
        elif os.path.isdir(argument):
            folder = _search(Path(argument))
            other_files += folder.other_files
            hidden += folder.hidden
            repeated += folder.repeated_folders
            named.extend(map(str, folder.images))
            if not folder.images:
                empty.append(Path(argument))
        elif is_input_list(Path(argument)):
            for name, values in read_input_list(Path(argument), mistakes):
                if values:
                    given.add(len(named), values)
                named.append(name)
        else:
            named.append(str(argument))
    if not named and not mistakes:
        mistakes += [f"{folder}: contains no file with an image extension" for folder in empty] or ["no image is named"]
        mistakes.append(f"image extensions are {' '.join(sorted(IMAGE_EXTENSIONS))}")
    if mistakes:
        raise UsageError("\n".join(["These images cannot be identified:", *_indented(mistakes)]))
    paths, files, paged = _with_pages(named, with_positions=bool(given.names))
    listed = tuple(paths) if shard is None else select_shard(paths, shard)
    of_listed = given.selected(files if shard is None or not files else select_shard(files, shard))
    return Inputs(listed, dict(other_files), hidden, repeated, tuple(empty), paged, of_listed)


def find_image_files(arguments: Sequence[str | Path]) -> Inputs:
    """List the images that ``arguments`` name, all of them files; see ``find_inputs``.

    Raises:
        UsageError: as ``find_inputs``, or an image is on the web.
    """
    inputs = find_inputs(arguments)
    if addresses := [path for path in inputs.paths if is_web_address(path)]:
        raise UsageError("Only files are measured. Save these images first: " + ", ".join(addresses))
    return inputs


def select_shard(paths: Sequence[T], shard: str) -> tuple[T, ...]:
    """Return part K of N of a list. Part lengths differ by at most one; the parts in order make the whole list.

    Args:
        paths: the whole list, the same on every machine.
        shard: ``K/N`` such as ``3/16``, with K from 1 to N.

    Raises:
        UsageError: ``shard`` is something else.
    """
    match = re.fullmatch(r"\s*(\d{1,9})\s*/\s*(\d{1,9})\s*", shard, flags=re.ASCII)
    number, parts = map(int, match.groups()) if match else (0, 0)
    if not 1 <= number <= parts:
        raise UsageError(f"--shard {shard}: write the part and the number of parts, such as 3/16; the first is 1/16.")
    return tuple(paths[(number - 1) * len(paths) // parts : number * len(paths) // parts])


def expand_pages(files: Iterable[Path]) -> tuple[str, ...]:
    """Replace each multi-page TIFF file by its pages."""
    return tuple(_with_pages(map(str, files), with_positions=False)[0])


def _with_pages(named: Iterable[str], *, with_positions: bool) -> tuple[NameList, Sequence[int], int]:
    """Replace each multi-page TIFF file by its pages.

    Returns:
        The paths; for each the position of its file in ``named``, if asked for; and the number of files replaced.
    """
    paths, positions = NameList(), array("Q")
    paged = 0
    for position, name in enumerate(named):
        pages = 1 if is_web_address(name) else pages_of_file(Path(name))
        if pages == 1:
            paths.append(name)
        else:
            paged += 1
            paths.extend(page_path(name, page) for page in range(1, pages + 1))
        if with_positions:
            positions.extend([position] * pages)
    return paths, positions, paged


def _expanded(arguments: Iterable[str | Path], mistakes: list[str]) -> list[str | Path]:
    """Expand globs. The name of an existing file or a web address is not a glob. Append to ``mistakes``."""
    paths: list[str | Path] = []
    for argument in map(str, arguments):
        if is_web_address(argument) or argument == STANDARD_INPUT:
            paths.append(argument)
            continue
        if os.path.lexists(argument) or not glob.has_magic(argument):
            if _is_missing_folder(argument):
                mistakes.append(f"{argument}: there is no such folder")
            else:
                paths.append(Path(argument))
            continue
        matches = sorted(glob.glob(argument, recursive=True))
        if not matches:
            mistakes.append(f"{argument}: no file matches in {Path.cwd()}")
        paths += map(Path, matches)
    return paths


def _is_missing_folder(argument: str) -> bool:
    """Whether a name means a folder that does not exist: it ends in a separator, or has no extension."""
    if os.path.lexists(argument):
        return False
    name = os.path.basename(argument)  # empty after a separator
    return name != STANDARD_INPUT and not os.path.splitext(name)[1]


def images_in_folder(folder: Path) -> list[Path]:
    """Return the images in a folder and its subfolders, by extension, sorted by path.

    Raises:
        OSError: the folder does not exist.
    """
    return _search(folder).images


@dataclass
class _Folder:
    images: list[Path] = field(default_factory=list)
    other_files: Counter[str] = field(default_factory=Counter)
    hidden: int = 0
    repeated_folders: int = 0


def _search(top: Path) -> _Folder:
    """Search a folder and its subfolders."""
    found = _Folder()
    entered: set[tuple[int, int]] = set()

    def enter(folder: Path) -> None:
        identity = folder.stat()
        if (identity.st_dev, identity.st_ino) in entered:
            found.repeated_folders += 1
            return
        entered.add((identity.st_dev, identity.st_ino))
        before = len(found.images)
        try:
            entries = list(os.scandir(folder))
        except OSError:
            found.images.append(folder)  # opening it later gives the reason in its record
            return
        for entry in entries:
            path = folder / entry.name
            ending = path.suffix.lower()
            if is_hidden_or_system(entry.name):
                found.hidden += 1
            elif os.path.isdir(path):  # unlike DirEntry.is_dir, returns False for a link to itself
                enter(path)
            elif ending in IMAGE_EXTENSIONS:
                found.images.append(path)
            else:
                found.other_files[ending] += 1
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
