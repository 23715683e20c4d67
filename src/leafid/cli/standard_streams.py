"""Standard streams that never end a run: full disks, closed pipes and closed terminals cost what is printed alone."""

import io
import os
import sys
from typing import TYPE_CHECKING

import typer

from leafid.errors import ExitCode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


class _LossyFile(io.FileIO):
    """A file descriptor that drops what cannot be written and remembers the first error."""

    error: OSError | None = None

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write, or drop the content."""
        try:
            return super().write(content) or 0
        except BlockingIOError:
            raise
        except OSError as error:
            self.error = self.error or error
            return memoryview(content).nbytes


def open_missing_streams() -> None:
    """Open the null device for each standard stream that the caller has closed.

    Else the next file opened would get its number, and what some library prints would land in it.
    """
    for number, mode in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)  # gets the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)
    if sys.stdout is None:
        sys.stdout = open(1, "w", closefd=False)
    if sys.stderr is None:
        sys.stderr = open(2, "w", closefd=False)


def make_streams_lossy() -> None:
    """Replace standard output and error by streams that drop what they cannot write or encode.

    cp1252 and ASCII lack letters of names; those become question marks.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):  # a caller has replaced it
            continue
        file = _LossyFile(stream.fileno(), "wb", closefd=False)
        lossy = io.TextIOWrapper(
            io.BufferedWriter(file), encoding=stream.encoding, errors="replace", line_buffering=stream.line_buffering
        )
        setattr(sys, name, lossy)


def printing_error() -> OSError | None:
    """Return why something printed to standard output was lost; None if all of it was written."""
    buffer = getattr(sys.stdout, "buffer", None)
    file = getattr(buffer, "raw", None)
    if not isinstance(file, _LossyFile):
        return None
    sys.stdout.flush()
    return file.error


def check_printed() -> None:
    """End a command whose result is what it prints, if that was lost.

    Raises:
        typer.Exit: with ``PIPE_CLOSED`` if the reader stopped, as `head` does, else with ``USER_ERROR``.
    """
    error = printing_error()
    if error is not None:
        raise typer.Exit(ExitCode.PIPE_CLOSED if isinstance(error, BrokenPipeError) else ExitCode.USER_ERROR)
