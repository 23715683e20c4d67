"""What goes wrong with a single request, and whether it is worth another attempt."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

_PASSING = (408, 420, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529)
"""Statuses that may pass, those of proxies (52x) and of GBIF's limits (420) among them."""


class FetchError(Exception):
    """One attempt failed: a coded ``reason``, a ``detail`` in plain words; it is tried again or becomes a failure.

    ``attempts`` is how often this kind of trouble is worth trying, at most; None: as often as the job says. ``passing``
    says whether the next call of the command should try again; by default, unless the attempts are limited. ``pause``
    is what the host asked for, in seconds.
    """

    def __init__(
        self,
        reason: str,
        detail: str,
        *,
        attempts: int | None = None,
        passing: bool | None = None,
        pause: float | None = None,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.attempts = attempts
        self.passing = attempts is None if passing is None else passing
        self.pause = pause


async def check_status(response: aiohttp.ClientResponse) -> None:
    """Accept 200 and 201.

    Raises:
        FetchError: any other status, with the start of what the host says about it.
    """
    status = response.status
    if status in (200, 201):
        return
    said = start_of(await response.content.read(2000))
    detail = f"{response.url.host} answered {status}" + (f": {said}" if said else "")
    if status in _PASSING:
        raise FetchError(f"http_{status}", detail, pause=retry_after(response))
    raise FetchError(f"http_{status}", detail, attempts=1)


def retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Return the pause that a host asks for, in seconds; it may be written as seconds or as a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None


def start_of(body: bytes) -> str:
    """The first words of a reply, without tags."""
    words = re.sub(r"<[^>]*>|[\[\]{}\"]", " ", body.decode("utf-8", "replace")).split()
    return " ".join(words)[:200]
