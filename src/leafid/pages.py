"""Find the pages of TIFF files. A path addresses one page as ``scan.tif#page=2``, counted from 1.

An existing file with such a name takes precedence. Reduced copies and masks in the same file are not pages.
"""

import os
import re
import stat
import struct
from pathlib import Path
from typing import BinaryIO

from leafid.file_names import existing_form

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of TIFF 6.0 and BigTIFF files."""

MAX_PAGES = 10_000
"""Largest number of pages; a file with more is treated as damaged."""

_NOT_BLOCKING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Flags with which opening a pipe does not wait for a writer; Windows has no such pipes."""

_PAGE = re.compile(r"(?P<file>.+)#page=(?P<page>[1-9]\d{0,4})", re.DOTALL | re.ASCII)
_NO_PAGES = 0b101  # NewSubfileType: bit 0 a reduced copy, bit 2 a mask
_NEW_SUBFILE_TYPE = 254
_ORDERS = {b"II": "<", b"MM": ">"}


def page_path(path: Path | str, page: int) -> str:
    """Return the path of a page; the first is 1."""
    return f"{path}#page={page}"


def file_and_page(path: Path) -> tuple[Path, int | None]:
    """Split a path into its file and page number, which is None if the path names no page."""
    found = _PAGE.fullmatch(str(path))
    if found is None or os.path.lexists(path):
        return path, None
    return Path(found["file"]), int(found["page"])


def pages_of_file(path: Path) -> int:
    """Return the number of pages of a TIFF file, reading a few bytes of each; 1 for damaged and other files.

    The first bytes tell whether it is a TIFF file, since scanning programs also write such files as ``.jpg``.
    """
    try:
        handle = os.open(existing_form(path), os.O_RDONLY | _NOT_BLOCKING)
    except (OSError, ValueError):
        return 1
    if not stat.S_ISREG(os.fstat(handle).st_mode):  # a folder, a pipe or a device
        os.close(handle)
        return 1
    with os.fdopen(handle, "rb", buffering=4096) as opened:
        try:
            starts_as_tiff = opened.read(4) in TIFF_STARTS
            opened.seek(0)
            return len(page_frames(opened)) if starts_as_tiff else 1
        except (OSError, ValueError):
            return 1


def page_frames(opened: BinaryIO) -> tuple[int, ...]:
    """Return for each page its index among the images of a TIFF file; ``(0,)`` for damaged and other files.

    Raises:
        OSError: the file cannot be read.
    """
    frames = []
    try:
        for frame, kind in enumerate(_subfile_types(opened)):
            if not kind & _NO_PAGES:
                frames.append(frame)
    except (struct.error, OverflowError, ValueError):
        return (0,)  # opening the image reports the reason
    return tuple(frames) or (0,)


def _subfile_types(opened: BinaryIO) -> list[int]:
    """Return the NewSubfileType, or 0, of every directory of a TIFF 6.0 or BigTIFF file."""
    start = opened.read(16)
    if start[:2] not in _ORDERS:
        raise ValueError("not a TIFF file")
    order = _ORDERS[start[:2]]
    (magic,) = struct.unpack_from(f"{order}H", start, 2)
    if magic not in (42, 43):
        raise ValueError("not a TIFF file")
    big = magic == 43
    number, entry, pointer = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    (offset,) = struct.unpack_from(order + pointer, start, 8 if big else 4)
    types: list[int] = []
    visited: set[int] = set()
    while offset:
        if offset in visited or len(types) >= MAX_PAGES:
            raise ValueError("cyclic directories")
        visited.add(offset)
        opened.seek(offset)
        (entries,) = struct.unpack(order + number, opened.read(struct.calcsize(order + number)))
        if entries > 65_535:
            raise ValueError("not a directory")
        size = struct.calcsize(order + entry)
        content = opened.read(entries * size)
        kind = 0
        for tag, form, _, value in struct.iter_unpack(order + entry, content):
            if tag == _NEW_SUBFILE_TYPE:
                kind = struct.unpack_from(order + {3: "H", 4: "I"}.get(form, "I"), value)[0]
        types.append(kind)
        (offset,) = struct.unpack(order + pointer, opened.read(struct.calcsize(order + pointer)))
    return types
