"""How many bytes a collection will be: hosts are asked for the sizes of a few files, the rest is arithmetic."""

import asyncio
from dataclasses import dataclass

from leafid.progress import OnProgress
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.iiif import MANIFEST, SERVICE
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient

ASKED_PER_HOST = 3
"""Files of each host whose size is asked for."""


@dataclass(frozen=True)
class ByteEstimate:
    """Bytes still to be fetched, estimated from ``asked`` files; ``unknown`` images lie on hosts that did not say."""

    bytes: int
    asked: int
    unknown: int


async def estimate_bytes(client: WebClient, journal: Journal, on_progress: OnProgress) -> ByteEstimate:
    """Ask every host of the plan for the sizes of a few files (HEAD requests)."""
    counts = journal.taken("host")
    done = 0

    async def ask(host: str) -> tuple[int, list[int], int]:
        nonlocal done
        sizes: list[int] = []
        missing = tried = 0
        for planned in journal.planned(host):
            url = planned.urls[0]
            before = journal.outcome(url)
            if before is not None and before.state == "done":
                continue
            missing += 1
            if tried < ASKED_PER_HOST and not url.startswith((MANIFEST, SERVICE)):
                tried += 1
                size = await _size(client, url)
                sizes += [size] if size else []
        done += 1
        on_progress(done, len(counts))
        return missing, sizes, tried

    answers = await asyncio.gather(*(ask(host) for host in counts))
    known = [(missing, sizes) for missing, sizes, _ in answers if sizes]
    return ByteEstimate(
        bytes=int(sum(missing * sum(sizes) / len(sizes) for missing, sizes in known)),
        asked=sum(len(sizes) for _, sizes in known),
        unknown=sum(missing for missing, sizes, _ in answers if not sizes),
    )


async def _size(client: WebClient, url: str) -> int | None:
    try:
        async with client.opened("HEAD", url, headers={"Accept-Encoding": "identity"}) as response:
            return response.content_length if response.status == 200 else None
    except FetchError:
        return None
