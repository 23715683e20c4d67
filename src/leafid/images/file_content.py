"""The content of an image file: in memory, or left on disk where it is large and its decoder reads it in parts."""

import io
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

from leafid.errors import FailureReason, ImageError
from leafid.file_names import existing_form
from leafid.pages import TIFF_STARTS

MAX_BYTES = 2_000_000_000
"""Larger files are refused before they are read; 200 million uncompressed pixels of 3 x 16 bits have 1.2 GB."""

_ON_DISK_ABOVE = 32_000_000
"""Bytes from which a TIFF file is read in parts."""

_START = 65_536


@dataclass(frozen=True)
class FileContent:
    """The content of a file.

    Attributes:
        start: its first bytes, or all of them.
        size: its length in bytes.
        file: the file, if ``start`` is not all of it.
        change: applied to the bytes before use.
    """

    start: bytes
    size: int
    file: Path | None = None
    change: Callable[[bytes], bytes] | None = None

    @classmethod
    def of(cls, content: bytes) -> Self:
        """Return bytes in memory as content."""
        return cls(content, len(content))

    @property
    def in_memory(self) -> int:
        """Bytes that this content takes in memory."""
        return len(self.start)

    def changed(self, change: Callable[[bytes], bytes]) -> Self:
        """Return this content with a change, which is made when it is used."""
        return type(self)(self.start, self.size, self.file, change)

    def all(self) -> bytes:
        """Return all bytes."""
        content = self.start if self.file is None else self.file.read_bytes()
        return content if self.change is None else self.change(content)

    def opened(self) -> BinaryIO:
        """Return the content as a binary file, at its beginning."""
        if self.file is None or self.change is not None:
            return io.BytesIO(self.all())
        return self.file.open("rb")


def read_content(path: Path) -> FileContent:
    """Read a file; a large TIFF file is read only when it is decoded.

    A file whose name differs in its Unicode form only (NFC, NFD) is found.

    Raises:
        ImageError: it is missing, empty, too large, not a file, or may not be read.
    """
    try:
        path = existing_form(path)
        status = path.stat()  # first, because opening a pipe or a device may block forever
        if stat.S_ISDIR(status.st_mode):
            if not os.access(path, os.R_OK | os.X_OK):
                raise ImageError(FailureReason.NO_PERMISSION, "this user may not read the folder")
            raise ImageError(FailureReason.NOT_A_FILE, "this is a folder")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(FailureReason.NOT_A_FILE, "this is a pipe, a socket or a device")
        if status.st_size > MAX_BYTES:
            raise ImageError(
                FailureReason.TOO_LARGE, f"{status.st_size / 1e9:.1f} GB; the limit is {MAX_BYTES / 1e9:g} GB"
            )
        with path.open("rb") as opened:
            if status.st_size > _ON_DISK_ABOVE:
                start = opened.read(_START)
                if start.startswith(TIFF_STARTS):
                    return FileContent(start, status.st_size, path)
                opened.seek(0)
            content = opened.read()
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(FailureReason.MISSING, "there is no such file") from None
    except PermissionError:
        raise ImageError(FailureReason.NO_PERMISSION, "this user may not read the file") from None
    except (OSError, ValueError) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(FailureReason.UNREADABLE, detail) from None
    if not content:
        raise ImageError(FailureReason.EMPTY, "the file has no bytes")
    return FileContent.of(content)
