"""Write files atomically, so that a reader sees either the old content or the new, and hash them."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal
from weakref import WeakSet

from leafid.errors import OutputError

Existing = Literal["refuse", "resume", "replace"]
"""What to do with an output file that exists already."""


_UMASK = os.umask(0o077)
os.umask(_UMASK)  # the only way to read it is to set it


@contextmanager
def written_atomically(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it on success, delete it on failure.

    Raises:
        OutputError: the folder does not exist or cannot be written, or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_UMASK)  # some libraries write files that only their owner can read
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; create missing parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextmanager
def exclusive_lock(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock file against other processes; it is removed at the end, and by itself if the process dies.

    Args:
        path: the lock file.
        busy: the message if another process holds the lock.

    Raises:
        OutputError: another process holds the lock, or the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opened = path.open("ab")
        while not lock_open_file(opened, path, busy):  # its last holder removed it in between
            opened = path.open("ab")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from None
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while the lock is held: nobody else may remove a file that is in use
        opened.close()


def lock_open_file(opened: IO[Any], path: Path, busy: str) -> bool:
    """Lock an open file against other processes until it is closed; close it if that is not possible.

    Returns:
        Whether ``path`` is still this file: another process may have removed or replaced it before the lock was held.

    Raises:
        OutputError: another process holds the lock.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such locks; two processes on one output are not detected there
        return True
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        opened.close()
        raise OutputError(busy) from None
    if path.exists() and os.path.samestat(os.fstat(opened.fileno()), path.stat()):
        _locked_files.add(opened)
        return True
    opened.close()
    return False


def check_in_place(opened: IO[Any], path: Path) -> None:
    """Check that an open file still stands at its path: what is written to a removed file is lost.

    Raises:
        OutputError: it was removed, replaced or moved, or its folder was.
    """
    try:
        in_place = os.path.samestat(os.fstat(opened.fileno()), path.stat())
    except OSError:
        in_place = False
    if not in_place:
        raise OutputError(
            f"{path} was removed, moved or replaced while it was written. Run the command again; leave the file there "
            "until it has ended."
        )


_locked_files: "WeakSet[IO[Any]]" = WeakSet()


def _close_in_child() -> None:
    """Close locked files in a forked process: workers that outlive a killed parent must not keep its locks."""
    for opened in list(_locked_files):
        opened.close()


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_close_in_child)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
