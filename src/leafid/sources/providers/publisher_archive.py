"""The occurrences of a Darwin Core Archive with their media, whoever published it, in little memory.

Core and extension are files of their own in any order. Rows that count to the job are kept on disk until both are
read, and joined there. Memory does not grow with the archive.
"""

import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

from leafid.errors import SourceError
from leafid.jobs import ArchiveSource, Job
from leafid.sources.fetching.download import download
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.found import Failure, SourceReason
from leafid.sources.providers.archive_store import ArchiveStore
from leafid.sources.providers.darwin_core_archive import DarwinCoreArchive, Table, UnreadableRow
from leafid.sources.providers.licences import read_licence
from leafid.sources.providers.name_resolution import ResolvedTaxa
from leafid.sources.providers.occurrences import Medium, Occurrence, without_empty
from leafid.sources.providers.scientific_names import CanonicalName, NameTable, canonical_name

MULTIMEDIA = (
    "http://rs.gbif.org/terms/1.0/multimedia",
    "http://rs.gbif.org/terms/1.0/image",
    "http://rs.tdwg.org/ac/terms/multimedia",
)
"""Row types of media, in small letters; publishers write them in either case."""
OCCURRENCE = "http://rs.tdwg.org/dwc/terms/occurrence"
BASIS = {
    "specimen": ("preservedspecimen", "herbariumsheet", "herbariumspecimen", "herbarium", "specimen"),
    "field": ("humanobservation", "observation", "fieldobservation"),
}
"""basisOfRecord for each domain as publishers write it, in small letters without separators."""
MAX_ARCHIVE_BYTES = 200_000_000_000

ADDRESS_TERMS = ("bestQualityAccessURI", "accessURI", "goodQualityAccessURI", "identifier")
LICENCE_TERMS = ("license", "licence", "WebStatement", "UsageTerms", "rights", "accessRights")
MEDIUM_TERMS = (
    *ADDRESS_TERMS, *LICENCE_TERMS, "references", "furtherInformationURL", "type", "format", "bestQualityFormat",
    "title", "caption", "description", "creator", "rightsHolder", "Owner", "PixelXDimension", "PixelYDimension",
    "thumbnailAccessURI",
)  # fmt: skip
OCCURRENCE_TERMS = (
    "scientificName", "acceptedScientificName", "species", "genus", "specificEpithet", "infraspecificEpithet",
    "identificationQualifier", "taxonKey", "acceptedTaxonKey", "speciesKey", "genusKey", "family", "institutionCode",
    "catalogNumber", "recordedBy", "recordNumber", "eventDate", "year", "month", "day", "identifiedBy", "typeStatus",
    "basisOfRecord", "license", "rights", "rightsHolder", "references", "gbifID", "datasetKey", "associatedMedia",
)  # fmt: skip
_NAMING = (
    "scientificname", "acceptedscientificname", "species", "genus", "specificepithet", "identificationqualifier",
    "acceptedtaxonkey", "taxonkey", "specieskey", "genuskey",
)  # fmt: skip
"""Terms, in small letters, by which a row is told to count to the job."""
_ADDRESS = re.compile(r"https?://[^\s|;,\"<>]+(?:,[^\s|;,\"<>]+)*")
_DOWNLOAD_DOI = re.compile(r"10\.15468/dl\.[a-z0-9]+")


async def fetch_archive(url: str, path: Path, client: WebClient, journal: Journal) -> None:
    """Fetch an archive; interrupted, the next call goes on where the host allows it.

    Raises:
        SourceError: it cannot be had.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.partial")

    async def attempt() -> None:
        await download(client, journal, url, url, partial, max_bytes=MAX_ARCHIVE_BYTES, image=False)

    try:
        await client.patiently(attempt)
    except FetchError as trouble:
        raise SourceError(f"The archive {url} cannot be had. {trouble.detail}") from None
    partial.replace(path)


async def read_archive(
    source: ArchiveSource,
    job: Job,
    taxa: ResolvedTaxa,
    client: WebClient,
    journal: Journal,
    *,
    named: str | None = None,
) -> AsyncIterator[Occurrence | Failure | str]:
    """Yield the occurrences of an archive that count to the job, with their media.

    Args:
        source: path or address of the archive.
        job: taxa; without any, every name counts.
        taxa: the job's taxa in the checklist, if they were looked up.
        client: the way to the web, for archives with an address.
        journal: keeps what is needed to continue an interrupted transfer.
        named: kind of source that is written into the catalog, if it is not ``archive``.

    Raises:
        SourceError: the archive cannot be had or read, or its core is no table of occurrences.
    """
    path = source.path
    if path is None:
        path = job.data_folder / "archives" / f"{sha256(str(source.url).encode()).hexdigest()[:16]}.zip"
        if not path.is_file():
            await fetch_archive(str(source.url), path, client, journal)
    table = NameTable(job.taxa, taxa.keys)
    with DarwinCoreArchive(path) as archive:
        doi = source.doi or _download_doi(archive)
        for one in occurrences_in(archive, table, source.domain, job.data_folder, named or source.kind, doi):
            yield one


def occurrences_in(
    archive: DarwinCoreArchive, table: NameTable, domain: str, scratch: Path, source: str, doi: str | None
) -> Iterator[Occurrence | Failure | str]:
    """Yield the occurrences of an opened archive; ``scratch`` is a folder with room for a temporary file."""
    core = archive.core
    if core.row_type.lower() != OCCURRENCE:
        kind = core.row_type.rsplit("/", 1)[-1] or "nothing"
        raise SourceError(
            f"{archive.path}: its core is a table of {kind}, not of occurrences; its images cannot be told apart by "
            "specimen. Ask the publisher for an archive with an Occurrence core."
        )
    media_tables = [one for one in archive.extensions if one.row_type.lower() in MULTIMEDIA]
    if not media_tables and "associatedmedia" not in core.terms:
        yield f"{archive.path} has no table of media and no associatedMedia: there are no images in it."
    with ArchiveStore(scratch) as store:
        yield from _keep_records(archive, store, table, domain, source)
        for media_table in media_tables:
            yield from _keep_media(archive, media_table, store, source)
        for identifier, fields, media in store.joined():
            found = tuple(medium_of(medium) for medium in media) or _associated(fields)
            yield occurrence_of(identifier, fields, found, table, source, doi)


def _keep_records(
    archive: DarwinCoreArchive, store: ArchiveStore, table: NameTable, domain: str, source: str
) -> Iterator[Failure | str]:
    """Keep the rows that count: right taxon, right kind of record."""
    counts = _Counts(table)
    read = 0
    other_kinds: Counter[str] = Counter()
    for row in archive.rows(archive.core, OCCURRENCE_TERMS):
        if isinstance(row, UnreadableRow):
            yield Failure(row.place, f"{source} {archive.path}", SourceReason.WRONG_FIELDS, row.why)
            continue
        read += 1
        basis = row.fields.get("basisofrecord", "")
        if basis and _plain(basis) not in BASIS[domain]:
            other_kinds[basis] += 1
        elif table.open or counts(row.fields):
            store.add_record(row.identifier, row.fields)
    repeated = store.repeated()
    if repeated:
        detail = f"{repeated} rows repeat the identifier of an earlier one; media belong to the first"
        yield Failure(archive.core.locations[0], f"{source} {archive.path}", "repeated_identifier", detail)
    wanted = "pressed specimens" if domain == "specimen" else "photos of living plants"
    others = ", ".join(f"{count} {kind}" for kind, count in other_kinds.most_common(5))
    yield (
        f"{archive.path}: {read} records; {store.records} {wanted} of the job's taxa"
        + (f"; left for their basisOfRecord: {others}" if others else "")
    )


def _keep_media(archive: DarwinCoreArchive, media_table: Table, store: ArchiveStore, source: str) -> Iterator[Failure]:
    """Keep the media of the records that are kept."""
    few = store.few_identifiers()
    for row in archive.rows(media_table, MEDIUM_TERMS):
        if isinstance(row, UnreadableRow):
            yield Failure(row.place, f"{source} {archive.path}", SourceReason.WRONG_FIELDS, row.why)
        elif few is None or row.identifier in few:
            store.add_medium(row.identifier, row.fields)


def _associated(fields: Mapping[str, str]) -> tuple[Medium, ...]:
    """Addresses in the record itself, for archives without a table of media."""
    return tuple(Medium(identifier=address) for address in _ADDRESS.findall(fields.get("associatedmedia", "")))


def occurrence_of(
    identifier: str,
    fields: Mapping[str, str],
    media: tuple[Medium, ...],
    table: NameTable,
    source: str,
    doi: str | None,
) -> Occurrence | Failure:
    """Read one row of the core, with terms in small letters."""
    name = _name(fields)
    if name is None:
        published = fields.get("scientificname")
        detail = f"the name {published!r} cannot be read" if published else "the record has no scientific name"
        return Failure(identifier, source, SourceReason.NO_TAXON, detail)
    entry = table.find(name, _keys(fields))
    catalogued = table.accepted(name, entry)
    gbif_id = fields.get("gbifid")
    values = without_empty(
        {
            "scientificName": catalogued,
            "verbatimIdentification": fields.get("scientificname"),
            "acceptedTaxonKey": fields.get("acceptedtaxonkey"),
            "taxonRank": "species" if " " in catalogued else "genus",
            "genus": catalogued.split(" ", 1)[0],
            "family": fields.get("family"),
            "institutionCode": fields.get("institutioncode"),
            "catalogNumber": fields.get("catalognumber"),
            "recordedBy": fields.get("recordedby"),
            "recordNumber": fields.get("recordnumber"),
            "eventDate": fields.get("eventdate") or _date(fields),
            "identifiedBy": fields.get("identifiedby"),
            "typeStatus": fields.get("typestatus"),
            "basisOfRecord": _basis(fields.get("basisofrecord")),
            "rightsHolder": fields.get("rightsholder"),
            "references": fields.get("references")
            or (f"https://www.gbif.org/occurrence/{gbif_id}" if gbif_id else None),
            "gbifID": gbif_id,
            "datasetKey": fields.get("datasetkey"),
            "downloadDOI": doi,
        }
    )
    licence = read_licence(fields.get("license"), fields.get("rights"))
    return Occurrence(source, identifier, values, licence, media)


def medium_of(fields: Mapping[str, str]) -> Medium:
    """Read one row of media, with terms in small letters; the address may stand under several of them."""
    addresses = [fields[term.lower()] for term in ADDRESS_TERMS if term.lower() in fields]
    web = [address for address in dict.fromkeys(addresses) if address.lower().startswith(("http://", "https://"))]
    return Medium(
        identifier=web[0] if web else None,
        references=fields.get("references") or fields.get("furtherinformationurl"),
        type=fields.get("type"),
        format=fields.get("format") or fields.get("bestqualityformat"),
        title=fields.get("title") or fields.get("caption"),
        description=fields.get("description"),
        creator=fields.get("creator"),
        rights_holder=fields.get("rightsholder") or fields.get("owner"),
        licence=read_licence(*(fields.get(term.lower()) for term in LICENCE_TERMS)),
        width=_whole(fields.get("pixelxdimension")),
        height=_whole(fields.get("pixelydimension")),
        fallbacks=tuple(web[1:]),
    )


def _name(fields: Mapping[str, str]) -> CanonicalName | None:
    """The accepted name where GBIF worked it out, else the name on the label; in doubt only the genus."""
    if "cf" in fields.get("identificationqualifier", "").lower() or "aff" in fields.get("identificationqualifier", ""):
        return canonical_name(fields.get("genus") or fields.get("scientificname", "").split(" ")[0])
    for term in ("species", "acceptedscientificname", "scientificname"):
        name = canonical_name(fields.get(term, ""))
        if name is not None and (name.species or term == "scientificname"):
            break
    else:
        name = None
    parts = (fields.get("genus"), fields.get("specificepithet"))
    if (name is None or name.species is None) and parts[0]:
        return canonical_name(" ".join(part for part in parts if part)) or name
    return name


class _Counts:
    """Whether a row counts to the job; a name is looked at once, however many rows bear it."""

    def __init__(self, table: NameTable) -> None:
        self._table = table
        self._known: dict[tuple[str | None, ...], bool] = {}

    def __call__(self, fields: Mapping[str, str]) -> bool:
        named = tuple(map(fields.get, _NAMING))
        answer = self._known.get(named)
        if answer is None:
            if len(self._known) > 100_000:
                self._known.clear()
            answer = self._table.find(_name(fields), _keys(fields)) is not None
            self._known[named] = answer
        return answer


def _keys(fields: Mapping[str, str]) -> tuple[str | None, ...]:
    """Keys of the checklist from the narrowest taxon up; downloads carry those of the checklist asked for."""
    return tuple(fields.get(term) for term in ("acceptedtaxonkey", "taxonkey", "specieskey", "genuskey"))


def _date(fields: Mapping[str, str]) -> str | None:
    """Year, month and day as far as they are known."""
    parts = [fields.get(term, "") for term in ("year", "month", "day")]
    known = []
    for part in parts:
        if not part.isdecimal() or int(part) == 0:
            break
        known.append(part.zfill(2))
    return "-".join(known) or None


def _basis(value: str | None) -> str | None:
    """``PRESERVED_SPECIMEN`` and ``HERBARIUM SHEET`` are ``PreservedSpecimen``."""
    plain = _plain(value or "")
    names = {"specimen": "PreservedSpecimen", "field": "HumanObservation"}
    return next((names[domain] for domain, spellings in BASIS.items() if plain in spellings), value)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text).lower()


def _download_doi(archive: DarwinCoreArchive) -> str | None:
    """The DOI that GBIF writes into its downloads."""
    for name in ("citations.txt", "metadata.xml", "rights.txt"):
        match = _DOWNLOAD_DOI.search((archive.text(name) or "").lower())
        if match:
            return match[0]
    return None


def _whole(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and int(text) > 0 else None
