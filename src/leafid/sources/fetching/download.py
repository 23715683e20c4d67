"""One file from the web to the disk: continued where it broke off, and looked at before it is believed."""

import re
from pathlib import Path

import aiohttp

from leafid.sources.fetching.fetch_errors import FetchError, check_status
from leafid.sources.fetching.image_store import NEEDED_START, ending_of
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient

KEPT_FROM = 1_000_000
"""Files of this many bytes or of unknown size are continued after an interruption; smaller ones are fetched anew."""

PAGE = "an HTML page"
_KINDS = (
    (re.compile(rb"^\s*(<!doctype html|<html|<head|<body|<!--)", re.IGNORECASE), PAGE),
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
    """Fetch a file to ``partial``; on return it is as long as the host said.

    Args:
        client: the way to the web.
        journal: keeps what is needed to continue the file.
        key: the address under which the journal knows the file; ``url`` may have been derived from it.
        url: what is fetched.
        partial: where the file grows; what lies there is continued if the host says it is still the same.
        max_bytes: longer files are refused.
        image: refuse what does not begin as an image does.

    Raises:
        FetchError: this attempt failed.
        OSError: the disk cannot be written.
    """
    headers = {"Accept": "image/*,*/*;q=0.5" if image else "*/*", "Accept-Encoding": "identity"}
    validator = journal.validator(key)
    there = partial.stat().st_size if validator and partial.is_file() else 0
    if validator and there:
        headers |= {"Range": f"bytes={there}-", "If-Range": validator}
    async with client.opened("GET", url, headers=headers) as response:
        if response.status == 416:
            if response.headers.get("Content-Range", "").replace(" ", "") == f"bytes*/{there}":
                return  # nothing was missing
            partial.unlink(missing_ok=True)
            raise FetchError("truncated", f"{response.url.host} cannot continue the file; it is fetched anew")
        start = there if response.status == 206 and _continues(response, there, validator) else 0
        if response.status != 206:
            await check_status(response)
        elif start != there:
            partial.unlink(missing_ok=True)
            raise FetchError("truncated", f"{response.url.host} continued another file, or at a wrong place")
        expected = _expected(response, start)
        if expected is not None and expected > max_bytes:
            raise FetchError("too_large", f"{expected / 1e6:.1f} MB; the limit is {max_bytes / 1e6:.1f} MB", attempts=1)
        if expected is None or expected >= KEPT_FROM:
            _note(journal, key, response)
        received = await _receive(response, partial, start, max_bytes, image)
    if received == 0:
        raise FetchError("empty", "the host sent no bytes", attempts=2)
    if expected is not None and received != expected:
        raise FetchError("truncated", f"{received} of {expected} bytes")


async def _receive(response: aiohttp.ClientResponse, partial: Path, start: int, max_bytes: int, image: bool) -> int:
    """Write the body to the disk; return the length of the whole file."""
    received, looked = start, start > 0 or not image
    with partial.open("ab" if start else "wb") as file:
        async for chunk in response.content.iter_chunked(1 << 18):
            if not looked:
                _look(chunk, response)
                looked = True
            received += len(chunk)
            if received > max_bytes:
                raise FetchError("too_large", f"more than {max_bytes / 1e6:.1f} MB", attempts=1)
            file.write(chunk)
    return received


def _look(start: bytes, response: aiohttp.ClientResponse) -> None:
    """Refuse what is no image by its first bytes; the content type is often wrong, and only mentioned."""
    if ending_of(start[:NEEDED_START]) is not None:
        return
    kind = next((kind for pattern, kind in _KINDS if pattern.search(start[:1000])), "no known image format")
    stated = response.headers.get("Content-Type", "no content type")
    # A page may be a notice of maintenance: the next call asks again. A drawing stands for a missing image.
    detail = f"{response.url.host} sent {kind} (as {stated}) with status 200"
    raise FetchError("not_an_image", detail, attempts=4, passing=kind == PAGE)


def _continues(response: aiohttp.ClientResponse, start: int, validator: str | None) -> bool:
    """Whether a 206 begins where the file broke off, and is still the same file."""
    etag = response.headers.get("ETag")
    same = etag is None or validator is None or not validator.startswith('"') or etag == validator
    return same and response.headers.get("Content-Range", "").replace("bytes ", "").startswith(f"{start}-")


def _expected(response: aiohttp.ClientResponse, start: int) -> int | None:
    """Length of the whole file as the host states it; unknown where the body is compressed or in chunks."""
    if response.content_length is None or response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    return start + response.content_length


def _note(journal: Journal, key: str, response: aiohttp.ClientResponse) -> None:
    """Keep the strong ETag, or the date, by which the host can tell that the file is still the same."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
    if validator:
        journal.note_partial(key, validator)
