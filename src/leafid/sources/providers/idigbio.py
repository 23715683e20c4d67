"""Query iDigBio's media search for the images of each name, and join them with the records of their specimens."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from leafid.errors import SourceError
from leafid.jobs import IdigbioSource, Job, TaxonEntry
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.providers.licences import Licence, read_licence
from leafid.sources.providers.name_resolution import ResolvedTaxa
from leafid.sources.providers.occurrences import Medium, Occurrence, no_taxon_failure, text_or_none, without_missing
from leafid.sources.providers.scientific_names import CanonicalName, TaxonMatcher, canonical_name
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
            for record in (medium.get("indexTerms") or {}).get("records") or ():
                by_record[str(record)].append(medium)
        if media.truncated:
            yield f"iDigBio has {media.count} media of {name}; its search returns only {MAX_OFFSET}."
        new = [record for record in by_record if record not in known]
        known.update(new)
        for first in range(0, len(new), RECORDS_PER_REQUEST):
            uuids = new[first : first + RECORDS_PER_REQUEST]
            async for one in _records(source, uuids, by_record, matcher, entry, client, journal):
                yield one


def _queries(entries: Sequence[TaxonEntry]) -> Iterable[tuple[TaxonEntry, CanonicalName]]:
    """Yield one query for each name and synonym of each entry."""
    for entry in entries:
        for text in (entry.name, *entry.synonyms):
            name = canonical_name(text)
            if name is not None:
                yield entry, name


def _record_query(name: CanonicalName) -> dict[str, object]:
    query: dict[str, object] = {"genus": name.genus.lower()}
    if name.species:
        query["specificepithet"] = name.species.lower()
    if name.infraspecific:
        query["infraspecificepithet"] = name.infraspecific.split()[-1].lower()
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
            self.count = int(page.get("itemCount") or 0)
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
    returned = {str(record.get("uuid")): record for record in page["items"]}
    publishers = {str(one.get("uuid")): one for one in page.get("attribution") or () if isinstance(one, dict)}
    for uuid in uuids:
        if uuid in returned:
            base = client.settings.idigbio_media_url
            media = tuple(parse_medium(medium, base) for medium in by_record[uuid])
            yield parse_occurrence(returned[uuid], media, source.kind, matcher, entry, publishers)
        else:
            yield Failure(uuid, source.kind, "no_record", "iDigBio lists the record but does not return it")


async def _search_page(
    endpoint: str, query: Mapping[str, object], client: WebClient, journal: Journal
) -> Mapping[str, Any]:
    """Return one page of the search, from the journal if it is cached."""
    address = f"{client.settings.idigbio_url}/v2/search/{endpoint}"
    request = f"POST {address} {json.dumps(query, sort_keys=True)}"
    cached = journal.cached_reply(request)
    try:
        body = cached or await client.fetch_bytes(address, body=query)
        page = json.loads(body)
        if not isinstance(page, dict) or not isinstance(page.get("items"), list):
            raise ValueError("no list of items")
    except FetchError as error:
        raise SourceError(f"iDigBio's search failed. {error.detail} ({request})") from None
    except ValueError as error:
        raise SourceError(f"iDigBio's search returned an unreadable reply ({error}): {request}") from None
    if cached is None:
        journal.cache_reply(request, body)
    return page


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
    name = canonical_name(published or "") or canonical_name(indexed)
    if name is None:
        return no_taxon_failure(source, uuid, published)
    if name.species is None and text_or_none(data.get("dwc:genus")) and text_or_none(data.get("dwc:specificEpithet")):
        name = canonical_name(f"{data['dwc:genus']} {data['dwc:specificEpithet']}") or name
    entry = matcher.match(name) or matcher.match(canonical_name(indexed)) or queried
    catalog_name = matcher.catalog_name(name, entry)
    publisher = publishers.get(str(index.get("recordset")), {})
    values = without_missing(
        {
            "scientificName": catalog_name,
            "verbatimIdentification": _joined(data, "dwc:scientificName", "dwc:scientificNameAuthorship"),
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
    return Occurrence(source, uuid, values, parse_licence(data), media)


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
