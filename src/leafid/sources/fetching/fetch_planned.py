"""Fetching the planned images: host by host, resumable, each file checked before it counts."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from leafid.cores import usable_cores
from leafid.errors import FailureReason, ImageError
from leafid.jobs import FetchingSettings
from leafid.progress import OnProgress
from leafid.sources.fetching.download import download
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.iiif import MANIFEST, SERVICE, image_address
from leafid.sources.fetching.image_store import ImageStore, disk_error
from leafid.sources.fetching.journal import Journal, Outcome, Planned
from leafid.sources.fetching.web_client import WebClient

_TRIED_TWICE = (FailureReason.NOT_AN_IMAGE, FailureReason.UNSUPPORTED, FailureReason.UNREADABLE)
_FINAL = (FailureReason.TOO_LARGE,)


@dataclass
class Fetched:
    """How it went: images on disk from earlier calls and from this one, and images that could not be had."""

    known: int = 0
    fetched: int = 0
    failed: int = 0
    bytes: int = 0


@dataclass
class _Work:
    """What the workers of one call share."""

    client: WebClient
    journal: Journal
    store: ImageStore
    settings: FetchingSettings
    pool: ThreadPoolExecutor
    on_progress: OnProgress | None
    total: int
    fetched: Fetched = field(default_factory=Fetched)
    under_way: dict[str, asyncio.Future[Outcome]] = field(default_factory=dict)


async def fetch_planned(
    client: WebClient, journal: Journal, store: ImageStore, on_progress: OnProgress | None = None
) -> Fetched:
    """Fetch every planned image that is not on disk yet; outcomes go to the journal as they come.

    Raises:
        OutputError: the disk is full or cannot be written. The same call goes on where it stopped.
    """
    store.repair(journal)
    total = sum(journal.taken("host").values())
    with ThreadPoolExecutor(max(2, min(8, usable_cores()))) as pool:
        work = _Work(client, journal, store, client.settings, pool, on_progress, total)
        try:
            async with asyncio.TaskGroup() as group:
                for host in journal.hosts():
                    queue = journal.planned(host)
                    for _ in range(client.settings.connections_per_host):
                        group.create_task(_serve(work, queue))
        except BaseExceptionGroup as errors:
            raise _first(errors) from None
    return work.fetched


async def _serve(work: _Work, queue: Iterator[Planned]) -> None:
    """Take image after image of one host."""
    for planned in queue:
        await _fetch(work, planned)
        if work.on_progress:
            done = work.fetched.known + work.fetched.fetched + work.fetched.failed
            work.on_progress(done, work.total)


async def _fetch(work: _Work, planned: Planned) -> None:
    """Try the addresses of one image in their order until one gives it."""
    for url in planned.urls:
        before = work.journal.outcome(url)
        if before is not None and before.state == "done":
            work.fetched.known += 1
            return
        if before is not None and before.state == "failed":
            continue
        outcome = await _once(work, url)
        if outcome.state == "done":
            work.fetched.fetched += 1
            work.fetched.bytes += outcome.bytes or 0
            return
    work.fetched.failed += 1


async def _once(work: _Work, url: str) -> Outcome:
    """Fetch an address that several records may share only once."""
    if url in work.under_way:
        return await asyncio.shield(work.under_way[url])
    work.under_way[url] = asyncio.get_running_loop().create_future()
    try:
        outcome = await _patiently(work, url)
    except BaseException:
        work.under_way.pop(url).cancel()
        raise
    work.under_way.pop(url).set_result(outcome)
    return outcome


async def _patiently(work: _Work, url: str) -> Outcome:
    """Fetch, check and keep one file; faults that may pass are tried again."""
    partial = work.store.partial(url)

    async def attempt() -> Outcome:
        address = url
        if url.startswith((MANIFEST, SERVICE)):
            address = await image_address(work.client, url, work.settings.max_side)
        await download(work.client, work.journal, url, address, partial, max_bytes=work.settings.max_bytes, image=True)
        try:
            return await asyncio.get_running_loop().run_in_executor(work.pool, work.store.check, partial)
        except ImageError as error:
            partial.unlink(missing_ok=True)  # its end may be there, but what lies there is no image
            tries = 1 if error.reason in _FINAL else 2 if error.reason in _TRIED_TWICE else None
            raise FetchError(str(error.reason), error.detail, attempts=tries) from None

    try:
        outcome = await work.client.patiently(attempt)
        work.store.keep(url, outcome, work.journal)
    except FetchError as trouble:
        state = "delayed" if trouble.passing else "failed"
        outcome = Outcome(state, reason=trouble.reason, detail=trouble.detail)
        work.journal.record(url, outcome)
        if work.journal.validator(url) is None:  # nothing that the next call could continue
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, work.store.folder) from None
    return outcome


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """The error that stopped all workers; when the disk is full each meets the same."""
    first = errors.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
