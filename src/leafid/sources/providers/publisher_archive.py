"""Read the occurrences and media of a Darwin Core Archive of any publisher in constant memory.

Core and extension are separate files in any order. The rows that belong to the job are stored on disk and joined there.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path

from leafid.errors import SourceError
from leafid.jobs import ArchiveSource, Job
from leafid.sources.fetching.download import download
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.providers.archive_description import Table
from leafid.sources.providers.archive_rows import (
    BASIS,
    MEDIUM_TERMS,
    NAME_TERMS,
    OCCURRENCE_TERMS,
    normalised_basis,
    parse_media,
    parse_occurrence,
    published_name,
    taxon_keys,
)
from leafid.sources.providers.archive_store import ArchiveStore
from leafid.sources.providers.darwin_core_archive import DarwinCoreArchive, UnreadableRow
from leafid.sources.providers.name_resolution import ResolvedTaxa
from leafid.sources.providers.occurrences import Medium, Occurrence, addresses_in, record_or_failure
from leafid.sources.providers.taxon_matching import TaxonMatcher
from leafid.sources.source_result import MAX_LISTED_FAILURES, Failure, SourceFailureReason

MULTIMEDIA = (
    "http://rs.gbif.org/terms/1.0/multimedia",
    "http://rs.gbif.org/terms/1.0/image",
    "http://rs.tdwg.org/ac/terms/multimedia",
)
"""Row types of media, in lower case; publishers write them in either case."""
OCCURRENCE = "http://rs.tdwg.org/dwc/terms/occurrence"
MAX_ARCHIVE_BYTES = 200_000_000_000

_DOWNLOAD_DOI = re.compile(r"10\.15468/dl\.[a-z0-9]+")


async def fetch_archive(url: str, path: Path, client: WebClient, journal: Journal) -> None:
    """Fetch an archive. After an interruption the next call continues the file if the host supports it.

    Raises:
        SourceError: it cannot be fetched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.partial")

    async def attempt() -> None:
        await download(client, journal, url, url, unfinished, max_bytes=MAX_ARCHIVE_BYTES, image=False)

    try:
        await client.with_retries(attempt)
    except FetchError as error:
        raise SourceError(f"The archive {url} cannot be fetched. {error.detail}") from None
    unfinished.replace(path)


async def read_archive(
    source: ArchiveSource,
    job: Job,
    taxa: ResolvedTaxa,
    client: WebClient,
    journal: Journal,
    *,
    source_kind: str | None = None,
) -> AsyncIterator[Occurrence | Failure | str]:
    """Yield the occurrences of an archive that belong to the job's taxa, with their media.

    Args:
        source: path or address of the archive.
        job: its taxa; without any, every name is accepted.
        taxa: the resolved taxa of the job, if any.
        client: the HTTP client, for archives with an address.
        journal: stores what is needed to continue an interrupted transfer.
        source_kind: kind of source for the catalog, if it is not ``archive``.

    Raises:
        SourceError: the archive cannot be fetched or read, or its core is not a table of occurrences.
    """
    path = source.path
    if path is None:
        path = job.data_folder / "archives" / f"{sha256(str(source.url).encode()).hexdigest()[:16]}.zip"
        if not path.is_file():
            await fetch_archive(str(source.url), path, client, journal)
    matcher = TaxonMatcher(job.taxa, taxa.keys)
    with DarwinCoreArchive(path) as archive:
        doi = source.doi or _download_doi(archive)
        for one in read_occurrences(archive, matcher, source.domain, job.data_folder, source_kind or source.kind, doi):
            yield one


def read_occurrences(
    archive: DarwinCoreArchive, matcher: TaxonMatcher, domain: str, scratch: Path, source: str, doi: str | None
) -> Iterator[Occurrence | Failure | str]:
    """Yield the occurrences of an opened archive; ``scratch`` is a folder with room for a temporary file."""
    core = archive.core
    if core.row_type.lower() != OCCURRENCE:
        kind = core.row_type.rsplit("/", 1)[-1] or "nothing"
        raise SourceError(
            f"{archive.path}: its core is a table of {kind}, not of occurrences; its images cannot be assigned to "
            "specimens. Ask the publisher for an archive with an Occurrence core."
        )
    media_tables = [one for one in archive.extensions if one.row_type.lower() in MULTIMEDIA]
    if not media_tables and "associatedmedia" not in core.terms:
        yield f"{archive.path} has no table of media and no associatedMedia, so it contains no images."
    with ArchiveStore(scratch) as store:
        yield from _store_records(archive, store, matcher, domain, source)
        for media_table in media_tables:
            yield from _store_media(archive, media_table, store, source)
        for identifier, fields, media in store.records_with_media():
            parse = partial(_parse_record, identifier, fields, media, matcher, source, doi)
            yield record_or_failure(source, identifier, parse)


def _store_records(
    archive: DarwinCoreArchive, store: ArchiveStore, matcher: TaxonMatcher, domain: str, source: str
) -> Iterator[Failure | str]:
    """Store the rows with a taxon of the job and the right basisOfRecord."""
    belongs_to_job = _RowFilter(matcher)
    unreadable = _UnreadableRows(f"{source} {archive.path}")
    rows_read = 0
    other_bases: Counter[str] = Counter()
    for row in archive.rows(archive.core, OCCURRENCE_TERMS):
        if isinstance(row, UnreadableRow):
            yield from unreadable.listed(row)
            continue
        rows_read += 1
        basis = row.fields.get("basisofrecord", "")
        if basis and normalised_basis(basis) not in BASIS[domain]:
            other_bases[basis] += 1
        elif matcher.accepts_any_name or belongs_to_job(row.fields):
            store.add_record(row.identifier, row.fields)
    yield from unreadable.remaining()
    repeated = store.count_repeated()
    if repeated:
        detail = f"{repeated} rows repeat the identifier of an earlier row; only the first is used, with all media"
        yield Failure(archive.core.locations[0], f"{source} {archive.path}", "repeated_identifier", detail)
    wanted = "pressed specimens" if domain == "specimen" else "photos of living plants"
    others = ", ".join(f"{count} {kind}" for kind, count in other_bases.most_common(5))
    yield (
        f"{archive.path}: {rows_read} records"
        + (f" and {unreadable.count} rows that cannot be read" if unreadable.count else "")
        + f"; {store.records} {wanted} of the job's taxa"
        + (f"; not used because of their basisOfRecord: {others}" if others else "")
    )


def _store_media(archive: DarwinCoreArchive, media_table: Table, store: ArchiveStore, source: str) -> Iterator[Failure]:
    """Store the media of the stored records."""
    identifiers = store.identifiers_if_few()
    unreadable = _UnreadableRows(f"{source} {archive.path}")
    for row in archive.rows(media_table, MEDIUM_TERMS):
        if isinstance(row, UnreadableRow):
            yield from unreadable.listed(row)
        elif identifiers is None or row.identifier in identifiers:
            store.add_medium(row.identifier, row.fields)
    yield from unreadable.remaining()


def _parse_record(
    identifier: str,
    fields: Mapping[str, str],
    media: Sequence[Mapping[str, str]],
    matcher: TaxonMatcher,
    source: str,
    doi: str | None,
) -> Occurrence | Failure:
    """Parse a record with its media."""
    parsed = tuple(one for medium in media for one in parse_media(medium)) or _associated_media(fields)
    return parse_occurrence(identifier, fields, parsed, matcher, source, doi)


def _associated_media(fields: Mapping[str, str]) -> tuple[Medium, ...]:
    """Return media from the addresses in associatedMedia, for archives without a table of media."""
    return tuple(Medium(identifier=address) for address in addresses_in(fields.get("associatedmedia", "")))


class _UnreadableRows:
    """Counts the rows of one table that cannot be read; the first are listed, so that no list has millions."""

    def __init__(self, source: str) -> None:
        self.count = 0
        self._source = source

    def listed(self, row: UnreadableRow) -> Iterator[Failure]:
        """Count a row, and yield its failure if it is among the first."""
        self.count += 1
        if self.count <= MAX_LISTED_FAILURES:
            yield Failure(row.location, self._source, SourceFailureReason.WRONG_FIELDS, row.reason)

    def remaining(self) -> Iterator[Failure]:
        """Yield one failure for all rows that were not listed, if any."""
        if self.count > MAX_LISTED_FAILURES:
            detail = f"{self.count - MAX_LISTED_FAILURES} more rows that cannot be read"
            yield Failure("", self._source, SourceFailureReason.WRONG_FIELDS, detail)


class _RowFilter:
    """Decides whether a row belongs to the job; caches the decision for each name."""

    def __init__(self, matcher: TaxonMatcher) -> None:
        self._matcher = matcher
        self._decisions: dict[tuple[str | None, ...], bool] = {}

    def __call__(self, fields: Mapping[str, str]) -> bool:
        name = tuple(map(fields.get, NAME_TERMS))
        decision = self._decisions.get(name)
        if decision is None:
            if len(self._decisions) > 100_000:  # bounds memory; archives rarely have so many names
                self._decisions.clear()
            decision = self._matcher.concerns(published_name(fields), taxon_keys(fields))
            self._decisions[name] = decision
        return decision


def _download_doi(archive: DarwinCoreArchive) -> str | None:
    """Return the DOI that GBIF writes into its downloads, or None."""
    for name in ("citations.txt", "metadata.xml", "rights.txt"):
        match = _DOWNLOAD_DOI.search((archive.text(name) or "").lower())
        if match:
            return match[0]
    return None
