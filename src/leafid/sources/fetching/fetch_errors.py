"""Errors of a single request, and whether another attempt may succeed."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

_TRANSIENT_STATUSES = (408, 420, 425, 429, 500, 502, 503, 504, 507, 509, 520, 521, 522, 523, 524, 529)
"""HTTP statuses after which a retry may succeed, including those of proxies (52x) and of GBIF's rate limit (420)."""


LONGEST_PAUSE = 1e9
"""Seconds; hosts may write pauses of any number of digits."""


class FetchError(Exception):
    """One attempt to fetch failed. It is tried again or becomes a failure.

    Attributes:
        reason: a code, such as ``http_404``.
        detail: the reason in plain words.
        max_attempts: limit for this kind of error; None: ``fetching.attempts``.
        transient: whether the next call of the command tries again; by default, unless ``max_attempts`` is given.
        retry_after: pause that the host asked for, in seconds.
    """

    def __init__(
        self,
        reason: str,
        detail: str,
        *,
        max_attempts: int | None = None,
        transient: bool | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.max_attempts = max_attempts
        self.transient = max_attempts is None if transient is None else transient
        self.retry_after = retry_after


async def check_status(response: aiohttp.ClientResponse) -> None:
    """Accept 200 and 201.

    Raises:
        FetchError: any other status, with the first words of the reply.
    """
    status = response.status
    if status in (200, 201):
        return
    compressed = response.headers.get("Content-Encoding", "identity") != "identity"
    excerpt = "" if compressed else excerpt_of(await response.content.read(2000))
    detail = f"{response.url.host} answered {status}" + (f": {excerpt}" if excerpt else "")
    if status in _TRANSIENT_STATUSES:
        raise FetchError(f"http_{status}", detail, retry_after=retry_after(response))
    raise FetchError(f"http_{status}", detail, max_attempts=1)


def retry_after(response: aiohttp.ClientResponse) -> float | None:
    """Return the pause of a Retry-After header in seconds; the header may give seconds or a date."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return min(float(text), LONGEST_PAUSE)
    try:
        pause = (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, ArithmeticError, IndexError):  # a year of 20 digits is an OverflowError
        return None
    return min(max(0.0, pause), LONGEST_PAUSE)


def unexpected_error(error: Exception) -> FetchError:
    """Return the failure of one address for an exception that no step of fetching expects.

    Addresses and replies of strangers raise what they will; none of it may end the run.
    """
    if isinstance(error, ValueError):
        return FetchError("refused_address", f"an address cannot be asked for: {str(error)[:200]}", max_attempts=1)
    detail = f"unexpected {type(error).__name__}: {str(error)[:200]}; please report it with the address"
    return FetchError("unexpected", detail, max_attempts=1)


def excerpt_of(body: bytes) -> str:
    """Return the first words of a reply, without tags."""
    words = re.sub(r"<[^>]*>|[\[\]{}\"]", " ", body.decode("utf-8", "replace")).split()
    return " ".join(words)[:200]
