"""Calls a function on each image in processes; an image that ends its process, by a crash of a decoder, fails alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import TypeVar

_log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_in_processes(
    function: Callable[[Item], Result], items: Sequence[Item], processes: int, if_ended: Callable[[Item], Result]
) -> Iterator[Result]:
    """Yield the results of ``function`` in order.

    When a process ends, the images that were in work are tried again, each in a process of its own.

    Args:
        function: may be pickled.
        items: the images.
        processes: number of processes.
        if_ended: gives the result of an image that has ended a process of its own.
    """
    try:
        _pool(1).shutdown()
    except OSError as error:  # of its semaphores, in containers without a /dev/shm that can be written
        _log.warning("No processes can be started (%s): images are measured one after the other.", error.strerror)
        yield from map(function, items)
        return
    alone: set[int] = set()
    finished: dict[int, Result] = {}
    place = 0
    while place < len(items):
        with _pool(processes) as pool:
            open_ = [index for index in range(place, len(items)) if index not in alone and index not in finished]
            futures = {index: pool.submit(function, items[index]) for index in open_}
            try:
                while place < len(items):
                    if place in alone:
                        yield _alone(function, items[place], if_ended)
                    else:
                        yield finished.pop(place) if place in finished else futures.pop(place).result()
                    place += 1
            except BrokenProcessPool:
                futures[place] = Future()  # the one whose result was taken
            finally:
                pool.shutdown(cancel_futures=True)
        finished |= {index: future.result() for index, future in futures.items() if _succeeded(future)}
        alone.update([index for index in sorted(futures) if index not in finished][:processes])  # begun in their order


def _succeeded(future: Future[Result]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


def _alone(function: Callable[[Item], Result], item: Item, if_ended: Callable[[Item], Result]) -> Result:
    with _pool(1) as pool:
        try:
            return pool.submit(function, item).result()
        except BrokenProcessPool:
            return if_ended(item)


def _pool(processes: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_limit_threads)


def _limit_threads() -> None:
    import cv2

    cv2.setNumThreads(1)
