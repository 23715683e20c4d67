"""The one way to the web: polite to hosts, patient with faults, and careful about where a stranger's address leads.

A host gets at most so many requests at once, spaced in time; when it asks for a pause (429 or 503 with Retry-After)
all requests to it wait. Faults that may pass are tried again after a pause that doubles each time, with chance in it,
so that many clients do not return together. A host that gives nothing but faults is left in peace until the next call.
"""

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode, urljoin

import aiohttp

from leafid.jobs import FetchingSettings
from leafid.sources.fetching.addresses import RefusedAddressError, check_address, socket_factory
from leafid.sources.fetching.fetch_errors import FetchError, check_status, retry_after, start_of
from leafid.version import __version__

T = TypeVar("T")

MAX_REDIRECTS = 8
MAX_REPLY_BYTES = 64_000_000
"""Largest reply of a search service; 300 records of GBIF are about 1 MB."""
DOWN_AFTER = 12
"""After so many faults of a host in a row, over at least the longest pause of the job, it is left for the next call."""

_REDIRECTS = (301, 302, 303, 307, 308)
_PAUSING = (420, 429, 503)


@dataclass
class _Host:
    """What is owed to one host."""

    slots: asyncio.Semaphore
    next_start: float = 0.0
    faults: int = 0
    first_fault: float = 0.0
    closed: str | None = None

    def answered(self) -> None:
        """It gave an answer that can be used, be it a clear no."""
        self.faults = 0

    def failed(self, longest_pause: float) -> None:
        """It gave none; after long enough it is closed for this call."""
        self.first_fault = self.first_fault if self.faults else time.monotonic()
        self.faults += 1
        if self.faults >= DOWN_AFTER and time.monotonic() - self.first_fault >= longest_pause:
            self.closed = f"gave {self.faults} faults in a row"


class WebClient:
    """Requests to hosts of the web, as the job's ``fetching`` section wishes; use it as an async context manager."""

    def __init__(self, settings: FetchingSettings) -> None:
        self.settings = settings
        self._hosts: dict[str, _Host] = {}
        self._random = random.Random()  # pauses need chance, not reproducibility
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connections."""
        settings = self.settings
        connector = aiohttp.TCPConnector(
            limit=settings.connections,
            ttl_dns_cache=300,
            socket_factory=socket_factory(allow_private=settings.allow_private_addresses),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": f"leafid/{__version__} ({settings.contact or 'no contact given'})"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=settings.timeout, sock_read=settings.timeout),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def json(
        self,
        url: str,
        *,
        query: Mapping[str, str | list[str]] | None = None,
        body: object | None = None,
        authorization: str | None = None,
    ) -> Any:  # noqa: ANN401 -- JSON
        """Ask a service (GET, or POST with a JSON ``body``) and return its JSON reply.

        Raises:
            FetchError: after the last attempt.
        """
        reply = await self.reply(url, query=query, body=body, authorization=authorization)
        try:
            return json.loads(reply)
        except ValueError:
            raise FetchError("not_json", f"{url} answered with no JSON: {start_of(reply)}", attempts=1) from None

    async def reply(
        self,
        url: str,
        *,
        query: Mapping[str, str | list[str]] | None = None,
        body: object | None = None,
        authorization: str | None = None,
    ) -> bytes:
        """Like ``json``, but the bytes as they come."""
        address = f"{url}?{urlencode(query, doseq=True)}" if query else url

        async def attempt() -> bytes:
            async with self.opened(
                "GET" if body is None else "POST", address, json=body, authorization=authorization
            ) as response:
                await check_status(response)
                received = bytearray()
                async for chunk in response.content.iter_chunked(1 << 16):
                    received += chunk
                    if len(received) > MAX_REPLY_BYTES:
                        raise FetchError("too_large", f"{url} answered with over {MAX_REPLY_BYTES} bytes", attempts=1)
                return bytes(received)

        return await self.patiently(attempt)

    async def patiently(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Try again while the trouble may pass, with growing pauses.

        Raises:
            FetchError: of the last attempt.
        """
        settings = self.settings
        tried = 0
        while True:
            try:
                return await attempt()
            except FetchError as trouble:
                tried += 1
                if tried >= min(settings.attempts, trouble.attempts or settings.attempts):
                    raise
                doubled = settings.first_pause * 2 ** (tried - 1)
                pause = min(settings.longest_pause, doubled) * self._random.uniform(0.5, 1.0)
                if trouble.pause is not None and trouble.pause > settings.longest_pause:
                    raise
                await asyncio.sleep(pause)  # what the host itself asked for is waited for in _turn

    @asynccontextmanager
    async def opened(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object | None = None,
        authorization: str | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make one request, follow its redirects, and hold the host's slot while the body is read.

        ``authorization`` goes to the first host only, never along with a redirect to another.

        Raises:
            FetchError: the address is refused, the host does not answer, or the connection breaks.
        """
        if self._session is None:
            raise RuntimeError("use WebClient as an async context manager")
        secret = {"Authorization": authorization} if authorization else {}
        first_place = None
        for _ in range(MAX_REDIRECTS + 1):
            try:
                place = check_address(url, allow_private=self.settings.allow_private_addresses)
            except RefusedAddressError as error:
                raise FetchError("refused_address", str(error), attempts=1) from None
            first_place = first_place or place
            host = self._hosts.setdefault(place, _Host(asyncio.Semaphore(self.settings.connections_per_host)))
            async with host.slots:
                await self._turn(host, place)
                with _Faults(host, place, self.settings.longest_pause):
                    response = await self._session.request(
                        method,
                        url,
                        headers={**(headers or {}), **(secret if place == first_place else {})},
                        json=json,
                        allow_redirects=False,
                    )
                    try:
                        self._heed(host, response)
                        if response.status not in _REDIRECTS or "Location" not in response.headers:
                            yield response
                            return
                    finally:
                        response.release()
                    url = urljoin(url, response.headers["Location"])
                    if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                        method, json = "GET", None
        raise FetchError("redirects", f"more than {MAX_REDIRECTS} redirects, last to {url}", attempts=2)

    async def _turn(self, host: _Host, place: str) -> None:
        """Wait until this host may be asked again."""
        if host.closed:
            raise FetchError("host_down", f"{place} {host.closed}; left for the next call", pause=1e9)
        while (wait := host.next_start - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        host.next_start = time.monotonic() + self.settings.spacing

    def _heed(self, host: _Host, response: aiohttp.ClientResponse) -> None:
        """Note the pause that a host asks for."""
        pause = retry_after(response)
        if response.status not in _PAUSING or pause is None:
            return
        if pause > self.settings.longest_pause:
            host.closed = f"asked for a pause of {pause:.0f} seconds"
        host.next_start = max(host.next_start, time.monotonic() + min(pause, self.settings.longest_pause))


class _Faults:
    """Turn what aiohttp raises into FetchError, and count the host's faults."""

    def __init__(self, host: _Host, place: str, longest_pause: float) -> None:
        self._host = host
        self._place = place
        self._longest_pause = longest_pause

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or (isinstance(error, FetchError) and not error.passing):
            self._host.answered()
        elif isinstance(error, FetchError) and error.pause is None:
            self._host.failed(self._longest_pause)
        if not isinstance(error, aiohttp.ClientError | TimeoutError | ConnectionError):
            return
        refused = _cause(error)
        if refused is not None:
            raise FetchError("refused_address", f"{self._place}: {refused}", attempts=1) from None
        self._host.failed(self._longest_pause)
        if isinstance(error, TimeoutError):
            raise FetchError("timed_out", f"{self._place} sent nothing for too long") from None
        if isinstance(error, aiohttp.ClientPayloadError):
            raise FetchError("truncated", f"{self._place} broke off in the middle") from None
        if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
            raise FetchError("refused_address", f"no valid web address: {error}", attempts=1) from None
        raise FetchError("connection", f"{self._place}: {error}") from None


def _cause(error: BaseException) -> RefusedAddressError | None:
    """Find a refused address behind the errors of the connection code."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RefusedAddressError):
            return seen
        inner = getattr(seen, "os_error", None)
        seen = inner if isinstance(inner, RefusedAddressError) else seen.__cause__ or seen.__context__
    return None
