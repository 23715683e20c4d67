"""Query GBIF's occurrence search: pages of 300 records, up to its limit of 100,000 records for each taxon."""

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from leafid.errors import SourceError
from leafid.jobs import GbifSearchSource, Job, TaxonEntry
from leafid.scientific_names import read_determination
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.providers.licences import read_licence
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

PAGE_SIZE = 300
"""Records per page; GBIF silently reduces larger pages to this."""
MAX_OFFSET = 100_000
"""Largest sum of offset and page size that GBIF accepts."""

BASIS = {"specimen": "PRESERVED_SPECIMEN", "field": "HUMAN_OBSERVATION"}
"""GBIF's basisOfRecord for each domain."""
BASIS_IN_CATALOG = {"PRESERVED_SPECIMEN": "PreservedSpecimen", "HUMAN_OBSERVATION": "HumanObservation"}


async def search_gbif(
    source: GbifSearchSource, job: Job, taxa: ResolvedTaxa, client: WebClient, journal: Journal
) -> AsyncIterator[Occurrence | Failure | str]:
    """Yield the occurrences of every taxon of the job that have images.

    Pages are cached in the journal, so that an interrupted collection does not request them again. If a taxon has more
    records than the search returns, the last value is a note that recommends a download.

    Raises:
        SourceError: GBIF cannot be reached, or refuses the query.
    """
    if job.taxa is None or not job.taxa.entries:
        raise SourceError("sources: kind gbif_search needs the taxa of the job. Add a section `taxa`.")
    matcher = TaxonMatcher(job.taxa, taxa.keys)
    entries = {entry.name: entry for entry in job.taxa.entries}
    for name, resolved in taxa.by_entry.items():
        query: dict[str, str | list[str]] = {
            "taxonKey": resolved.key,
            "checklistKey": resolved.checklist,
            "mediaType": "StillImage",
            "basisOfRecord": BASIS[source.domain],
            "occurrenceStatus": "PRESENT",
        }
        if source.institutions:
            query["institutionCode"] = list(source.institutions)
        if source.datasets:
            query["datasetKey"] = list(source.datasets)
        address = f"{client.settings.gbif_url}/v1/occurrence/search"
        offset = 0
        while True:
            parameters = {**query, "limit": str(PAGE_SIZE), "offset": str(offset)}
            page = await search_page("GBIF", address, client, journal, items="results", query=parameters)
            for record in page["results"]:
                parse = partial(
                    parse_occurrence, record, source.kind, resolved.checklist, matcher, queried=entries.get(name)
                )
                yield record_or_failure(source.kind, _key(record), parse)
            offset += len(page["results"])
            if page.get("endOfRecords", True) or not page["results"]:
                break
            if offset + PAGE_SIZE > MAX_OFFSET:
                yield (
                    f"GBIF has {page.get('count')} records with images of {name}; its search returns only the first "
                    f"{offset}. To get all of them use `kind: gbif_download` instead of gbif_search."
                )
                break


def parse_occurrence(
    record: Mapping[str, Any], source: str, checklist: str, matcher: TaxonMatcher, *, queried: TaxonEntry | None = None
) -> Occurrence | Failure:
    """Parse one record of the search.

    Args:
        record: the JSON of the record, in the old or the new format (``classifications``).
        source: kind of the source, for messages.
        checklist: key of the checklist in which the job's taxa were resolved.
        matcher: finds the entry of the job.
        queried: the entry whose key was queried; the record belongs to it unless another entry matches.
    """
    key = _key(record)
    usage = _usage(record, checklist)
    published = text_or_none(record.get("scientificName"))
    qualifier = text_or_none(record.get("identificationQualifier"))
    written = (text_or_none(record.get(term)) for term in ("verbatimScientificName", "verbatimIdentification"))
    name = read_determination([*written, published], (usage["species"], usage["name"]), qualifier)
    if name is None:
        return no_taxon_failure(source, key, published)
    match = matcher.place(name, usage["keys"], queried=queried)
    catalog_name = match.catalog_name
    values = without_missing(
        {
            "scientificName": catalog_name,
            "verbatimIdentification": with_qualifier(published, qualifier),
            "acceptedTaxonKey": usage["key"],
            "taxonRank": "species" if " " in catalog_name else "genus",
            "genus": catalog_name.split(" ", 1)[0],
            "family": usage["family"],
            "institutionCode": text_or_none(record.get("institutionCode")),
            "catalogNumber": text_or_none(record.get("catalogNumber")),
            "recordedBy": text_or_none(record.get("recordedBy")),
            "recordNumber": text_or_none(record.get("recordNumber")),
            "eventDate": text_or_none(record.get("eventDate")),
            "identifiedBy": text_or_none(record.get("identifiedBy")),
            "typeStatus": _type_status(record.get("typeStatus")),
            "basisOfRecord": BASIS_IN_CATALOG.get(str(record.get("basisOfRecord")), record.get("basisOfRecord")),
            "rightsHolder": text_or_none(record.get("rightsHolder")),
            "references": text_or_none(record.get("references")) or f"https://www.gbif.org/occurrence/{key}",
            "gbifID": key,
            "datasetKey": text_or_none(record.get("datasetKey")),
        }
    )
    licence = read_licence(text_or_none(record.get("license")))
    listed = [parse_medium(medium) for medium in record.get("media") or () if isinstance(medium, dict)]
    media = tuple(one for medium in listed for one in one_by_address(medium))
    return Occurrence(source, key, values, licence, media, match.left_because)


def _key(record: object) -> str:
    """Return the key of a record for messages; empty if it has none."""
    return text_or_none((record.get("key") or record.get("gbifID")) if isinstance(record, dict) else None) or ""


def parse_medium(medium: Mapping[str, Any]) -> Medium:
    """Parse one medium of a record; every key may be absent."""
    texts = {key: text_or_none(value) for key, value in medium.items()}
    return Medium(
        identifier=texts.get("identifier"),
        references=texts.get("references"),
        type=texts.get("type"),
        format=texts.get("format"),
        title=texts.get("title"),
        description=texts.get("description"),
        creator=texts.get("creator"),
        rights_holder=texts.get("rightsHolder"),
        licence=read_licence(texts.get("license")),
    )


def _usage(record: Mapping[str, Any], checklist: str) -> dict[str, Any]:
    """Return accepted key, names, family, and the keys from the narrowest taxon up, in the job's checklist."""
    classified = (record.get("classifications") or {}).get(checklist)
    if classified:
        accepted = classified.get("acceptedUsage") or classified.get("usage") or {}
        lineage = classified.get("classification") or []
        ranks = {str(taxon.get("rank")): taxon.get("name") for taxon in lineage}
        keys = [text_or_none(accepted.get("key")), *(text_or_none(taxon.get("key")) for taxon in reversed(lineage))]
        return {
            "key": text_or_none(accepted.get("key")),
            "name": text_or_none(accepted.get("name")),
            "species": text_or_none(ranks.get("SPECIES")),
            "family": text_or_none(ranks.get("FAMILY")),
            "keys": tuple(key for key in keys if key),
        }
    named = ("acceptedTaxonKey", "taxonKey", "speciesKey", "genusKey", "familyKey")
    keys = [text_or_none(record.get(name)) for name in named]
    return {
        "key": text_or_none(record.get("acceptedTaxonKey")) or text_or_none(record.get("taxonKey")),
        "name": text_or_none(record.get("acceptedScientificName")) or text_or_none(record.get("scientificName")),
        "species": text_or_none(record.get("species")),
        "family": text_or_none(record.get("family")),
        "keys": tuple(key for key in keys if key),
    }


def _type_status(value: object) -> str | None:
    """Return the type status as text; GBIF gives text or a list."""
    return " | ".join(map(str, value)) if isinstance(value, list) else text_or_none(value)
