"""Single images from the web, fetched ahead of whoever opens them: by the rules of a collection, without a catalog."""

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit, urlunsplit

from leafid.errors import FailureReason, ImageError
from leafid.jobs import FetchingSettings
from leafid.raw_photos import RAW_ENDINGS
from leafid.sources.fetching.download import download
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.iiif import MANIFEST, SERVICE, image_address, is_manifest
from leafid.sources.fetching.image_store import disk_error
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient

T = TypeVar("T")

_INFO = "/info.json"


class ImageFetcher:
    """Fetches images to a temporary folder, from a thread of its own; use it as a context manager.

    How many are under way at once, and how a host is asked, is the settings' affair; how many lie on the disk is the
    caller's, who deletes each file when it has been read.
    """

    def __init__(self, settings: FetchingSettings) -> None:
        self._settings = settings
        self._numbers = count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="leafid-fetch", daemon=True)

    def __enter__(self) -> Self:
        """Make the folder and open the connections."""
        self._folder = Path(tempfile.mkdtemp(prefix="leafid-"))
        self._thread.start()
        self._client, self._journal = self._run(self._opened()).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop what is under way, and delete what was fetched."""
        self._run(self._closed()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, address: str) -> Future[Path]:
        """Begin to fetch an image; the answer is its file.

        Args:
            address: of an image, of an IIIF image service or its ``info.json``, or of an IIIF manifest, which stands
                for its first image. Services are asked for no more than ``max_side`` pixels.

        The answer raises ImageError (``not_fetched``) with the reason, or OutputError when the disk is full.
        """
        return self._run(self._fetch(address, next(self._numbers)))

    def _run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _opened(self) -> tuple[WebClient, Journal]:
        return await WebClient(self._settings).__aenter__(), Journal(self._folder / "fetching.sqlite")

    async def _closed(self) -> None:
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await self._client.__aexit__(None, None, None)
        self._journal.__exit__(None, None, None)

    async def _fetch(self, address: str, number: int) -> Path:
        ending = Path(urlsplit(address).path).suffix.lower()
        file = self._folder / f"{number}{ending if ending in RAW_ENDINGS else ''}"
        try:
            try:
                await self._patiently(_planned(address), file)
            except FetchError as trouble:
                if trouble.reason != "not_an_image" or trouble.passing:
                    raise
                await self._as_service(address, file, trouble)
        except FetchError as trouble:
            file.unlink(missing_ok=True)
            raise ImageError(FailureReason.NOT_FETCHED, f"{trouble.reason}: {trouble.detail}") from None
        except OSError as error:
            raise disk_error(error, self._folder) from None
        return file

    async def _as_service(self, address: str, file: Path, trouble: FetchError) -> None:
        """The base address of a service answers with its description; if it is none, the first trouble stands."""
        try:
            await self._patiently(SERVICE + address.rstrip("/"), file)
        except FetchError:
            raise trouble from None

    async def _patiently(self, planned: str, file: Path) -> None:
        async def attempt() -> None:
            url = planned
            if planned.startswith((MANIFEST, SERVICE)):
                url = await image_address(self._client, planned, self._settings.max_side)
            key = f"{file.name} {url}"  # the same address may be fetched to two files
            await download(self._client, self._journal, key, url, file, max_bytes=self._settings.max_bytes, image=True)

        await self._client.patiently(attempt)


def _planned(address: str) -> str:
    """Mark what is known to be no image by its address."""
    parts = urlsplit(address)
    if parts.path.endswith(_INFO):
        return SERVICE + urlunsplit(parts._replace(path=parts.path.removesuffix(_INFO), query="", fragment=""))
    if is_manifest(address, None, None) or parts.path.lower().endswith(".json"):
        return MANIFEST + address
    return address
