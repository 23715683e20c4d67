"""Query iDigBio's media search for the images of each name, and join them with the records of their specimens."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from leafid.errors import SourceError
from leafid.jobs import IdigbioSource, Job, TaxonEntry
from leafid.scientific_names import Name, NameKind, read_determination, read_name
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.providers.licences import Licence, read_licence
from leafid.sources.providers.name_resolution import ResolvedTaxa
from leafid.sources.providers.occurrences import (
    Medium,
    Occurrence,
    no_taxon_failure,
    one_by_address,
    record_or_failure,
    text_or_none,
    with_qualifier,
    without_missing,
)
from leafid.sources.providers.search_pages import search_page
from leafid.sources.providers.taxon_matching import TaxonMatcher
from leafid.sources.source_result import Failure

PAGE_SIZE = 1000
"""Media per request; iDigBio returns at most 5,000."""
MAX_OFFSET = 100_000
"""Largest sum of offset and page size that iDigBio accepts."""
RECORDS_PER_REQUEST = 100

BASIS = {"specimen": "preservedspecimen", "field": "humanobservation"}
"""iDigBio's basisofrecord for each domain; its values are in lower case."""
LICENCE_TERMS = (
    "dcterms:license",
    "cc:license",
    "xmpRights:WebStatement",
    "xmpRights:UsageTerms",
    "dcterms:rights",
    "dc:rights",
)
"""Terms that may contain a licence, the most formal first."""
ADDRESS_TERMS = (
    "ac:bestQualityAccessURI",
    "ac:accessURI",
    "ac:goodQualityAccessURI",
    "dcterms:identifier",
    "dc:identifier",
)
"""Terms that may contain the address of a medium, the best first."""


async def search_idigbio(
    source: IdigbioSource, job: Job, taxa: ResolvedTaxa, client: WebClient, journal: Journal
) -> AsyncIterator[Occurrence | Failure | str]:
    """Yield the specimens with images of every name of the job. Names are queried in lower case, without author.

    Raises:
        SourceError: iDigBio cannot be reached, or refuses the query.
    """
    if job.taxa is None or not job.taxa.entries:
        raise SourceError("sources: kind idigbio needs the taxa of the job. Add a section `taxa`.")
    matcher = TaxonMatcher(job.taxa, taxa.keys)
    known: set[str] = set()
    for entry, name in _queries(job.taxa.entries):
        media = _MediaSearch(client, journal, {**_record_query(name), "basisofrecord": BASIS[source.domain]})
        by_record: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        async for medium in media.items():
            for record in _records_of(medium):
                by_record[record].append(medium)
        if media.truncated:
            yield f"iDigBio has {media.count} media of {name.canonical}; its search returns only {MAX_OFFSET}."
        new = [record for record in by_record if record not in known]
        known.update(new)
        for first in range(0, len(new), RECORDS_PER_REQUEST):
            uuids = new[first : first + RECORDS_PER_REQUEST]
            async for one in _records(source, uuids, by_record, matcher, entry, client, journal):
                yield one


def _queries(entries: Sequence[TaxonEntry]) -> Iterable[tuple[TaxonEntry, Name]]:
    """Yield one query for each name and synonym of each entry."""
    for entry in entries:
        for text in (entry.name, *entry.synonyms):
            name = read_name(text)
            if name.genus is not None:
                yield entry, name


def _record_query(name: Name) -> dict[str, object]:
    """Return the query of a name; a name that is no certain one is queried by its genus."""
    query: dict[str, object] = {"genus": str(name.genus).lower()}
    epithets = (name.binomial or "").lower().replace("× ", "").split()[1:]
    if name.kind is NameKind.NAME and epithets:
        query["specificepithet"] = epithets[0]
        if name.species:
            query["infraspecificepithet"] = name.canonical.split()[-1].lower()
    return query


class _MediaSearch:
    """The media of the records that match a query, sorted by uuid so that pages do not overlap."""

    def __init__(self, client: WebClient, journal: Journal, records: Mapping[str, object]) -> None:
        self._client = client
        self._journal = journal
        self._records = records
        self.count = 0
        self.truncated = False

    async def items(self) -> AsyncIterator[Mapping[str, Any]]:
        offset = 0
        while True:
            query = {"rq": self._records, "mq": {}, "limit": PAGE_SIZE, "offset": offset, "sort": ["uuid"]}
            page = await _search_page("media", query, self._client, self._journal)
            items = page["items"]
            count = page.get("itemCount")
            self.count = count if isinstance(count, int) else 0
            for item in items:
                yield item
            offset += len(items)
            if not items or offset >= self.count:
                return
            if offset + PAGE_SIZE > MAX_OFFSET:
                self.truncated = True
                return


async def _records(
    source: IdigbioSource,
    uuids: Sequence[str],
    by_record: Mapping[str, Sequence[Mapping[str, Any]]],
    matcher: TaxonMatcher,
    entry: TaxonEntry,
    client: WebClient,
    journal: Journal,
) -> AsyncIterator[Occurrence | Failure]:
    """Request records by uuid, and join them with their media."""
    query = {"rq": {"uuid": list(uuids)}, "limit": len(uuids), "sort": ["uuid"]}
    page = await _search_page("records", query, client, journal)
    returned = {str(record.get("uuid")): record for record in page["items"] if isinstance(record, dict)}
    publishers = {str(one.get("uuid")): one for one in page.get("attribution") or () if isinstance(one, dict)}
    for uuid in uuids:
        if uuid in returned:
            base = client.settings.idigbio_media_url
            found = (returned[uuid], by_record[uuid], base)
            parse = partial(_joined_record, *found, source, matcher, entry, publishers)
            yield record_or_failure(source.kind, uuid, parse)
        else:
            yield Failure(uuid, source.kind, "no_record", "iDigBio lists the record but does not return it")


def _records_of(medium: object) -> list[str]:
    """Return the identifiers of the records of a medium."""
    terms = medium.get("indexTerms") if isinstance(medium, dict) else None
    records = terms.get("records") if isinstance(terms, dict) else None
    return [record for record in records if isinstance(record, str)] if isinstance(records, list) else []


def _joined_record(
    record: Mapping[str, Any],
    media: Sequence[Mapping[str, Any]],
    media_url: str,
    source: IdigbioSource,
    matcher: TaxonMatcher,
    entry: TaxonEntry,
    publishers: Mapping[str, Mapping[str, Any]],
) -> Occurrence | Failure:
    """Parse a record and its media."""
    parsed = tuple(one for medium in media for one in one_by_address(parse_medium(medium, media_url)))
    return parse_occurrence(record, parsed, source.kind, matcher, entry, publishers)


async def _search_page(
    endpoint: str, query: Mapping[str, object], client: WebClient, journal: Journal
) -> Mapping[str, Any]:
    address = f"{client.settings.idigbio_url}/v2/search/{endpoint}"
    return await search_page("iDigBio", address, client, journal, items="items", body=query)


def parse_occurrence(
    record: Mapping[str, Any],
    media: tuple[Medium, ...],
    source: str,
    matcher: TaxonMatcher,
    queried: TaxonEntry | None,
    publishers: Mapping[str, Mapping[str, Any]],
) -> Occurrence | Failure:
    """Parse one record. ``data`` contains the publisher's values, ``indexTerms`` those derived by iDigBio.

    The date is the publisher's, since iDigBio's ``datecollected`` adds a day where the publisher gives none.
    """
    uuid = str(record.get("uuid"))
    data = record.get("data") or {}
    index = record.get("indexTerms") or {}
    published = text_or_none(data.get("dwc:scientificName")) or text_or_none(index.get("scientificname"))
    indexed = " ".join(part for key in ("genus", "specificepithet") if (part := text_or_none(index.get(key))))
    parts = " ".join(part for key in ("dwc:genus", "dwc:specificEpithet") if (part := text_or_none(data.get(key))))
    qualifier = text_or_none(data.get("dwc:identificationQualifier"))
    labels = (text_or_none(data.get("dwc:verbatimIdentification")), published, parts, indexed)
    name = read_determination(labels, qualifier=qualifier)
    if name is None:
        return no_taxon_failure(source, uuid, published)
    match = matcher.place(name, queried=matcher.match(read_name(indexed)) or queried)
    catalog_name = match.catalog_name
    publisher = publishers.get(str(index.get("recordset")), {})
    values = without_missing(
        {
            "scientificName": catalog_name,
            "verbatimIdentification": with_qualifier(
                _joined(data, "dwc:scientificName", "dwc:scientificNameAuthorship"), qualifier
            ),
            "taxonRank": "species" if " " in catalog_name else "genus",
            "genus": catalog_name.split(" ", 1)[0],
            "family": text_or_none(data.get("dwc:family")),
            "institutionCode": text_or_none(data.get("dwc:institutionCode")),
            "catalogNumber": text_or_none(data.get("dwc:catalogNumber")),
            "recordedBy": text_or_none(data.get("dwc:recordedBy")),
            "recordNumber": text_or_none(data.get("dwc:recordNumber")),
            "eventDate": text_or_none(data.get("dwc:eventDate")),
            "identifiedBy": text_or_none(data.get("dwc:identifiedBy")),
            "typeStatus": text_or_none(data.get("dwc:typeStatus")),
            "basisOfRecord": text_or_none(data.get("dwc:basisOfRecord")),
            "rightsHolder": text_or_none(data.get("dcterms:rightsHolder")) or text_or_none(publisher.get("name")),
            "references": text_or_none(data.get("dcterms:references"))
            or f"https://portal.idigbio.org/portal/records/{uuid}",
        }
    )
    return Occurrence(source, uuid, values, parse_licence(data), media, match.left_because)


def parse_medium(item: Mapping[str, Any], media_url: str) -> Medium:
    """Parse one medium; iDigBio's copy is the fallback for the publisher's own file."""
    data = item.get("data") or {}
    index = item.get("indexTerms") or {}
    addresses = (text_or_none(data.get(term)) for term in ADDRESS_TERMS)
    published = next((address for address in addresses if address and address.lower().startswith("http")), None)
    published = published or text_or_none(index.get("accessuri"))
    copy = f"{media_url}/v2/media/{item.get('uuid')}?size=fullsize"
    licence = parse_licence(data)
    if not licence.known:
        indexed = read_licence(text_or_none(index.get("webstatement")), text_or_none(index.get("rights")))
        licence = indexed if indexed.known else licence
    return Medium(
        identifier=published or copy,
        references=text_or_none(data.get("ac:furtherInformationURL")) or text_or_none(data.get("dcterms:references")),
        type=text_or_none(data.get("dcterms:type")) or text_or_none(index.get("mediatype")),
        format=text_or_none(data.get("ac:bestQualityFormat")) or text_or_none(data.get("dcterms:format")),
        title=text_or_none(data.get("dcterms:title")) or text_or_none(data.get("ac:caption")),
        description=text_or_none(data.get("dcterms:description")) or text_or_none(data.get("ac:tag")),
        creator=text_or_none(data.get("dcterms:creator")),
        rights_holder=text_or_none(data.get("xmpRights:Owner")) or text_or_none(data.get("dcterms:rightsHolder")),
        licence=licence,
        width=_positive_int(index.get("xpixels")),
        height=_positive_int(index.get("ypixels")),
        fallbacks=(copy,) if published else (),
    )


def parse_licence(data: Mapping[str, Any]) -> Licence:
    """Parse the licence of a record or medium."""
    return read_licence(*(text_or_none(data.get(term)) for term in LICENCE_TERMS))


def _joined(data: Mapping[str, Any], *keys: str) -> str:
    """Join values of the publisher; omit a value that the text before it contains already."""
    joined = ""
    for key in keys:
        text = text_or_none(data.get(key))
        if text and text not in joined:
            joined = f"{joined} {text}".strip()
    return joined


def _positive_int(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
