"""The one place that knows which outputs may be overwritten; every command checks all of its outputs here, before work.

Three rules. An input is never overwritten. What leafid did not write is never overwritten, whatever the options. What
leafid wrote is overwritten or continued only as the user says. leafid recognises its own files: pages and pictures by
``MARK``, tables by their header, folders by the names in them.
"""

import csv
import os
import re
import stat
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leafid.errors import OutputError
from leafid.files import Existing, written_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

MARK = "made by leafid"
"""Stands in the first bytes of every page and picture that leafid writes."""

_MARKED_BYTES = 4096
_FEW_INPUTS = 1000

IsOwn = Callable[[Path], bool]
"""Whether what exists at a path is an output of leafid of the kind that will be written there."""


@dataclass(frozen=True)
class Destination:
    """An output that the user names.

    Attributes:
        option: the option or argument that names it, for messages.
        path: the file or folder.
        is_own: whether what exists there was written by leafid as this output.
        kind: whether a file or a folder is written.
        makes_folders: whether missing folders above it are made; else they must exist.
    """

    option: str
    path: Path
    is_own: IsOwn
    kind: Literal["file", "folder"] = "file"
    makes_folders: bool = True

    def __str__(self) -> str:
        """Return option and path, as the user wrote them."""
        return f"{self.option} {self.path}"


def check_destinations(
    destinations: Sequence[Destination], *, inputs: Iterable[Path | str] = (), existing: Existing = "refuse"
) -> None:
    """Check that all outputs of a command can be written and that none replaces what it must not.

    Args:
        destinations: the outputs.
        inputs: the files that the command reads. An output of the same name is compared with them.
        existing: what to do with an earlier output of leafid: refuse, resume or replace it.

    Raises:
        OutputError: a place cannot be written, two outputs are one file, an output is an input or a file of somebody
            else, or it exists and ``existing`` is ``refuse``.
    """
    seen: dict[str, Destination] = {}
    for destination in destinations:
        real = os.path.realpath(destination.path)
        if real in seen:
            raise OutputError(f"{destination} is also {seen[real].option}. Name another {destination.kind}.")
        seen[real] = destination
        _check_place(destination)
    there = [destination for destination in destinations if os.path.lexists(destination.path)]
    if there:
        _check_inputs(there, inputs)
    for destination in there:
        _check_existing(destination, existing)


def _check_place(destination: Destination) -> None:
    """Check that the nearest folder that exists can be written, by making a file in it."""
    path = destination.path
    folder = path if destination.kind == "folder" and path.is_dir() else path.parent
    if not destination.makes_folders and not folder.is_dir():
        raise OutputError(f"{destination} cannot be written: the folder {folder} does not exist. Create it first.")
    while not os.path.lexists(folder):
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".leafid-"):
            pass
    except OSError as error:
        raise OutputError(
            f"{destination} cannot be written: {folder}: {error.strerror or error}. Name a place where you may write."
        ) from None


def _check_inputs(destinations: Sequence[Destination], inputs: Iterable[Path | str]) -> None:
    """Refuse outputs that are inputs.

    Of many inputs, only those of the same name are compared, which misses links of another name. What such a link leads
    to is refused as well, unless leafid wrote it.
    """
    listed = list(inputs)
    names = {destination.path.name.casefold(): destination for destination in destinations}
    for source in listed:
        named = names.get(os.path.basename(source).casefold())
        for destination in [named] if named else destinations if len(listed) <= _FEW_INPUTS else ():
            try:
                same = os.path.samefile(source, destination.path)
            except (OSError, ValueError):  # the input does not exist, or is a web address
                continue
            if same:
                raise OutputError(
                    f"{destination} is also an input, which is never overwritten. Name another {destination.kind}."
                )


def _check_existing(destination: Destination, existing: Existing) -> None:
    path = destination.path
    try:
        mode = path.stat().st_mode
    except OSError as error:  # a link to nowhere
        raise OutputError(f"{destination} cannot be written: {error.strerror or error}.") from None
    if stat.S_ISDIR(mode) != (destination.kind == "folder") or not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        found = "a folder" if stat.S_ISDIR(mode) else "a file" if stat.S_ISREG(mode) else "no regular file"
        raise OutputError(f"{destination} is {found}. Name a {destination.kind}.")
    empty = not any(path.iterdir()) if stat.S_ISDIR(mode) else path.stat().st_size == 0
    if empty and existing != "refuse":
        return
    if not empty and not destination.is_own(path):
        raise OutputError(
            f"{destination} exists already and was not written by this command of leafid, so it is never replaced. "
            f"Name another {destination.kind}."
        )
    if existing == "refuse":
        raise OutputError(
            f"{destination} already exists. Add --resume to continue it, or --force to replace it, or name another "
            f"{destination.kind}."
        )


# --- How leafid recognises what it wrote -----------------------------------------------------------------------------


def is_marked(path: Path) -> bool:
    """Whether a page or picture begins with ``MARK``."""
    return MARK.encode() in _start(path)


def has_header(columns: Sequence[str], *, begins: bool = False) -> IsOwn:
    """Return a check whether a CSV file has these columns, in this order; or, ``begins``, these and further ones."""

    def check(path: Path) -> bool:
        line, end, _ = _start(path, 100_000).partition(b"\n")
        first = line.decode("utf-8-sig", "replace").rstrip("\r")
        if not end and ",".join(columns).startswith(first):
            return True  # stopped while the header was written
        try:
            header = next(csv.reader([first]), [])
        except csv.Error:
            return False
        return (header[: len(columns)] if begins else header) == list(columns)

    return check


def contains_only(*patterns: str) -> IsOwn:
    """Return a check whether all names in a folder match one of some regular expressions."""
    known = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))
    return lambda path: all(known.fullmatch(entry.name) for entry in path.iterdir())


def _start(path: Path, length: int = _MARKED_BYTES) -> bytes:
    try:
        with path.open("rb") as opened:
            return opened.read(length)
    except OSError:
        return b""  # a file that cannot be read is nobody's to replace


def save_picture(picture: "Image", path: Path) -> None:
    """Write a picture as PNG or JPEG, by the ending of its name, atomically and with ``MARK``.

    Raises:
        OutputError: the file cannot be written.
    """
    from PIL.PngImagePlugin import PngInfo

    with written_atomically(path) as temporary:
        if path.suffix.lower() == ".png":
            texts = PngInfo()
            texts.add_text("Software", MARK)
            picture.save(temporary, "PNG", pnginfo=texts)
        else:
            picture.convert("RGB").save(temporary, "JPEG", quality=90, comment=MARK.encode())
