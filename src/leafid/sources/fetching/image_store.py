"""Image files on disk, named by their content: ``images/ab/abcdef....jpg``. A file is there whole, or not at all."""

import errno
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from leafid.errors import OutputError
from leafid.files import sha256_of
from leafid.images import open_image
from leafid.sources.fetching.journal import Journal, Outcome, today

CHECKED_SIDE = 64
"""Shorter side, in pixels, at which files are decoded to see whether they are whole; every byte is read for that."""

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", ".jpg"),
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"II*\x00", ".tif"),
    (b"MM\x00*", ".tif"),
    (b"II+\x00", ".tif"),
    (b"MM\x00+", ".tif"),
    (b"GIF8", ".gif"),
    (b"BM", ".bmp"),
    (b"\x00\x00\x00\x0cjP  ", ".jp2"),
    (b"\xff\x4f\xff\x51", ".j2k"),
)
NEEDED_START = 16
"""Bytes of a file that suffice to tell its kind."""


def ending_of(start: bytes) -> str | None:
    """Return the usual ending for a file that begins so, or None if that is no image."""
    for signature, ending in _SIGNATURES:
        if start.startswith(signature):
            return ending
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    if start[4:8] == b"ftyp":
        return {b"avif": ".avif", b"avis": ".avif"}.get(start[8:12], ".heic")
    return None


@dataclass(frozen=True)
class ImageStore:
    """The folder ``images`` of a job. Unfinished files lie in ``images/.partial``, named by their address."""

    folder: Path

    def path(self, outcome: Outcome) -> Path:
        """Return where an image lies."""
        name = f"{outcome.sha256}{outcome.ending}"
        return self.folder / name[:2] / name

    def partial(self, url: str) -> Path:
        """Return where the unfinished file of an address lies."""
        return self.folder / ".partial" / sha256(url.encode()).hexdigest()[:32]

    def check(self, partial: Path) -> Outcome:
        """Decode and hash a file that seems complete.

        Raises:
            ImageError: it does not decode.
        """
        opened = open_image(partial, needed_side=CHECKED_SIDE)
        with partial.open("rb") as file:
            ending = ending_of(file.read(NEEDED_START)) or ".img"
        size = partial.stat().st_size
        return Outcome("done", sha256_of(partial), size, ending, opened.width, opened.height, today())

    def keep(self, url: str, outcome: Outcome, journal: Journal) -> None:
        """Give a checked file its name.

        The journal is written first: killed in between, ``mend`` finds the file under its partial name and knows it.
        """
        journal.record(url, outcome)
        self._settle(self.partial(url), self.path(outcome))

    def repair(self, journal: Journal) -> int:
        """Bring disk and journal together after a call that was killed; return how many files must be fetched again."""
        lost = 0
        (self.folder / ".partial").mkdir(parents=True, exist_ok=True)
        for url, outcome in journal.done():
            path, partial = self.path(outcome), self.partial(url)
            if path.is_file() and path.stat().st_size == outcome.bytes:
                continue
            if partial.is_file() and partial.stat().st_size == outcome.bytes and sha256_of(partial) == outcome.sha256:
                self._settle(partial, path)
            else:
                journal.forget(url)
                lost += 1
        return lost

    def _settle(self, partial: Path, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        os.replace(partial, path)


def disk_error(error: OSError, folder: Path) -> OutputError:
    """Say what to do about a disk that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"The disk of {folder} is full. Make room; the same command then goes on where it stopped.")
    return OutputError(f"{folder} cannot be written: {error.strerror or error}.")
