"""Receive bodies of replies: decompress them piece by piece, and give up those that come too slowly."""

import json
import time
import zlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from leafid.jobs import FetchingSettings
from leafid.sources.fetching.fetch_errors import FetchError, excerpt_of

PIECE_BYTES = 1 << 18
MAX_JSON_PARTS = 300_000
"""Most lists, objects and values of a JSON reply of a stranger; an info.json has some hundred."""


async def pieces_of(
    response: aiohttp.ClientResponse, settings: FetchingSettings, *, total_time: bool = True
) -> AsyncIterator[bytes]:
    """Yield the body of a reply in decompressed pieces of at most ``PIECE_BYTES``.

    A small compressed body may unpack to gigabytes, so the caller counts the bytes and stops at its own limit.

    Args:
        response: a reply whose body has not been read.
        settings: ``least_rate`` over each ``timeout``, and ``longest_transfer``.
        total_time: apply ``longest_transfer``; without it, as for archives, only the rate counts.

    Raises:
        FetchError: the body comes too slowly, is damaged, or is compressed in an unknown way.
    """
    decompressor = _decompressor(response)
    started = window = time.monotonic()
    in_window = 0
    async for chunk in response.content.iter_chunked(PIECE_BYTES):
        now = time.monotonic()
        in_window += len(chunk)
        if total_time and now - started > settings.longest_transfer:
            raise FetchError(
                "too_slow",
                f"{response.url.host} needed over {settings.longest_transfer:g} s",
                max_attempts=2,
                transient=True,
            )
        if now - window >= settings.timeout:
            if in_window < settings.least_rate * (now - window):
                rate = in_window / (now - window)
                detail = f"{response.url.host} sent {rate:.0f} bytes a second; the least is {settings.least_rate}"
                raise FetchError("too_slow", detail, max_attempts=2, transient=True)
            window, in_window = now, 0
        if decompressor is None:
            yield chunk
            continue
        try:
            while chunk:
                yield decompressor.decompress(chunk, PIECE_BYTES)
                chunk = decompressor.unconsumed_tail
        except zlib.error as error:
            raise FetchError("truncated", f"{response.url.host} sent a damaged compressed body: {error}") from None
    if decompressor is not None:
        yield decompressor.flush()
    if decompressor is not None and not decompressor.eof:
        raise FetchError("truncated", f"{response.url.host} closed the connection before the end of the file")


async def read_body(response: aiohttp.ClientResponse, settings: FetchingSettings, max_bytes: int) -> bytes:
    """Return a whole body.

    Raises:
        FetchError: it is longer than ``max_bytes``, or as ``pieces_of``.
    """
    received = bytearray()
    async for piece in pieces_of(response, settings):
        received += piece
        if len(received) > max_bytes:
            detail = f"{response.url} answered with over {max_bytes} bytes"
            raise FetchError("too_large", detail, max_attempts=1)
    return bytes(received)


def parse_json(reply: bytes, url: str, *, max_parts: int | None = None) -> Any:  # noqa: ANN401 -- JSON
    """Parse the JSON reply of ``url``.

    Args:
        reply: the body.
        url: for messages.
        max_parts: most lists, objects and values; they take some fifty times their bytes of memory.

    Raises:
        FetchError: it is no JSON, nested too deeply, has numbers of thousands of digits, or too many parts.
    """
    if max_parts is not None and reply.count(b",") + reply.count(b"[") + reply.count(b"{") > max_parts:
        raise FetchError("not_json", f"{url} answered with over {max_parts} values", max_attempts=1)
    try:
        return json.loads(reply)
    except RecursionError:
        raise FetchError("not_json", f"{url} answered with JSON that is nested too deeply", max_attempts=1) from None
    except json.JSONDecodeError:
        raise FetchError("not_json", f"{url} answered without JSON: {excerpt_of(reply)}", max_attempts=1) from None
    except ValueError:  # Python refuses to read integers of more than 4,300 digits; or the text is not UTF-8
        detail = f"{url} answered with JSON that cannot be read: too long a number, or no UTF-8"
        raise FetchError("not_json", detail, max_attempts=1) from None


def _decompressor(response: aiohttp.ClientResponse) -> "zlib._Decompress | None":
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip", "deflate"):
        return zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)  # gzip or zlib, by the header of the stream
    raise FetchError("encoding", f"{response.url.host} compressed its reply as {encoding!r}, unasked", max_attempts=1)
