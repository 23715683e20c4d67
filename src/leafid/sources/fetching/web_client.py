"""HTTP client of the project: limits the rate per host, retries with backoff, and checks every address.

Each host gets a limited number of concurrent requests with a minimum interval. After 429 or 503 with Retry-After, all
requests to the host wait. Transient errors are retried after a pause that doubles each time, with random jitter so that
many clients do not return together. A host that fails repeatedly is not contacted again during the call.
"""

import asyncio
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlencode, urljoin

import aiohttp

from leafid.errors import LeafidError
from leafid.jobs import FetchingSettings
from leafid.sources.fetching.addresses import RefusedAddressError, as_written, check_address, socket_factory
from leafid.sources.fetching.body import parse_json, read_body
from leafid.sources.fetching.fetch_errors import FetchError, check_status, retry_after, unexpected_error
from leafid.version import __version__

T = TypeVar("T")

MAX_REDIRECTS = 8
MAX_REPLY_BYTES = 64_000_000
"""Largest reply of a search service; 300 records of GBIF are about 1 MB."""
MAX_CONSECUTIVE_FAULTS = 12
"""A host with this many errors in a row, over at least ``fetching.longest_pause``, is left for the next call."""

_REDIRECTS = (301, 302, 303, 307, 308)
_PAUSING = (420, 429, 503)


@dataclass
class _HostState:
    """Rate limit and error count of one host."""

    slots: asyncio.Semaphore
    next_start: float = 0.0
    faults: int = 0
    first_fault: float = 0.0
    closed: str | None = None

    def record_success(self) -> None:
        """Reset the error count after a usable reply, which may be a refusal."""
        self.faults = 0

    def record_fault(self, longest_pause: float) -> None:
        """Count an error; after many over a long time, close the host for this call."""
        self.first_fault = self.first_fault if self.faults else time.monotonic()
        self.faults += 1
        if self.faults >= MAX_CONSECUTIVE_FAULTS and time.monotonic() - self.first_fault >= longest_pause:
            self.closed = f"failed {self.faults} times in a row"


class WebClient:
    """Sends requests as the job's ``fetching`` section says; use it as an async context manager."""

    def __init__(self, settings: FetchingSettings) -> None:
        self.settings = settings
        self._hosts: dict[str, _HostState] = {}
        self._random = random.Random()  # for jitter, which need not be reproducible
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
            headers={
                "User-Agent": f"leafid/{__version__} ({settings.contact or 'no contact given'})",
                "Accept-Encoding": "gzip, deflate",
            },
            auto_decompress=False,  # see body.pieces_of: bodies are unpacked in pieces of limited size
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

    async def fetch_json(
        self,
        url: str,
        *,
        query: Mapping[str, str | list[str]] | None = None,
        body: object | None = None,
        authorization: str | None = None,
        max_bytes: int | None = None,
        max_parts: int | None = None,
    ) -> Any:  # noqa: ANN401 -- JSON
        """Query a service (GET, or POST with a JSON ``body``) and return its JSON reply.

        Raises:
            FetchError: after the last attempt, or if the reply is no JSON, or beyond ``max_bytes`` or ``max_parts``.
        """
        reply = await self.fetch_bytes(url, query=query, body=body, authorization=authorization, max_bytes=max_bytes)
        return parse_json(reply, url, max_parts=max_parts)

    async def fetch_bytes(
        self,
        url: str,
        *,
        query: Mapping[str, str | list[str]] | None = None,
        body: object | None = None,
        authorization: str | None = None,
        max_bytes: int | None = None,
    ) -> bytes:
        """As ``fetch_json``, but return the bytes of the reply."""
        address = f"{url}?{urlencode(query, doseq=True)}" if query else url

        async def attempt() -> bytes:
            async with self.request(
                "GET" if body is None else "POST", address, json=body, authorization=authorization
            ) as response:
                await check_status(response)
                return await read_body(response, self.settings, max_bytes or MAX_REPLY_BYTES)

        return await self.with_retries(attempt)

    async def with_retries(self, attempt: Callable[[], Awaitable[T]]) -> T:
        """Retry transient errors with exponential backoff.

        Any exception but those of disk and journal costs this address alone: it becomes a FetchError.

        Raises:
            FetchError: of the last attempt.
        """
        settings = self.settings
        tried = 0
        while True:
            try:
                return await attempt()
            except (OSError, LeafidError, sqlite3.Error):
                raise
            except Exception as caught:
                error = caught if isinstance(caught, FetchError) else unexpected_error(caught)
                tried += 1
                if tried >= min(settings.attempts, error.max_attempts or settings.attempts):
                    raise error from None
                doubled = settings.first_pause * 2 ** (tried - 1)
                pause = min(settings.longest_pause, doubled) * self._random.uniform(0.5, 1.0)
                if error.retry_after is not None and error.retry_after > settings.longest_pause:
                    raise error from None
                await asyncio.sleep(pause)  # _wait_for_turn waits for the pause of Retry-After

    @asynccontextmanager
    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        json: object | None = None,
        authorization: str | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send one request, follow redirects, and hold the host's slot while the body is read.

        Addresses are asked for exactly as given, since a signature holds for one spelling only. Cookies are kept within
        one chain of redirects, since some hosts set one and redirect to the same address. ``authorization`` is sent to
        the first host only, never to the target of a redirect to another.

        Raises:
            FetchError: the address is refused, the host does not answer, or the connection breaks.
        """
        if self._session is None:
            raise RuntimeError("use WebClient as an async context manager")
        credentials = {"Authorization": authorization} if authorization else {}
        first_host_key = None
        cookies: aiohttp.CookieJar | None = None
        for _ in range(MAX_REDIRECTS + 1):
            try:
                host_key = check_address(url, allow_private=self.settings.allow_private_addresses)
            except RefusedAddressError as error:
                raise FetchError("refused_address", str(error), max_attempts=1) from None
            first_host_key = first_host_key or host_key
            host = self._hosts.setdefault(host_key, _HostState(asyncio.Semaphore(self.settings.connections_per_host)))
            async with host.slots:
                await self._wait_for_turn(host, host_key)
                with _FaultCounter(host, host_key, self.settings.longest_pause):
                    target = as_written(url)
                    async with asyncio.timeout(self.settings.longest_transfer):
                        response = await self._session.request(
                            method,
                            target,
                            headers={**(headers or {}), **(credentials if host_key == first_host_key else {})},
                            json=json,
                            allow_redirects=False,
                            cookies=cookies.filter_cookies(target) if cookies else None,
                        )
                    try:
                        self._apply_retry_after(host, response)
                        if response.status not in _REDIRECTS or "Location" not in response.headers:
                            yield response
                            return
                    finally:
                        response.release()
                    if response.cookies:
                        cookies = cookies or aiohttp.CookieJar(
                            unsafe=True
                        )  # unsafe: also of hosts that are IP addresses
                        cookies.update_cookies(response.cookies, target)
                    url = urljoin(url, response.headers["Location"])
                    if response.status == 303 or (response.status in (301, 302) and method == "POST"):
                        method, json = "GET", None
        raise FetchError("redirects", f"more than {MAX_REDIRECTS} redirects, last to {url}", max_attempts=2)

    async def _wait_for_turn(self, host: _HostState, host_key: str) -> None:
        """Wait until the next request to this host may start."""
        if host.closed:
            raise FetchError("host_down", f"{host_key} {host.closed}; the next call tries again", retry_after=1e9)
        while (wait := host.next_start - time.monotonic()) > 0:
            await asyncio.sleep(wait)
        host.next_start = time.monotonic() + self.settings.spacing

    def _apply_retry_after(self, host: _HostState, response: aiohttp.ClientResponse) -> None:
        """Apply the pause that a host asks for."""
        pause = retry_after(response)
        if response.status not in _PAUSING or pause is None:
            return
        if pause > self.settings.longest_pause:
            host.closed = f"asked for a pause of {pause:.0f} seconds"
        host.next_start = max(host.next_start, time.monotonic() + min(pause, self.settings.longest_pause))


class _FaultCounter:
    """Context that turns exceptions of aiohttp into FetchError and counts the host's errors."""

    def __init__(self, host: _HostState, host_key: str, longest_pause: float) -> None:
        self._host = host
        self._host_key = host_key
        self._longest_pause = longest_pause

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if error is None or (isinstance(error, FetchError) and not error.transient):
            self._host.record_success()
        elif isinstance(error, FetchError) and error.retry_after is None:
            self._host.record_fault(self._longest_pause)
        if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
            raise unexpected_error(error) from None  # hosts such as a..b, and what yarl and idna refuse
        if not isinstance(error, aiohttp.ClientError | TimeoutError | ConnectionError):
            return
        refused = _refused_address(error)
        if refused is not None:
            raise FetchError("refused_address", f"{self._host_key}: {refused}", max_attempts=1) from None
        self._host.record_fault(self._longest_pause)
        if isinstance(error, TimeoutError):
            raise FetchError("timed_out", f"{self._host_key} sent nothing within fetching.timeout") from None
        if isinstance(error, aiohttp.ClientPayloadError):
            raise FetchError(
                "truncated", f"{self._host_key} closed the connection before the end of the file"
            ) from None
        if isinstance(error, aiohttp.InvalidURL | aiohttp.NonHttpUrlClientError):
            raise FetchError("refused_address", f"not a valid web address: {error}", max_attempts=1) from None
        raise FetchError("connection", f"{self._host_key}: {error}") from None


def _refused_address(error: BaseException) -> RefusedAddressError | None:
    """Find a RefusedAddressError in the chain of causes of an exception of aiohttp."""
    current: BaseException | None = error
    while current is not None:
        if isinstance(current, RefusedAddressError):
            return current
        inner = getattr(current, "os_error", None)
        current = inner if isinstance(inner, RefusedAddressError) else current.__cause__ or current.__context__
    return None
