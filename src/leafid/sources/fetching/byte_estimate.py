"""Estimate the bytes of a collection from the sizes of a few files of each host."""

import asyncio
from dataclasses import dataclass

from leafid.progress import OnProgress
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.iiif import MANIFEST_PREFIX, SERVICE_PREFIX
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient

SAMPLES_PER_HOST = 3
"""Files of each host whose size is requested."""


@dataclass(frozen=True)
class ByteEstimate:
    """Bytes still to fetch, estimated from ``sampled_files`` sizes.

    ``unknown_images`` are on hosts that stated no size; their bytes are not included.
    """

    bytes: int
    sampled_files: int
    unknown_images: int


async def estimate_bytes(client: WebClient, journal: Journal, on_progress: OnProgress) -> ByteEstimate:
    """Request the sizes of a few files from every host of the plan (HEAD requests)."""
    counts = journal.planned_counts("host")
    done = 0

    async def sample(host: str) -> tuple[int, list[int], int]:
        nonlocal done
        sizes: list[int] = []
        missing = tried = 0
        for planned in journal.planned(host):
            url = planned.urls[0]
            earlier = journal.outcome(url)
            if earlier is not None and earlier.state == "done":
                continue
            missing += 1
            if tried < SAMPLES_PER_HOST and not url.startswith((MANIFEST_PREFIX, SERVICE_PREFIX)):
                tried += 1
                size = await _content_length(client, url)
                sizes += [size] if size else []
        done += 1
        on_progress(done, len(counts))
        return missing, sizes, tried

    samples = await asyncio.gather(*(sample(host) for host in counts))
    known = [(missing, sizes) for missing, sizes, _ in samples if sizes]
    return ByteEstimate(
        bytes=int(sum(missing * sum(sizes) / len(sizes) for missing, sizes in known)),
        sampled_files=sum(len(sizes) for _, sizes in known),
        unknown_images=sum(missing for missing, sizes, _ in samples if not sizes),
    )


async def _content_length(client: WebClient, url: str) -> int | None:
    try:
        async with client.request("HEAD", url, headers={"Accept-Encoding": "identity"}) as response:
            return response.content_length if response.status == 200 else None
    except (FetchError, ValueError):  # an address that is not valid is a failure when it is fetched
        return None
