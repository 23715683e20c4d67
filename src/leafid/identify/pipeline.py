"""Images are opened and prepared ahead of the network, in threads, in order, and no more of them than are soon needed.

Threads, not processes: Pillow releases the interpreter lock while it decodes and resizes, so threads keep all cores
busy, start at once and share the memory of the process.
"""

import os
from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.errors import ImageError
from leafid.identify.fetched import Fetched
from leafid.identify.flora import measured_leaf
from leafid.jobs import Preprocessing
from leafid.sheets import PreparedImage, prepare_file

if TYPE_CHECKING:
    from leafid.characters import MeasuredImage


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


def opened_in_order(
    paths: Iterable[str | Path | Fetched],
    preprocessing: Preprocessing,
    *,
    batch_size: int,
    workers: int,
    characters: bool = False,
) -> Generator[tuple[Opened, ...], None, None]:
    """Yield the images in order, ``batch_size`` at a time, while two batches more are prepared.

    Args:
        paths: may be endless; no more of it is taken than is prepared.
        preprocessing: the bundle's.
        batch_size: images in each tuple; the last may have fewer.
        workers: threads that open and prepare.
        characters: whether the best leaf is measured.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="leafid-open")
    waiting: deque[Future[Opened]] = deque()
    try:
        for path in paths:
            waiting.append(pool.submit(_open, path, preprocessing, characters))
            if len(waiting) >= 3 * batch_size:
                yield _next(waiting, batch_size)
        while waiting:
            yield _next(waiting, batch_size)
    finally:
        pool.shutdown(cancel_futures=True)


def _next(waiting: "deque[Future[Opened]]", batch_size: int) -> tuple[Opened, ...]:
    return tuple(waiting.popleft().result() for _ in range(min(batch_size, len(waiting))))


def _open(one: str | Path | Fetched, preprocessing: Preprocessing, characters: bool) -> Opened:
    name = one.address if isinstance(one, Fetched) else os.fspath(one)
    try:
        with one.opened() if isinstance(one, Fetched) else nullcontext(Path(one)) as file:
            image = prepare_file(file, preprocessing)
            return Opened(name, image, measured_leaf(file) if characters else None)
    except ImageError as failure:
        return Opened(name, failure)
