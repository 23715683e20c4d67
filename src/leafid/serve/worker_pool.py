"""Worker processes behind a bounded queue: full, slow and crashing requests each end with an error of their own."""

import asyncio
import multiprocessing
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import ParamSpec, TypeVar

from pebble import ProcessExpired, ProcessPool

from leafid.serve.errors import Busy, RequestError

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")

_LOADING_SECONDS = 300
"""For loading a bundle in every worker; torch on a busy machine takes a minute."""


class WorkerPool:
    """Processes that answer one request each at a time.

    Args:
        start: called once in each process, such as to load the bundle.
        settings: its argument.
        workers: their number.
        waiting: requests that may wait; a further one is refused.
        seconds: time that an answer may take; then its worker is ended and replaced.
    """

    def __init__(self, start: Callable[[S], None], settings: S, *, workers: int, waiting: int, seconds: float) -> None:
        # Not forked: the libraries that decode and infer keep threads, which a fork does not copy.
        self._pool = ProcessPool(
            workers, initializer=start, initargs=(settings,), context=multiprocessing.get_context("spawn")
        )
        self._limit = workers + waiting
        self._seconds = seconds
        self.workers = workers
        self.in_work = 0
        """Requests that are answered or wait now."""

    async def start(self, ready: Callable[[], T]) -> T:
        """Wait until a worker has started; return what ``ready`` returns in it."""
        return await asyncio.wrap_future(self._pool.schedule(ready, timeout=_LOADING_SECONDS))

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in one of the processes.

        Raises:
            Busy: too many requests wait.
            RequestError: the worker crashed, or the answer took too long.
        """
        if self.in_work >= self._limit:
            raise Busy(self.in_work, self.workers)
        self.in_work += 1
        try:
            return await asyncio.wrap_future(
                self._pool.schedule(function, args=args, kwargs=dict(kwargs), timeout=self._seconds)
            )
        except ProcessExpired:
            raise RequestError(
                400, "The program that reads photos crashed on these photos. Send each of them alone to find which."
            ) from None
        except (TimeoutError, FutureTimeoutError):
            raise RequestError(
                400, f"No answer within {self._seconds:g} seconds. Send smaller photos, or fewer at once."
            ) from None
        finally:
            self.in_work -= 1

    async def stop(self, seconds: float) -> None:
        """Let the requests in work end for so many seconds, then end all workers."""
        self._pool.close()  # type: ignore[no-untyped-call]
        try:
            await asyncio.to_thread(self._pool.join, seconds)
        except (TimeoutError, FutureTimeoutError):
            pass
        finally:
            self._pool.stop()  # type: ignore[no-untyped-call]
            await asyncio.to_thread(self._pool.join)
