"""Which images are being worked on, noted in memory that outlives this process, and which of them made it crash.

A decoder in C may end the whole process, which no ``except`` sees. The command that supervises its own work (see
``leafid.cli.supervision``) reads the notes of a process that died, and refuses those images in the next one.
"""

import mmap
import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from leafid.errors import FailureReason, ImageError

_SLOTS = 256
"""More threads than read images at a time; a further one is not noted."""

_SLOT_BYTES = 4096 + 2  # the longest path of Linux, and its length


class InFlight:
    """Notes of the images that the threads of a process and of its children are working on."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _SLOTS * _SLOT_BYTES)  # shared with forked processes
        self._free = deque(range(0, len(self._memory), _SLOT_BYTES))
        self._thread = threading.local()

    @contextmanager
    def noted(self, name: str) -> Iterator[None]:
        """Note an image for the time of the block; within another such block of this thread, the outer one counts."""
        if getattr(self._thread, "busy", False) or not self._free:
            yield
            return
        start, content = self._free.popleft(), os.fsencode(name)[: _SLOT_BYTES - 2]
        self._thread.busy = True
        self._memory[start + 2 : start + 2 + len(content)] = content
        self._memory[start : start + 2] = len(content).to_bytes(2, "little")  # last: the note is complete now
        try:
            yield
        finally:
            self._memory[start : start + 2] = bytes(2)
            self._thread.busy = False
            self._free.append(start)

    def names(self) -> list[str]:
        """Return the images noted now."""
        names = []
        for start in range(0, len(self._memory), _SLOT_BYTES):
            length = int.from_bytes(self._memory[start : start + 2], "little")
            if length:
                names.append(os.fsdecode(self._memory[start + 2 : start + 2 + length]))
        return names


_in_flight: InFlight | None = None
_crashed: Mapping[str, str] = {}


def note_images(in_flight: InFlight, crashed: Mapping[str, str]) -> None:
    """Note the images that this process works on from now on, and refuse those that ended an earlier one.

    Args:
        in_flight: where to note them.
        crashed: images, as ``guard_image`` is told of them, and what happened.
    """
    global _in_flight, _crashed
    _in_flight, _crashed = in_flight, crashed


@contextmanager
def noted(name: Path | str) -> Iterator[None]:
    """Note that this thread works on an image, if this process is supervised.

    Raises:
        ImageError: the image made an earlier process crash.
    """
    if _in_flight is None:
        yield
        return
    if reason := _crashed.get(str(name)):
        raise ImageError(FailureReason.NOT_PROCESSED, reason)
    with _in_flight.noted(str(name)):
        yield
