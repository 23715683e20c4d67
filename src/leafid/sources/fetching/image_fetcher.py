"""Fetch single images to temporary files in the background, with the politeness of a collection but no catalog."""

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
from leafid.raw_photos import RAW_EXTENSIONS
from leafid.sources.fetching.download import download
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.iiif import MANIFEST_PREFIX, SERVICE_PREFIX, is_manifest, resolve_image_url
from leafid.sources.fetching.image_store import disk_error
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient

T = TypeVar("T")

_INFO = "/info.json"


class ImageFetcher:
    """Fetches images to a temporary folder in a thread of its own; use it as a context manager.

    The settings limit the requests in flight and their rate per host. The caller limits the files on disk: it deletes
    each file after reading it.
    """

    def __init__(self, settings: FetchingSettings) -> None:
        self._settings = settings
        self._numbers = count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="leafid-fetch", daemon=True)

    def __enter__(self) -> Self:
        """Create the folder and open the connections."""
        self._folder = Path(tempfile.mkdtemp(prefix="leafid-"))
        self._thread.start()
        self._client, self._journal = self._run(self._opened()).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Cancel the requests in flight and delete all fetched files."""
        self._run(self._closed()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def start(self, address: str) -> Future[Path]:
        """Start to fetch an image and return a future of its file.

        Args:
            address: address of an image, of an IIIF image service or its ``info.json``, or of an IIIF manifest, whose
                first image is fetched. Services are asked for at most ``max_side`` pixels.

        The future raises ImageError (``not_fetched``) with the reason, or OutputError if the disk is full.
        """
        return self._run(self._fetch(address, next(self._numbers)))

    def _run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _opened(self) -> tuple[WebClient, Journal]:
        return await WebClient(self._settings).__aenter__(), Journal(self._folder / "fetching.sqlite")

    async def _closed(self) -> None:
        in_flight = asyncio.all_tasks() - {asyncio.current_task()}
        for task in in_flight:
            task.cancel()
        await asyncio.gather(*in_flight, return_exceptions=True)
        await self._client.__aexit__(None, None, None)
        self._journal.__exit__(None, None, None)

    async def _fetch(self, address: str, number: int) -> Path:
        extension = Path(address.split("?", 1)[0]).suffix.lower()
        file = self._folder / f"{number}{extension if extension in RAW_EXTENSIONS else ''}"
        try:
            try:
                await self._fetch_with_retries(_with_iiif_prefix(address), file)
            except FetchError as error:
                if error.reason != "not_an_image" or error.transient:
                    raise
                await self._fetch_from_service(address, file, error)
        except FetchError as error:
            file.unlink(missing_ok=True)
            raise ImageError(FailureReason.NOT_FETCHED, f"{error.reason}: {error.detail}") from None
        except OSError as error:
            raise disk_error(error, self._folder) from None
        return file

    async def _fetch_from_service(self, address: str, file: Path, error: FetchError) -> None:
        """Try the address as the base address of an IIIF image service; if it is not one, raise the first error."""
        try:
            await self._fetch_with_retries(SERVICE_PREFIX + address.rstrip("/"), file)
        except FetchError:
            raise error from None

    async def _fetch_with_retries(self, planned: str, file: Path) -> None:
        async def attempt() -> None:
            url = planned
            if planned.startswith((MANIFEST_PREFIX, SERVICE_PREFIX)):
                url = await resolve_image_url(self._client, planned, self._settings.max_side)
            key = f"{file.name} {url}"  # the same address may be fetched to two files
            await download(self._client, self._journal, key, url, file, max_bytes=self._settings.max_bytes, image=True)

        await self._client.with_retries(attempt)


def _with_iiif_prefix(address: str) -> str:
    """Add the prefix of manifests and image services that are recognised by their address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return address  # refused when it is asked for
    if parts.path.endswith(_INFO):
        return SERVICE_PREFIX + urlunsplit(parts._replace(path=parts.path.removesuffix(_INFO), query="", fragment=""))
    if is_manifest(address, None, None) or parts.path.lower().endswith(".json"):
        return MANIFEST_PREFIX + address
    return address
