"""Download one file to disk: continue after an interruption, and check that the file is an image."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from leafid.sources.fetching.body import pieces_of
from leafid.sources.fetching.fetch_errors import FetchError, check_status
from leafid.sources.fetching.image_store import SIGNATURE_BYTES, extension_of
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient

RESUMABLE_FROM = 1_000_000
"""Bytes. Files of at least this or of unknown size are continued after an interruption; smaller ones restart."""

JUDGED_BYTES = 1000
"""An image has its signature in the first 16 bytes; a page or drawing needs more to be named."""

HTML_PAGE = "an HTML page"
_NON_IMAGE_SIGNATURES = (
    (re.compile(rb"^\s*(<!doctype html|<html|<head|<body|<!--)", re.IGNORECASE), HTML_PAGE),
    (
        re.compile(rb"^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!doctype svg[^>]*>\s*)?<svg", re.I | re.S),
        "an SVG drawing",
    ),
    (re.compile(rb"^\s*<"), "an XML document"),
    (re.compile(rb"^\s*[\[{]"), "a JSON document"),
    (re.compile(rb"^%PDF"), "a PDF document"),
    (re.compile(rb"^PK\x03\x04"), "a ZIP archive"),
)


async def download(
    client: WebClient, journal: Journal, key: str, url: str, partial: Path, *, max_bytes: int, image: bool
) -> None:
    """Fetch a file to ``partial``. On return it has the length that the host stated.

    Args:
        client: the HTTP client.
        journal: stores the validator (ETag or date) needed to continue the file.
        key: key of the file in the journal; ``url`` may be derived from it.
        url: the address to fetch.
        partial: the file to write. An existing part is continued if the host confirms that the file is unchanged.
        max_bytes: longer files are refused.
        image: refuse files without the signature of an image format.

    Raises:
        FetchError: this attempt failed.
        OSError: the disk cannot be written.
    """
    headers = {"Accept": "image/*,*/*;q=0.5" if image else "*/*", "Accept-Encoding": "identity"}
    validator = journal.validator(key)
    offset = partial.stat().st_size if validator and partial.is_file() else 0
    if validator and offset:
        headers |= {"Range": f"bytes={offset}-", "If-Range": validator}
    async with client.request("GET", url, headers=headers) as response:
        if response.status == 416:
            if response.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{offset}":
                return  # the file was already complete
            partial.unlink(missing_ok=True)
            raise FetchError("truncated", f"{response.url.host} cannot continue the file; it is fetched again")
        start = offset if response.status == 206 and _resumes(response, offset, validator) else 0
        if response.status != 206:
            await check_status(response)
        elif start != offset:
            partial.unlink(missing_ok=True)
            raise FetchError("truncated", f"{response.url.host} continued another file, or at a wrong offset")
        expected = _expected_length(response, start)
        if expected is not None and expected > max_bytes:
            raise FetchError(
                "too_large", f"{expected / 1e6:.1f} MB; the limit is {max_bytes / 1e6:.1f} MB", max_attempts=1
            )
        if expected is None or expected >= RESUMABLE_FROM:
            _store_validator(journal, key, response)
        pieces = pieces_of(response, client.settings, total_time=image)
        received = await _receive(response, pieces, partial, start, max_bytes, image)
    if received == 0:
        raise FetchError("empty", "the host sent no bytes", max_attempts=2)
    if expected is not None and received != expected:
        raise FetchError("truncated", f"{received} of {expected} bytes")


async def _receive(
    response: aiohttp.ClientResponse,
    pieces: AsyncIterator[bytes],
    partial: Path,
    start: int,
    max_bytes: int,
    image: bool,
) -> int:
    """Write the body to disk; return the length of the whole file.

    An image is judged by its first ``JUDGED_BYTES`` and not by its first packet, which may be a single byte.
    """
    received, checked = start, start > 0 or not image
    first = b""
    with partial.open("ab" if start else "wb") as file:
        async for piece in pieces:
            received += len(piece)
            if received > max_bytes:
                raise FetchError("too_large", f"more than {max_bytes / 1e6:.1f} MB", max_attempts=1)
            file.write(piece)
            if not checked:
                first += piece[: JUDGED_BYTES - len(first)]
                checked = extension_of(first[:SIGNATURE_BYTES]) is not None and len(first) >= SIGNATURE_BYTES
                if not checked and len(first) >= JUDGED_BYTES:
                    _check_signature(first, response)
    if not checked and first:
        _check_signature(first, response)
    return received


def _check_signature(start: bytes, response: aiohttp.ClientResponse) -> None:
    """Refuse a file whose first bytes are not those of an image; the content type is often wrong and only reported."""
    if extension_of(start[:SIGNATURE_BYTES]) is not None:
        return
    kind = next(
        (kind for pattern, kind in _NON_IMAGE_SIGNATURES if pattern.search(start[:1000])), "no known image format"
    )
    stated = response.headers.get("Content-Type", "no content type")
    # An HTML page may announce maintenance, so the next call tries again; an SVG drawing is a placeholder for good.
    detail = f"{response.url.host} sent {kind} (as {stated}) with status 200"
    raise FetchError("not_an_image", detail, max_attempts=4, transient=kind == HTML_PAGE)


def _resumes(response: aiohttp.ClientResponse, start: int, validator: str | None) -> bool:
    """Whether a 206 response starts at ``start`` and belongs to the same version of the file."""
    etag = response.headers.get("ETag")
    same = etag is None or validator is None or not validator.startswith('"') or etag == validator
    return same and response.headers.get("Content-Range", "").replace("bytes ", "").startswith(f"{start}-")


def _expected_length(response: aiohttp.ClientResponse, start: int) -> int | None:
    """Return the length of the whole file as stated by the host; None for compressed or chunked bodies."""
    if response.content_length is None or response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    return start + response.content_length


def _store_validator(journal: Journal, key: str, response: aiohttp.ClientResponse) -> None:
    """Store the strong ETag, or the date, by which the host can confirm that the file is unchanged."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
    if validator:
        journal.set_validator(key, validator)
