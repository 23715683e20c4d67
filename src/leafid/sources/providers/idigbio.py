"""iDigBio's media search: all images of a name, page by page, joined with the records of their specimens."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from leafid.errors import SourceError
from leafid.jobs import IdigbioSource, Job, TaxonEntry
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.found import Failure
from leafid.sources.providers.licences import Licence, read_licence
from leafid.sources.providers.name_resolution import ResolvedTaxa
from leafid.sources.providers.occurrences import Medium, Occurrence, text_of, without_empty
from leafid.sources.providers.plan import no_taxon
from leafid.sources.providers.scientific_names import CanonicalName, NameTable, canonical_name

PAGE = 1000
"""Media for each request; iDigBio gives at most 5,000."""
DEEPEST = 100_000
"""Offset and page together may not go beyond this."""
RECORDS_AT_ONCE = 100

BASIS = {"specimen": "preservedspecimen", "field": "humanobservation"}
"""iDigBio's basisofrecord for each domain; its values are in small letters."""
LICENCE_TERMS = (
    "dcterms:license",
    "cc:license",
    "xmpRights:WebStatement",
    "xmpRights:UsageTerms",
    "dcterms:rights",
    "dc:rights",
)
"""Where a licence may stand, the most formal place first."""
ADDRESS_TERMS = (
    "ac:bestQualityAccessURI",
    "ac:accessURI",
    "ac:goodQualityAccessURI",
    "dcterms:identifier",
    "dc:identifier",
)
"""Where the address of a medium may stand, the best first."""


async def search_idigbio(
    source: IdigbioSource, job: Job, taxa: ResolvedTaxa, client: WebClient, journal: Journal
) -> AsyncIterator[Occurrence | Failure | str]:
    """Yield the specimens of every name of the job that have images; names are asked in small letters, without author.

    Raises:
        SourceError: iDigBio cannot be reached, or refuses the question.
    """
    if job.taxa is None or not job.taxa.entries:
        raise SourceError("sources: kind idigbio needs the taxa of the job. Add a section `taxa`.")
    table = NameTable(job.taxa, taxa.keys)
    seen: set[str] = set()
    for entry, name in _questions(job.taxa.entries):
        media = _Media(client, journal, {**_record_query(name), "basisofrecord": BASIS[source.domain]})
        by_record: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        async for medium in media.items():
            for record in (medium.get("indexTerms") or {}).get("records") or ():
                by_record[str(record)].append(medium)
        if media.cut:
            yield f"iDigBio has {media.count} media of {name}; its search gives out {DEEPEST}."
        new = [record for record in by_record if record not in seen]
        seen.update(new)
        for first in range(0, len(new), RECORDS_AT_ONCE):
            uuids = new[first : first + RECORDS_AT_ONCE]
            async for one in _records(source, uuids, by_record, table, entry, client, journal):
                yield one


def _questions(entries: Sequence[TaxonEntry]) -> Iterable[tuple[TaxonEntry, CanonicalName]]:
    """One question for each name and synonym of each entry."""
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


class _Media:
    """The media of the records that answer a query, sorted by uuid so that pages do not overlap."""

    def __init__(self, client: WebClient, journal: Journal, records: Mapping[str, object]) -> None:
        self._client = client
        self._journal = journal
        self._records = records
        self.count = 0
        self.cut = False

    async def items(self) -> AsyncIterator[Mapping[str, Any]]:
        offset = 0
        while True:
            question = {"rq": self._records, "mq": {}, "limit": PAGE, "offset": offset, "sort": ["uuid"]}
            page = await _ask("media", question, self._client, self._journal)
            items = page["items"]
            self.count = int(page.get("itemCount") or 0)
            for item in items:
                yield item
            offset += len(items)
            if not items or offset >= self.count:
                return
            if offset + PAGE > DEEPEST:
                self.cut = True
                return


async def _records(
    source: IdigbioSource,
    uuids: Sequence[str],
    by_record: Mapping[str, Sequence[Mapping[str, Any]]],
    table: NameTable,
    entry: TaxonEntry,
    client: WebClient,
    journal: Journal,
) -> AsyncIterator[Occurrence | Failure]:
    """Ask for records by uuid, and join them with their media."""
    question = {"rq": {"uuid": list(uuids)}, "limit": len(uuids), "sort": ["uuid"]}
    page = await _ask("records", question, client, journal)
    answered = {str(record.get("uuid")): record for record in page["items"]}
    publishers = {str(one.get("uuid")): one for one in page.get("attribution") or () if isinstance(one, dict)}
    for uuid in uuids:
        if uuid in answered:
            base = client.settings.idigbio_media_url
            media = tuple(medium_of(medium, base) for medium in by_record[uuid])
            yield occurrence_of(answered[uuid], media, source.kind, table, entry, publishers)
        else:
            yield Failure(uuid, source.kind, "no_record", "iDigBio names the record, but does not give it out")


async def _ask(what: str, question: Mapping[str, object], client: WebClient, journal: Journal) -> Mapping[str, Any]:
    """Return one page of the search, from the journal if it is there."""
    address = f"{client.settings.idigbio_url}/v2/search/{what}"
    request = f"POST {address} {json.dumps(question, sort_keys=True)}"
    kept = journal.reply(request)
    try:
        body = kept or await client.reply(address, body=question)
        page = json.loads(body)
        if not isinstance(page, dict) or not isinstance(page.get("items"), list):
            raise ValueError("no list of items")
    except FetchError as trouble:
        raise SourceError(f"iDigBio's search failed. {trouble.detail} ({request})") from None
    except ValueError as error:
        raise SourceError(f"iDigBio's search gave no readable answer ({error}): {request}") from None
    if kept is None:
        journal.keep_reply(request, body)
    return page


def occurrence_of(
    record: Mapping[str, Any],
    media: tuple[Medium, ...],
    source: str,
    table: NameTable,
    asked: TaxonEntry | None,
    publishers: Mapping[str, Mapping[str, Any]],
) -> Occurrence | Failure:
    """Read one record; ``data`` holds what the publisher wrote, ``indexTerms`` what iDigBio made of it.

    The date is the publisher's: iDigBio's own ``datecollected`` may have an invented day.
    """
    uuid = str(record.get("uuid"))
    data = record.get("data") or {}
    index = record.get("indexTerms") or {}
    published = text_of(data.get("dwc:scientificName")) or text_of(index.get("scientificname"))
    indexed = " ".join(part for key in ("genus", "specificepithet") if (part := text_of(index.get(key))))
    name = canonical_name(published or "") or canonical_name(indexed)
    if name is None:
        return no_taxon(source, uuid, published)
    if name.species is None and text_of(data.get("dwc:genus")) and text_of(data.get("dwc:specificEpithet")):
        name = canonical_name(f"{data['dwc:genus']} {data['dwc:specificEpithet']}") or name
    entry = table.find(name) or table.find(canonical_name(indexed)) or asked
    catalogued = table.accepted(name, entry)
    publisher = publishers.get(str(index.get("recordset")), {})
    values = without_empty(
        {
            "scientificName": catalogued,
            "verbatimIdentification": _joined(data, "dwc:scientificName", "dwc:scientificNameAuthorship"),
            "taxonRank": "species" if " " in catalogued else "genus",
            "genus": catalogued.split(" ", 1)[0],
            "family": text_of(data.get("dwc:family")),
            "institutionCode": text_of(data.get("dwc:institutionCode")),
            "catalogNumber": text_of(data.get("dwc:catalogNumber")),
            "recordedBy": text_of(data.get("dwc:recordedBy")),
            "recordNumber": text_of(data.get("dwc:recordNumber")),
            "eventDate": text_of(data.get("dwc:eventDate")),
            "identifiedBy": text_of(data.get("dwc:identifiedBy")),
            "typeStatus": text_of(data.get("dwc:typeStatus")),
            "basisOfRecord": text_of(data.get("dwc:basisOfRecord")),
            "rightsHolder": text_of(data.get("dcterms:rightsHolder")) or text_of(publisher.get("name")),
            "references": text_of(data.get("dcterms:references"))
            or f"https://portal.idigbio.org/portal/records/{uuid}",
        }
    )
    return Occurrence(source, uuid, values, licence_of(data), media)


def medium_of(item: Mapping[str, Any], media_url: str) -> Medium:
    """Read one medium; the publisher's own file comes first, iDigBio's copy is the fallback."""
    data = item.get("data") or {}
    index = item.get("indexTerms") or {}
    addresses = (text_of(data.get(term)) for term in ADDRESS_TERMS)
    published = next((one for one in addresses if one and one.lower().startswith("http")), None)
    published = published or text_of(index.get("accessuri"))
    copy = f"{media_url}/v2/media/{item.get('uuid')}?size=fullsize"
    licence = licence_of(data)
    if not licence.known:
        indexed = read_licence(text_of(index.get("webstatement")), text_of(index.get("rights")))
        licence = indexed if indexed.known else licence
    return Medium(
        identifier=published or copy,
        references=text_of(data.get("ac:furtherInformationURL")) or text_of(data.get("dcterms:references")),
        type=text_of(data.get("dcterms:type")) or text_of(index.get("mediatype")),
        format=text_of(data.get("ac:bestQualityFormat")) or text_of(data.get("dcterms:format")),
        title=text_of(data.get("dcterms:title")) or text_of(data.get("ac:caption")),
        description=text_of(data.get("dcterms:description")) or text_of(data.get("ac:tag")),
        creator=text_of(data.get("dcterms:creator")),
        rights_holder=text_of(data.get("xmpRights:Owner")) or text_of(data.get("dcterms:rightsHolder")),
        licence=licence,
        width=_whole(index.get("xpixels")),
        height=_whole(index.get("ypixels")),
        fallbacks=(copy,) if published else (),
    )


def licence_of(data: Mapping[str, Any]) -> Licence:
    """Read the licence of a record or medium."""
    return read_licence(*(text_of(data.get(term)) for term in LICENCE_TERMS))


def _joined(data: Mapping[str, Any], *keys: str) -> str:
    """Join values of the publisher; a later one that already stands in what comes before is left out."""
    joined = ""
    for key in keys:
        text = text_of(data.get(key))
        if text and text not in joined:
            joined = f"{joined} {text}".strip()
    return joined


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and value > 0 else None
