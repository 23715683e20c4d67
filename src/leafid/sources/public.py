"""The public sources of a job, from names to image files: look up, search, plan, fetch, and account for everything."""

import asyncio
import csv
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from leafid.errors import OutputError, SourceError
from leafid.files import written_atomically
from leafid.jobs import GbifDownloadSource, GbifSearchSource, IdigbioSource, Job, WebSource
from leafid.progress import OnProgress
from leafid.sources.fetching.byte_estimate import ByteEstimate, estimate_bytes
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.fetch_planned import fetch_planned
from leafid.sources.fetching.image_store import ImageStore
from leafid.sources.fetching.journal import Journal, Outcome, Planned
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.found import Failure, Found, FoundImage, Measured
from leafid.sources.providers.gbif import search_gbif
from leafid.sources.providers.gbif_download import download_gbif
from leafid.sources.providers.idigbio import search_idigbio
from leafid.sources.providers.name_resolution import ResolvedTaxa, read_lock, resolve_taxa
from leafid.sources.providers.occurrences import Occurrence
from leafid.sources.providers.plan import Plan, plan_source
from leafid.sources.providers.publisher_archive import read_archive

T = TypeVar("T")

Bar = Callable[[str, str], AbstractContextManager[OnProgress]]
"""Opens a progress bar with a description and a unit; ``leafid.progress.progress_bar`` is one."""


@contextmanager
def no_bar(description: str, unit: str) -> Iterator[OnProgress]:
    """Show nothing."""
    yield lambda done, total: None


MEDIA_COLUMNS = ("source", "occurrence", "accessURI", "license", "decision", "why")


@dataclass(frozen=True)
class DryRun:
    """What a collection would fetch, and nothing else: numbers of records and images, media left by reason, bytes."""

    occurrences: int
    images: int
    by_taxon: Mapping[str, int]
    by_licence: Mapping[str, int]
    by_host: Mapping[str, int]
    left: Mapping[str, int]
    size: ByteEstimate
    notes: tuple[str, ...]


def find_public(job: Job, sources: Sequence[WebSource], bar: Bar) -> Found:
    """Fetch the images of public sources to disk.

    Called again, it goes on where it stopped: what was fetched is not fetched again, what failed for good stays a
    failure, and what failed for now is tried again. ``media.csv`` beside the catalog lists every medium that was met,
    with the reason where it was left.

    Raises:
        SourceError: a service cannot be reached, or the job lacks what a source needs.
        TaxonomyError: names of taxa are not clear.
        OutputError: the disk is full, or another collection of the job is running.
    """
    return _run(_find(job, sources, bar))


def dry_run(job: Job, *, bar: Bar = no_bar) -> DryRun:
    """Look up, search and plan, but fetch no image; sizes are estimated from what hosts say about a few files.

    Archives and GBIF downloads are fetched, since there is no other way to know what is in them.

    Raises:
        SourceError: as ``find_public``, or the job has no source on the web.
        TaxonomyError: names of taxa are not clear.
    """
    if not public_sources(job):
        raise SourceError("sources: all lie on this machine, there is nothing to fetch.")
    return _run(_dry_run(job, public_sources(job), bar))


def public_sources(job: Job) -> list[WebSource]:
    """Return the sources of a job whose images lie on the web."""
    return [source for source in job.sources if isinstance(source, WebSource)]


def store_of(job: Job) -> ImageStore:
    """Return where a job's fetched images lie."""
    return ImageStore(job.data_folder / "images")


def _run(work: Coroutine[object, object, T]) -> T:
    """Run to the end; troubles of services become messages for the user."""
    try:
        return asyncio.run(work)
    except FetchError as trouble:
        raise SourceError(f"A service cannot be reached. {trouble.detail}. The same command goes on later.") from None
    except sqlite3.OperationalError as error:
        raise OutputError(f"The journal of the collection cannot be written: {error}.") from None


async def _find(job: Job, sources: Sequence[WebSource], bar: Bar) -> Found:
    _check_contact(job, sources)
    with Journal(job.data_folder / "fetch.sqlite") as journal:
        async with WebClient(job.fetching) as client:
            plan = await _plan(job, sources, client, journal, bar)
            with bar("Fetching images", "images") as on_progress:
                fetched = await fetch_planned(client, journal, store_of(job), on_progress)
        found = Found(failures=plan.failures, notes=plan.notes)
        _account(job, journal, found)
        _write_media(journal, job.data_folder / "media.csv")
        if fetched.fetched or fetched.known:
            now = f"{fetched.fetched} images fetched now ({fetched.bytes / 1e6:.1f} MB)"
            found.notes.append(f"{now}, {fetched.known} were here from earlier calls")
        found.notes += _left(journal, job.data_folder / "media.csv")
        journal.forget_replies()  # only now: until here an interrupted call need not ask the services again
    return found


def _left(journal: Journal, path: Path) -> list[str]:
    """Say in a few sentences what was left, and where all of it is listed."""
    left = journal.left()
    if not left:
        return []
    shown = [f"  {count} media: {why}" for why, count in list(left.items())[:8]]
    return ["\n".join([f"{sum(left.values())} media were left; each is listed with the reason in {path}", *shown])]


async def _dry_run(job: Job, sources: Sequence[WebSource], bar: Bar) -> DryRun:
    _check_contact(job, sources)
    with Journal(job.data_folder / "fetch.sqlite") as journal:
        async with WebClient(job.fetching) as client:
            plan = await _plan(job, sources, client, journal, bar)
            with bar("Asking for sizes", "files") as on_progress:
                size = await estimate_bytes(client, journal, on_progress)
        _write_media(journal, job.data_folder / "media.csv")
        by_taxon = journal.taken("taxon")
        return DryRun(
            occurrences=plan.occurrences,
            images=sum(by_taxon.values()),
            by_taxon=by_taxon,
            by_licence=journal.taken("licence"),
            by_host=journal.taken("host"),
            left=journal.left(),
            size=size,
            notes=tuple(plan.notes),
        )


async def _plan(job: Job, sources: Sequence[WebSource], client: WebClient, journal: Journal, bar: Bar) -> Plan:
    """Write the images of all sources into the journal."""
    plan = Plan()
    taxa = await _resolve(job, sources, client)
    plan.notes += taxa.notes
    journal.begin_plan()
    with bar("Finding records", "records") as on_progress:
        for source in sources:
            found = _search(source, job, taxa, client, journal)
            await plan_source(source, found, job, journal, plan, on_progress)
    journal.leave_repeated()
    if job.fetching.limit_per_taxon is not None:
        journal.limit(job.fetching.limit_per_taxon)
    return plan


async def _resolve(job: Job, sources: Sequence[WebSource], client: WebClient) -> ResolvedTaxa:
    """Look up the names of the job where a source is asked by key; else only what the lock file has."""
    if job.taxa is None or not job.taxa.entries:
        return ResolvedTaxa({}, ())
    lock = job.taxa.lock or job.data_folder / "taxa.lock.yaml"
    if any(isinstance(source, GbifSearchSource | GbifDownloadSource) for source in sources):
        return await resolve_taxa(job.taxa, client, lock)
    known = read_lock(lock)
    return ResolvedTaxa({entry.name: known[entry.name] for entry in job.taxa.entries if entry.name in known}, ())


def _search(
    source: WebSource, job: Job, taxa: ResolvedTaxa, client: WebClient, journal: Journal
) -> AsyncIterator[Occurrence | Failure | str]:
    """Open one source."""
    if isinstance(source, GbifSearchSource):
        return search_gbif(source, job, taxa, client, journal)
    if isinstance(source, GbifDownloadSource):
        return download_gbif(source, job, taxa, client, journal)
    if isinstance(source, IdigbioSource):
        return search_idigbio(source, job, taxa, client, journal)
    return read_archive(source, job, taxa, client, journal)


def _check_contact(job: Job, sources: Sequence[WebSource]) -> None:
    if job.fetching.contact is None:
        raise SourceError(
            "fetching.contact is missing. Write your e-mail address or web page there: it is sent along with every "
            "request, so that a herbarium can reach you."
        )


def _account(job: Job, journal: Journal, found: Found) -> None:
    """Make an image or a failure of every image that was planned."""
    store = store_of(job)
    for planned in journal.planned():
        image, trouble = _outcome(planned, journal)
        if image is not None:
            values = {**planned.row, "sha256": str(image.sha256), "retrieved": str(image.retrieved)}
            measured = Measured(str(image.sha256), int(image.width or 0), int(image.height or 0))
            found.images.append(FoundImage(store.path(image), planned.source, values, measured))
        else:
            address = planned.row["accessURI"]
            reason, detail = (str(trouble.reason), str(trouble.detail)) if trouble else ("not_tried", "not tried")
            found.failures.append(Failure(address, f"{planned.source} {planned.occurrence}", reason, detail))


def _outcome(planned: Planned, journal: Journal) -> tuple[Outcome | None, Outcome | None]:
    """The image, or the trouble of the address that was tried first."""
    outcomes = [outcome for url in planned.urls if (outcome := journal.outcome(url)) is not None]
    image = next((outcome for outcome in outcomes if outcome.state == "done"), None)
    return image, next(iter(outcomes), None)


def _write_media(journal: Journal, path: Path) -> None:
    """List every medium that was met, and why it was left."""
    with written_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(MEDIA_COLUMNS)
        writer.writerows(journal.media())
