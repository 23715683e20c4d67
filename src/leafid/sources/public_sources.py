"""Fetch the images of a job's public sources: resolve names, search, plan, fetch, and report every outcome."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from leafid.errors import OutputError, SourceError
from leafid.jobs import GbifDownloadSource, GbifSearchSource, IdigbioSource, Job, WebSource
from leafid.progress import OnProgress
from leafid.sources.fetching.byte_estimate import ByteEstimate, estimate_bytes
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.fetch_images import fetch_images
from leafid.sources.fetching.image_store import ImageStore
from leafid.sources.fetching.journal import FetchOutcome, Journal, PlannedImage
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.providers.gbif import search_gbif
from leafid.sources.providers.gbif_download import download_gbif
from leafid.sources.providers.idigbio import search_idigbio
from leafid.sources.providers.image_plan import Plan, plan_source
from leafid.sources.providers.name_resolution import ResolvedTaxa, read_lock, resolve_taxa
from leafid.sources.providers.occurrences import Occurrence
from leafid.sources.providers.publisher_archive import read_archive
from leafid.sources.source_result import Failure, ImageFileInfo, SourceImage, SourceResult
from leafid.tables import write_table

T = TypeVar("T")

ProgressBar = Callable[[str, str], AbstractContextManager[OnProgress]]
"""Opens a progress bar with a description and a unit, as ``leafid.progress.progress_bar`` does."""


@contextmanager
def no_progress_bar(description: str, unit: str) -> Iterator[OnProgress]:
    """Show nothing."""
    yield lambda done, total: None


MEDIA_COLUMNS = ("source", "occurrence", "accessURI", "license", "decision", "why")


@dataclass(frozen=True)
class DryRun:
    """What a collection would fetch: counts of records, images and media, and an estimate of the bytes.

    ``excluded`` counts the media that would not be fetched by the reason.
    """

    occurrences: int
    images: int
    by_taxon: Mapping[str, int]
    by_licence: Mapping[str, int]
    by_host: Mapping[str, int]
    excluded: Mapping[str, int]
    size: ByteEstimate
    notes: tuple[str, ...]


def fetch_public(job: Job, sources: Sequence[WebSource], progress_bar: ProgressBar) -> SourceResult:
    """Fetch the images of public sources to disk.

    A second call continues where the first stopped. Fetched images are not fetched again, permanent failures stay
    failures, and transient failures are tried again. ``media.csv`` beside the catalog lists every medium found, with
    the reason where it was not taken.

    Raises:
        SourceError: a service cannot be reached, or the job lacks what a source needs.
        TaxonomyError: names of taxa have no clear match.
        OutputError: the disk is full, or another collection of the job is running.
    """
    return _run(_fetch_public(job, sources, progress_bar))


def dry_run(job: Job, *, progress_bar: ProgressBar = no_progress_bar) -> DryRun:
    """Resolve, search and plan, but fetch no image. Sizes are estimated from a few HEAD requests to each host.

    Archives and GBIF downloads are fetched, since their content is unknown until then.

    Raises:
        SourceError: as ``fetch_public``, or the job has no source on the web.
        TaxonomyError: names of taxa have no clear match.
    """
    if not web_sources(job):
        raise SourceError(
            "sources: all are on this machine, so there is nothing to fetch. Run the command without --dry-run."
        )
    return _run(_dry_run(job, web_sources(job), progress_bar))


def web_sources(job: Job) -> list[WebSource]:
    """Return the sources of a job whose images are on the web."""
    return [source for source in job.sources if isinstance(source, WebSource)]


def image_store_of(job: Job) -> ImageStore:
    """Return the store of a job's fetched images."""
    return ImageStore(job.data_folder / "images")


def _run(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine; turn errors of services into messages for the user."""
    try:
        return asyncio.run(work)
    except FetchError as error:
        raise SourceError(
            f"A service cannot be reached. {error.detail}. Repeat the command later; it continues where it stopped."
        ) from None
    except sqlite3.OperationalError as error:
        raise OutputError(f"The journal of the collection cannot be written: {error}.") from None


async def _fetch_public(job: Job, sources: Sequence[WebSource], progress_bar: ProgressBar) -> SourceResult:
    _check_contact(job, sources)
    with Journal(job.data_folder / "fetch.sqlite") as journal:
        async with WebClient(job.fetching) as client:
            plan = await _plan(job, sources, client, journal, progress_bar)
            with progress_bar("Fetching images", "images") as on_progress:
                counts = await fetch_images(client, journal, image_store_of(job), on_progress)
        result = SourceResult(failures=plan.failures, notes=plan.notes)
        _add_outcomes(job, journal, result)
        _write_media(journal, job.data_folder / "media.csv")
        if counts.fetched or counts.known:
            fetched = f"{counts.fetched} images fetched ({counts.bytes / 1e6:.1f} MB)"
            result.notes.append(f"{fetched}, {counts.known} were on disk from earlier calls")
        result.notes += _excluded_notes(journal, job.data_folder / "media.csv")
        journal.clear_replies()  # only now, so that an interrupted call need not query the services again
    return result


def _excluded_notes(journal: Journal, path: Path) -> list[str]:
    """Summarise the media that were not taken, and name the file that lists them."""
    excluded = journal.excluded_counts()
    if not excluded:
        return []
    shown = [f"  {count} media: {reason}" for reason, count in list(excluded.items())[:8]]
    return ["\n".join([f"{sum(excluded.values())} media were not taken; {path} lists each with the reason", *shown])]


async def _dry_run(job: Job, sources: Sequence[WebSource], progress_bar: ProgressBar) -> DryRun:
    _check_contact(job, sources)
    with Journal(job.data_folder / "fetch.sqlite") as journal:
        async with WebClient(job.fetching) as client:
            plan = await _plan(job, sources, client, journal, progress_bar)
            with progress_bar("Estimating sizes", "files") as on_progress:
                size = await estimate_bytes(client, journal, on_progress)
        _write_media(journal, job.data_folder / "media.csv")
        by_taxon = journal.planned_counts("taxon")
        return DryRun(
            occurrences=plan.occurrences,
            images=sum(by_taxon.values()),
            by_taxon=by_taxon,
            by_licence=journal.planned_counts("licence"),
            by_host=journal.planned_counts("host"),
            excluded=journal.excluded_counts(),
            size=size,
            notes=tuple(plan.notes),
        )


async def _plan(
    job: Job, sources: Sequence[WebSource], client: WebClient, journal: Journal, progress_bar: ProgressBar
) -> Plan:
    """Write the images of all sources into the journal."""
    plan = Plan()
    taxa = await _resolve(job, sources, client)
    plan.notes += taxa.notes
    journal.clear_plan()
    with progress_bar("Finding records", "records") as on_progress:
        for source in sources:
            occurrences = _search(source, job, taxa, client, journal)
            await plan_source(source, occurrences, job, journal, plan, on_progress)
    journal.exclude_repeated()
    if job.fetching.limit_per_taxon is not None:
        journal.limit_per_taxon(job.fetching.limit_per_taxon)
    return plan


async def _resolve(job: Job, sources: Sequence[WebSource], client: WebClient) -> ResolvedTaxa:
    """Resolve the names of the job where a source is queried by taxon key; otherwise read the lock file only."""
    if job.taxa is None or not job.taxa.entries:
        return ResolvedTaxa({}, ())
    lock = job.taxa.lock or job.data_folder / "taxa.lock.yaml"
    if any(isinstance(source, GbifSearchSource | GbifDownloadSource) for source in sources):
        return await resolve_taxa(job.taxa, client, lock)
    locked = read_lock(lock)
    return ResolvedTaxa({entry.name: locked[entry.name] for entry in job.taxa.entries if entry.name in locked}, ())


def _search(
    source: WebSource, job: Job, taxa: ResolvedTaxa, client: WebClient, journal: Journal
) -> AsyncIterator[Occurrence | Failure | str]:
    """Start the search of one source."""
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
            "fetching.contact is missing. Write your e-mail address or web page there: it is sent with every request, "
            "so that a herbarium can reach you."
        )


def _add_outcomes(job: Job, journal: Journal, result: SourceResult) -> None:
    """Add each planned image to the result, as an image or as a failure."""
    store = image_store_of(job)
    for planned in journal.planned():
        image, failure = _outcome(planned, journal)
        if image is not None:
            values = {**planned.row, "sha256": str(image.sha256), "retrieved": str(image.retrieved)}
            info = ImageFileInfo(str(image.sha256), int(image.width or 0), int(image.height or 0))
            result.images.append(SourceImage(store.path(image), planned.source, values, info))
        else:
            address = planned.row["accessURI"]
            reason, detail = (str(failure.reason), str(failure.detail)) if failure else ("not_tried", "not tried")
            result.failures.append(Failure(address, f"{planned.source} {planned.occurrence}", reason, detail))


def _outcome(planned: PlannedImage, journal: Journal) -> tuple[FetchOutcome | None, FetchOutcome | None]:
    """Return the fetched image if any, and the outcome of the address tried first."""
    outcomes = [outcome for url in planned.urls if (outcome := journal.outcome(url)) is not None]
    image = next((outcome for outcome in outcomes if outcome.state == "done"), None)
    return image, next(iter(outcomes), None)


def _write_media(journal: Journal, path: Path) -> None:
    """List every medium found, with the reason where it was not taken."""
    write_table(path, MEDIA_COLUMNS, journal.media())
