"""Fetch the planned images of each host in turn, resumably; every file is decoded before it counts."""

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
from leafid.sources.fetching.iiif import MANIFEST_PREFIX, SERVICE_PREFIX, resolve_image_url
from leafid.sources.fetching.image_store import ImageStore, disk_error
from leafid.sources.fetching.journal import FetchOutcome, Journal, PlannedImage
from leafid.sources.fetching.web_client import WebClient

_RETRIED_ONCE = (FailureReason.NOT_AN_IMAGE, FailureReason.UNSUPPORTED, FailureReason.UNREADABLE)
_NOT_RETRIED = (FailureReason.TOO_LARGE,)


@dataclass
class FetchCounts:
    """Numbers of images: on disk from earlier calls (``known``), fetched by this call, and failed; bytes fetched."""

    known: int = 0
    fetched: int = 0
    failed: int = 0
    bytes: int = 0


@dataclass
class _FetchRun:
    """State shared by the workers of one call."""

    client: WebClient
    journal: Journal
    store: ImageStore
    settings: FetchingSettings
    pool: ThreadPoolExecutor
    on_progress: OnProgress | None
    total: int
    fetched: FetchCounts = field(default_factory=FetchCounts)
    in_flight: dict[str, asyncio.Future[FetchOutcome]] = field(default_factory=dict)


async def fetch_images(
    client: WebClient, journal: Journal, store: ImageStore, on_progress: OnProgress | None = None
) -> FetchCounts:
    """Fetch every planned image that is not on disk yet, and record each outcome in the journal at once.

    Raises:
        OutputError: the disk is full or cannot be written. A second call continues where the first stopped.
    """
    store.repair(journal)
    total = sum(journal.planned_counts("host").values())
    with ThreadPoolExecutor(max(2, min(8, usable_cores()))) as pool:
        run = _FetchRun(client, journal, store, client.settings, pool, on_progress, total)
        try:
            async with asyncio.TaskGroup() as group:
                for host in journal.hosts():
                    queue = journal.planned(host)
                    for _ in range(client.settings.connections_per_host):
                        group.create_task(_fetch_from_queue(run, queue))
        except BaseExceptionGroup as errors:
            raise _first_error(errors) from None
    return run.fetched


async def _fetch_from_queue(run: _FetchRun, queue: Iterator[PlannedImage]) -> None:
    """Fetch images of one host until its queue is empty."""
    for planned in queue:
        await _fetch(run, planned)
        if run.on_progress:
            done = run.fetched.known + run.fetched.fetched + run.fetched.failed
            run.on_progress(done, run.total)


async def _fetch(run: _FetchRun, planned: PlannedImage) -> None:
    """Try the addresses of one image in order until one succeeds."""
    for url in planned.urls:
        earlier = run.journal.outcome(url)
        if earlier is not None and earlier.state == "done":
            run.fetched.known += 1
            return
        if earlier is not None and earlier.state == "failed":
            continue
        outcome = await _fetch_url_once(run, url)
        if outcome.state == "done":
            run.fetched.fetched += 1
            run.fetched.bytes += outcome.bytes or 0
            return
    run.fetched.failed += 1


async def _fetch_url_once(run: _FetchRun, url: str) -> FetchOutcome:
    """Fetch an address once, even if several records share it."""
    if url in run.in_flight:
        return await asyncio.shield(run.in_flight[url])
    run.in_flight[url] = asyncio.get_running_loop().create_future()
    try:
        outcome = await _fetch_with_retries(run, url)
    except BaseException:
        run.in_flight.pop(url).cancel()
        raise
    run.in_flight.pop(url).set_result(outcome)
    return outcome


async def _fetch_with_retries(run: _FetchRun, url: str) -> FetchOutcome:
    """Fetch, check and store one file; retry transient errors."""
    partial = run.store.partial(url)

    async def attempt() -> FetchOutcome:
        address = url
        if url.startswith((MANIFEST_PREFIX, SERVICE_PREFIX)):
            address = await resolve_image_url(run.client, url, run.settings.max_side)
        await download(run.client, run.journal, url, address, partial, max_bytes=run.settings.max_bytes, image=True)
        try:
            return await asyncio.get_running_loop().run_in_executor(run.pool, run.store.verify, partial)
        except ImageError as error:
            partial.unlink(missing_ok=True)  # complete, but not a readable image: continuing it is useless
            limit = 1 if error.reason in _NOT_RETRIED else 2 if error.reason in _RETRIED_ONCE else None
            raise FetchError(str(error.reason), error.detail, max_attempts=limit) from None

    try:
        outcome = await run.client.with_retries(attempt)
        run.store.commit(url, outcome, run.journal)
    except FetchError as error:
        state = "delayed" if error.transient else "failed"
        outcome = FetchOutcome(state, reason=error.reason, detail=error.detail)
        run.journal.record(url, outcome)
        if run.journal.validator(url) is None:  # without a validator the next call cannot continue the file
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(error, run.store.folder) from None
    return outcome


def _first_error(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error that stopped the workers; with a full disk, each raises the same one."""
    first = errors.exceptions[0]
    return _first_error(first) if isinstance(first, BaseExceptionGroup) else first
