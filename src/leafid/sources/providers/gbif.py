"""GBIF's occurrence search: pages of 300 records for each taxon, up to the 100,000 that the search gives out."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import urlencode

from leafid.errors import SourceError
from leafid.jobs import GbifSearchSource, Job
from leafid.sources.fetching.fetch_errors import FetchError
from leafid.sources.fetching.journal import Journal
from leafid.sources.fetching.web_client import WebClient
from leafid.sources.found import Failure
from leafid.sources.providers.licences import read_licence
from leafid.sources.providers.name_resolution import ResolvedTaxa
from leafid.sources.providers.occurrences import Medium, Occurrence, text_of, without_empty
from leafid.sources.providers.plan import no_taxon
from leafid.sources.providers.scientific_names import NameTable, canonical_name

PAGE = 300
"""Largest page that GBIF gives; larger ones are cut to this without a word."""
DEEPEST = 100_000
"""Offset and page together may not go beyond this."""

BASIS = {"specimen": "PRESERVED_SPECIMEN", "field": "HUMAN_OBSERVATION"}
"""GBIF's basisOfRecord for each domain."""
BASIS_IN_CATALOG = {"PRESERVED_SPECIMEN": "PreservedSpecimen", "HUMAN_OBSERVATION": "HumanObservation"}


async def search_gbif(
    source: GbifSearchSource, job: Job, taxa: ResolvedTaxa, client: WebClient, journal: Journal
) -> AsyncIterator[Occurrence | Failure | str]:
    """Yield the occurrences of every taxon of the job that have images.

    Pages are kept in the journal, so that an interrupted collection does not ask for them again. The last value of a
    taxon with more records than the search gives out is a sentence that points to downloads.

    Raises:
        SourceError: GBIF cannot be reached, or refuses the question.
    """
    if job.taxa is None or not job.taxa.entries:
        raise SourceError("sources: kind gbif_search needs the taxa of the job. Add a section `taxa`.")
    table = NameTable(job.taxa, taxa.keys)
    for entry, resolved in taxa.by_entry.items():
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
        offset = 0
        while True:
            page = await _page(query, offset, client, journal)
            for record in page["results"]:
                yield occurrence_of(record, source.kind, resolved.checklist, table, asked=entry)
            offset += len(page["results"])
            if page.get("endOfRecords", True) or not page["results"]:
                break
            if offset + PAGE > DEEPEST:
                yield (
                    f"GBIF has {page.get('count')} records with images of {entry}; its search gives out the first "
                    f"{offset}. For all of them use `kind: gbif_download` instead of gbif_search."
                )
                break


async def _page(
    query: Mapping[str, str | list[str]], offset: int, client: WebClient, journal: Journal
) -> Mapping[str, Any]:
    """Return one page, from the journal if it is there."""
    question = {**query, "limit": str(PAGE), "offset": str(offset)}
    address = f"{client.settings.gbif_url}/v1/occurrence/search"
    request = f"{address}?{urlencode(question, doseq=True)}"
    kept = journal.reply(request)
    try:
        body = kept or await client.reply(address, query=question)
        page = json.loads(body)
        if not isinstance(page, dict) or not isinstance(page.get("results"), list):
            raise ValueError("no list of results")
    except FetchError as trouble:
        raise SourceError(f"GBIF's search failed. {trouble.detail} ({request})") from None
    except ValueError as error:
        raise SourceError(f"GBIF's search gave no readable answer ({error}): {request}") from None
    if kept is None:
        journal.keep_reply(request, body)
    return page


def occurrence_of(
    record: Mapping[str, Any], source: str, checklist: str, table: NameTable, *, asked: str | None = None
) -> Occurrence | Failure:
    """Read one record of the search.

    Args:
        record: the record as GBIF gives it, in the old or the new format (``classifications``).
        source: kind of the source, for messages.
        checklist: key of the checklist in which the job's taxa are known.
        table: finds the entry of the job.
        asked: the entry that was asked for; the record counts to it unless a narrower entry fits.
    """
    key = str(record.get("key") or record.get("gbifID") or "")
    usage = _usage(record, checklist)
    published = text_of(record.get("scientificName"))
    name = canonical_name(usage["species"] or usage["name"] or published or "")
    if name is None:
        return no_taxon(source, key, published)
    entry = table.find(name, usage["keys"]) or table.find(canonical_name(asked or ""))
    catalogued = table.accepted(name, entry)
    values = without_empty(
        {
            "scientificName": catalogued,
            "verbatimIdentification": published,
            "acceptedTaxonKey": usage["key"],
            "taxonRank": "species" if " " in catalogued else "genus",
            "genus": catalogued.split(" ", 1)[0],
            "family": usage["family"],
            "institutionCode": text_of(record.get("institutionCode")),
            "catalogNumber": text_of(record.get("catalogNumber")),
            "recordedBy": text_of(record.get("recordedBy")),
            "recordNumber": text_of(record.get("recordNumber")),
            "eventDate": text_of(record.get("eventDate")),
            "identifiedBy": text_of(record.get("identifiedBy")),
            "typeStatus": _type_status(record.get("typeStatus")),
            "basisOfRecord": BASIS_IN_CATALOG.get(str(record.get("basisOfRecord")), record.get("basisOfRecord")),
            "rightsHolder": text_of(record.get("rightsHolder")),
            "references": text_of(record.get("references")) or f"https://www.gbif.org/occurrence/{key}",
            "gbifID": key,
            "datasetKey": text_of(record.get("datasetKey")),
        }
    )
    licence = read_licence(text_of(record.get("license")))
    media = tuple(medium_of(medium) for medium in record.get("media") or () if isinstance(medium, dict))
    return Occurrence(source, key, values, licence, media)


def medium_of(medium: Mapping[str, Any]) -> Medium:
    """Read one medium of a record; every key may be absent."""
    texts = {key: text_of(value) for key, value in medium.items()}
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
    """Accepted key, names, family and the keys from the narrowest taxon up, in the checklist that the job uses."""
    classified = (record.get("classifications") or {}).get(checklist)
    if classified:
        accepted = classified.get("acceptedUsage") or classified.get("usage") or {}
        ladder = classified.get("classification") or []
        ranks = {str(one.get("rank")): one.get("name") for one in ladder}
        keys = [text_of(accepted.get("key")), *(text_of(one.get("key")) for one in reversed(ladder))]
        return {
            "key": text_of(accepted.get("key")),
            "name": text_of(accepted.get("name")),
            "species": text_of(ranks.get("SPECIES")),
            "family": text_of(ranks.get("FAMILY")),
            "keys": tuple(key for key in keys if key),
        }
    named = ("acceptedTaxonKey", "taxonKey", "speciesKey", "genusKey", "familyKey")
    keys = [text_of(record.get(name)) for name in named]
    return {
        "key": text_of(record.get("acceptedTaxonKey")) or text_of(record.get("taxonKey")),
        "name": text_of(record.get("acceptedScientificName")) or text_of(record.get("scientificName")),
        "species": text_of(record.get("species")),
        "family": text_of(record.get("family")),
        "keys": tuple(key for key in keys if key),
    }


def _type_status(value: object) -> str | None:
    """Type status comes as text or as a list."""
    return " | ".join(map(str, value)) if isinstance(value, list) else text_of(value)
