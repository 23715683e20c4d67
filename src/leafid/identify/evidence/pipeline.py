"""Pipeline of decoding and inference: images are decoded ahead of the engine, and results come in input order.

It uses threads, not processes: Pillow, OpenCV and the engines release the GIL while they work, so threads use all
cores, start immediately and share memory. Decoding and compiled engines each have one thread per core; the operating
system divides the cores between them as the load demands.
"""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from leafid.errors import ImageError
from leafid.identify.evidence.leaf_characters import measure_best_leaf
from leafid.identify.inputs.memory_images import MemoryImage
from leafid.identify.inputs.prefetch import PrefetchedImage
from leafid.images import ImageSource, guard_image, image_sha256
from leafid.jobs import Preprocessing
from leafid.sheets import PreparedImage, open_for_views, prepare

if TYPE_CHECKING:
    from leafid.characters import MeasuredImage

Result = TypeVar("Result")

Input = str | Path | PrefetchedImage | MemoryImage
"""An image to decode: a file, one fetched from the web, or one in memory."""

_BATCHES_AHEAD = 2
"""Batches that are decoded ahead of inference; more use memory and do not raise throughput."""


@dataclass(frozen=True)
class OpenedImage:
    """A decoded image.

    Attributes:
        path: path as it was given.
        image: the prepared views, or the error that prevented reading.
        leaf: the measurements of the best leaf, or the error; None if characters are not measured.
        sha256: of the file's bytes; None if they cannot be read.
    """

    path: str
    image: PreparedImage | ImageError
    leaf: "MeasuredImage | ImageError | None" = None
    sha256: str | None = None


def predict_in_order(
    inputs: Iterable[Input],
    preprocessing: Preprocessing,
    predict: Callable[[tuple[OpenedImage, ...]], Result],
    *,
    batch_size: int,
    workers: int,
    concurrency: int,
    characters: bool = False,
    judged: bool = False,
) -> Generator[Result, None, None]:
    """Decode images in batches, call ``predict`` on each batch, and yield the results in order.

    Args:
        inputs: may be endless; it is consumed only as far as images are decoded.
        preprocessing: of the bundle.
        predict: called with each batch, in a separate thread.
        batch_size: number of images in a batch; the last may have fewer.
        workers: number of threads that decode and prepare images.
        concurrency: number of ``predict`` calls that may run at the same time.
        characters: whether the best leaf is measured.
        judged: whether the input gate looks at the images.
    """
    decoding = ThreadPoolExecutor(workers, thread_name_prefix="leafid-decode")
    predicting = ThreadPoolExecutor(concurrency, thread_name_prefix="leafid-predict")
    waiting: deque[Future[Result]] = deque()

    def predict_when_decoded(batch: list[Future[OpenedImage]]) -> Result:
        return predict(tuple(image.result() for image in batch))

    names = iter(inputs)
    try:
        while selected := list(islice(names, batch_size)):
            batch = [decoding.submit(_open, name, preprocessing, characters, judged) for name in selected]
            waiting.append(predicting.submit(predict_when_decoded, batch))
            if len(waiting) >= concurrency + _BATCHES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        decoding.shutdown(wait=False, cancel_futures=True)
        predicting.shutdown(cancel_futures=True)
        decoding.shutdown()


def _open(given: Input, preprocessing: Preprocessing, characters: bool, judged: bool) -> OpenedImage:
    name, sha256 = name_of(given), None
    try:
        with guard_image(name), _source(given) as source:
            sha256 = image_sha256(source)
            image = prepare(open_for_views(source, preprocessing), preprocessing, judged=judged)
            return OpenedImage(name, image, measure_best_leaf(source) if characters else None, sha256)
    except ImageError as failure:
        return OpenedImage(name, failure, sha256=sha256)


def name_of(given: Input) -> str:
    """Return the path, web address or name by which a record calls an image."""
    if isinstance(given, PrefetchedImage):
        return given.address
    return given.name if isinstance(given, MemoryImage) else os.fspath(given)


def _source(given: Input) -> AbstractContextManager[ImageSource]:
    if isinstance(given, PrefetchedImage):
        return given.local_file()
    return nullcontext(given.source() if isinstance(given, MemoryImage) else Path(given))
