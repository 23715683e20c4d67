"""Images are opened ahead of the engine and answered for in order, and no more of them than are soon needed.

Threads, not processes: Pillow, OpenCV and the engines release the interpreter lock while they work, so threads keep all
cores busy, start at once and share the memory of the process. As many threads open images as there are cores, and
compiled engines run one thread on each core too: the system shares the cores between them as the work demands, and no
thread ever waits for another's part of the same calculation.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from leafid.errors import ImageError
from leafid.identify.leaf_characters import measured_leaf
from leafid.identify.prefetch import Fetched
from leafid.jobs import Preprocessing
from leafid.sheets import PreparedImage, prepare_file

if TYPE_CHECKING:
    from leafid.characters import MeasuredImage

Answer = TypeVar("Answer")

_BATCHES_AHEAD = 2
"""Batches that are opened while others are answered for; more need memory and change nothing."""


@dataclass(frozen=True)
class Opened:
    """One of the images.

    Attributes:
        path: as it was given.
        image: what the network sees of it, or why it cannot be read.
        leaf: what was measured of its best leaf, or why not; None when no characters are asked for.
    """

    path: str
    image: PreparedImage | ImageError
    leaf: "MeasuredImage | ImageError | None" = None


def answered_in_order(
    paths: Iterable[str | Path | Fetched],
    preprocessing: Preprocessing,
    answer: Callable[[tuple[Opened, ...]], Answer],
    *,
    batch_size: int,
    workers: int,
    at_once: int,
    characters: bool = False,
) -> Generator[Answer, None, None]:
    """Open the images, ``batch_size`` at a time, and yield the answer for each batch, in order.

    Args:
        paths: may be endless; no more of it is taken than is opened.
        preprocessing: the bundle's.
        answer: called with each batch, in a thread of its own.
        batch_size: images in a batch; the last may have fewer.
        workers: threads that open and prepare.
        at_once: batches that may be answered for at the same time.
        characters: whether the best leaf is measured.
    """
    opening = ThreadPoolExecutor(workers, thread_name_prefix="leafid-open")
    answering = ThreadPoolExecutor(at_once, thread_name_prefix="leafid-answer")
    waiting: deque[Future[Answer]] = deque()

    def answer_when_opened(batch: list[Future[Opened]]) -> Answer:
        return answer(tuple(image.result() for image in batch))

    names = iter(paths)
    try:
        while some := list(islice(names, batch_size)):
            batch = [opening.submit(_open, name, preprocessing, characters) for name in some]
            waiting.append(answering.submit(answer_when_opened, batch))
            if len(waiting) >= at_once + _BATCHES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        opening.shutdown(wait=False, cancel_futures=True)
        answering.shutdown(cancel_futures=True)
        opening.shutdown()


def _open(one: str | Path | Fetched, preprocessing: Preprocessing, characters: bool) -> Opened:
    name = one.address if isinstance(one, Fetched) else os.fspath(one)
    try:
        with one.opened() if isinstance(one, Fetched) else nullcontext(Path(one)) as file:
            image = prepare_file(file, preprocessing)
            return Opened(name, image, measured_leaf(file) if characters else None)
    except ImageError as failure:
        return Opened(name, failure)
