"""Images of the web among the others: fetched ahead of the network, and never more of them than are soon needed."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from leafid.errors import ImageError
from leafid.jobs import FetchingSettings
from leafid.sources import ImageFetcher, is_web_address

AHEAD = 32
"""Images that are fetched, or have been, while others are waited for."""


@dataclass(frozen=True)
class Fetched:
    """An image of the web, and the file in which it lies on this disk until it is read; or why there is none."""

    address: str
    file: Path | ImageError

    @contextmanager
    def opened(self) -> Iterator[Path]:
        """Give the file, and delete it afterwards.

        Raises:
            ImageError: it could not be fetched.
        """
        if isinstance(self.file, ImageError):
            raise self.file
        try:
            yield self.file
        finally:
            self.file.unlink(missing_ok=True)


@contextmanager
def prefetched(paths: Iterable[str | Path], settings: FetchingSettings) -> Iterator[Iterator[str | Path | Fetched]]:
    """Give the paths in order, each web address as what was fetched from it, while the next are being fetched.

    What was fetched lies on the disk until it is opened, or until the end of the context.

    Args:
        paths: files and web addresses; may be endless, no more than ``AHEAD`` are taken ahead.
        settings: how the web is asked. Nothing is opened or started before the first address.
    """
    with ExitStack() as stack:
        yield _in_order(paths, settings, stack)


def _in_order(
    paths: Iterable[str | Path], settings: FetchingSettings, stack: ExitStack
) -> Iterator[str | Path | Fetched]:
    waiting: deque[str | Path | tuple[str, Future[Path]]] = deque()
    fetcher: ImageFetcher | None = None
    for path in paths:
        if isinstance(path, str) and is_web_address(path):
            fetcher = fetcher or stack.enter_context(ImageFetcher(settings))
            waiting.append((path, fetcher.start(path)))
        else:
            waiting.append(path)
        while waiting and (len(waiting) > AHEAD or not isinstance(waiting[0], tuple)):
            yield _ready(waiting.popleft())
    while waiting:
        yield _ready(waiting.popleft())


def _ready(one: str | Path | tuple[str, Future[Path]]) -> str | Path | Fetched:
    if not isinstance(one, tuple):
        return one
    address, fetching = one
    try:
        return Fetched(address, fetching.result())
    except ImageError as failure:
        return Fetched(address, failure)
