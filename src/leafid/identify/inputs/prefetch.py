"""Prefetching of images from the web, a limited number ahead of inference."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.errors import ImageError
from leafid.identify.inputs.memory_images import MemoryImage
from leafid.sources import is_web_address

if TYPE_CHECKING:
    from leafid.jobs import FetchingSettings
    from leafid.sources import ImageFetcher

MAX_PREFETCHED = 32
"""Web images that are fetched ahead of the one needed next."""


@dataclass(frozen=True)
class PrefetchedImage:
    """An image from the web: its temporary file on this disk, or the error of fetching it."""

    address: str
    file: Path | ImageError

    @contextmanager
    def local_file(self) -> Iterator[Path]:
        """Yield the file and delete it afterwards.

        Raises:
            ImageError: the image could not be fetched.
        """
        if isinstance(self.file, ImageError):
            raise self.file
        try:
            yield self.file
        finally:
            self.file.unlink(missing_ok=True)


@contextmanager
def prefetch(
    paths: Iterable[str | Path | MemoryImage], settings: "FetchingSettings | None"
) -> Iterator[Iterator[str | Path | MemoryImage | PrefetchedImage]]:
    """Yield the paths in order, with each web address replaced by its fetched image.

    Fetched files are deleted once they are read, and at the latest when the context ends.

    Args:
        paths: files, web addresses and images in memory; may be endless, no more than ``MAX_PREFETCHED`` are taken
            ahead.
        settings: how images are fetched; None: the defaults of a job. No connection is opened before the first address.
    """
    with ExitStack() as stack:
        yield _in_order(paths, settings, stack)


def _in_order(
    paths: Iterable[str | Path | MemoryImage], settings: "FetchingSettings | None", stack: ExitStack
) -> Iterator[str | Path | MemoryImage | PrefetchedImage]:
    waiting: deque[str | Path | MemoryImage | tuple[str, Future[Path]]] = deque()
    fetcher: ImageFetcher | None = None
    for path in paths:
        if isinstance(path, str) and is_web_address(path):
            fetcher = fetcher or stack.enter_context(_image_fetcher(settings))
            waiting.append((path, fetcher.start(path)))
        else:
            waiting.append(path)
        while waiting and (len(waiting) > MAX_PREFETCHED or not isinstance(waiting[0], tuple)):
            yield _resolve(waiting.popleft())
    while waiting:
        yield _resolve(waiting.popleft())


def _image_fetcher(settings: "FetchingSettings | None") -> "ImageFetcher":
    from leafid.jobs import FetchingSettings
    from leafid.sources import ImageFetcher  # imports aiohttp, which takes longer than a forward pass

    return ImageFetcher(settings or FetchingSettings())


def _resolve(entry: str | Path | MemoryImage | tuple[str, Future[Path]]) -> str | Path | MemoryImage | PrefetchedImage:
    if not isinstance(entry, tuple):
        return entry
    address, fetching = entry
    try:
        return PrefetchedImage(address, fetching.result())
    except ImageError as failure:
        return PrefetchedImage(address, failure)
