"""Store image files on disk, named by their SHA-256: ``images/ab/abcdef....jpg``. Only complete files are named so."""

import errno
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from leafid.errors import OutputError
from leafid.files import sha256_of
from leafid.images import open_image
from leafid.sources.fetching.journal import FetchOutcome, Journal, today

DECODED_SIDE = 64
"""Shorter side, in pixels, at which files are decoded to detect damage: fast, and still reads every byte."""

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
SIGNATURE_BYTES = 16
"""Length of the longest signature, in bytes."""


def extension_of(start: bytes) -> str | None:
    """Return the usual extension of a file from its first bytes, or None if it is not an image."""
    for signature, extension in _SIGNATURES:
        if start.startswith(signature):
            return extension
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return ".webp"
    if start[4:8] == b"ftyp":
        return {b"avif": ".avif", b"avis": ".avif"}.get(start[8:12], ".heic")
    return None


@dataclass(frozen=True)
class ImageStore:
    """The folder ``images`` of a job. Unfinished files are in ``images/.partial``, named by a hash of their address."""

    folder: Path

    def path(self, outcome: FetchOutcome) -> Path:
        """Return the path of a stored image."""
        name = f"{outcome.sha256}{outcome.extension}"
        return self.folder / name[:2] / name

    def partial(self, url: str) -> Path:
        """Return the path of the unfinished file of an address."""
        return self.folder / ".partial" / sha256(url.encode()).hexdigest()[:32]

    def verify(self, partial: Path) -> FetchOutcome:
        """Decode and hash a downloaded file.

        Raises:
            ImageError: it cannot be decoded.
        """
        opened = open_image(partial, needed_side=DECODED_SIDE)
        with partial.open("rb") as file:
            extension = extension_of(file.read(SIGNATURE_BYTES)) or ".img"
        size = partial.stat().st_size
        return FetchOutcome("done", sha256_of(partial), size, extension, opened.width, opened.height, today())

    def commit(self, url: str, outcome: FetchOutcome, journal: Journal) -> None:
        """Record a verified file in the journal and move it to its final path.

        The journal is written first. If the process is killed in between, ``repair`` recognises the file by its
        SHA-256 under its partial name.
        """
        journal.record(url, outcome)
        self._move(self.partial(url), self.path(outcome))

    def repair(self, journal: Journal) -> int:
        """Reconcile disk and journal after a call that was killed; return the number of files to fetch again."""
        lost = 0
        (self.folder / ".partial").mkdir(parents=True, exist_ok=True)
        for url, outcome in journal.finished():
            path, partial = self.path(outcome), self.partial(url)
            if path.is_file() and path.stat().st_size == outcome.bytes:
                continue
            if partial.is_file() and partial.stat().st_size == outcome.bytes and sha256_of(partial) == outcome.sha256:
                self._move(partial, path)
            else:
                journal.forget(url)
                lost += 1
        return lost

    def _move(self, partial: Path, path: Path) -> None:
        path.parent.mkdir(exist_ok=True)
        os.replace(partial, path)


def disk_error(error: OSError, folder: Path) -> OutputError:
    """Return an error that explains why the disk cannot be written and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"The disk of {folder} is full. Make room and repeat the command; it continues where it stopped."
        )
    return OutputError(f"{folder} cannot be written: {error.strerror or error}.")
