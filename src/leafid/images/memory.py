"""A memory budget that all threads of a process share, so that several very large images are not opened at once."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

MEMORY_BUDGET = 1_000_000_000
"""Bytes that images may take together while they are decoded and converted, in one process."""


class MemoryBudget:
    """Lets threads reserve memory, in the order of their requests; a request beyond the budget waits until it is alone.

    Args:
        total: bytes.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._used = 0
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def reserved(self, size: int) -> Iterator[None]:
        """Wait until ``size`` bytes are free or nothing is reserved, and reserve them for the block.

        Requests are served in order: otherwise small images would pass a large one for ever.
        """
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
            try:
                self._changed.wait_for(lambda: self._waiting[0] is ticket and self._fits(size))
                self._used += size
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._used -= size
                self._changed.notify_all()

    def _fits(self, size: int) -> bool:
        return self._used == 0 or self._used + size <= self.total


budget = MemoryBudget(MEMORY_BUDGET)
"""The budget of this process."""
