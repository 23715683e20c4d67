"""Parse the rows of a Darwin Core Archive into occurrences and media; keys of fields are terms in lower case."""

import re
from collections.abc import Mapping

from leafid.scientific_names import Name, read_determination
from leafid.sources.providers.licences import read_licence
from leafid.sources.providers.occurrences import (
    Medium,
    Occurrence,
    addresses_in,
    no_taxon_failure,
    with_qualifier,
    without_missing,
)
from leafid.sources.providers.taxon_matching import TaxonMatcher
from leafid.sources.source_result import Failure

BASIS = {
    "specimen": ("preservedspecimen", "herbariumsheet", "herbariumspecimen", "herbarium", "specimen"),
    "field": ("humanobservation", "observation", "fieldobservation"),
}
"""basisOfRecord for each domain as publishers write it, in lower case without separators."""

ADDRESS_TERMS = ("bestQualityAccessURI", "accessURI", "goodQualityAccessURI", "identifier")
LICENCE_TERMS = ("license", "licence", "WebStatement", "UsageTerms", "rights", "accessRights")
MEDIUM_TERMS = (
    *ADDRESS_TERMS, *LICENCE_TERMS, "references", "furtherInformationURL", "type", "format", "bestQualityFormat",
    "title", "caption", "description", "creator", "rightsHolder", "Owner", "PixelXDimension", "PixelYDimension",
    "thumbnailAccessURI",
)  # fmt: skip
OCCURRENCE_TERMS = (
    "scientificName", "verbatimScientificName", "verbatimIdentification", "acceptedScientificName", "species", "genus",
    "specificEpithet", "infraspecificEpithet",
    "identificationQualifier", "taxonKey", "acceptedTaxonKey", "speciesKey", "genusKey", "family", "institutionCode",
    "catalogNumber", "recordedBy", "recordNumber", "eventDate", "year", "month", "day", "identifiedBy", "typeStatus",
    "basisOfRecord", "license", "rights", "rightsHolder", "references", "gbifID", "datasetKey", "associatedMedia",
)  # fmt: skip
NAME_TERMS = (
    "scientificname", "verbatimscientificname", "verbatimidentification", "acceptedscientificname", "species", "genus",
    "specificepithet", "identificationqualifier", "acceptedtaxonkey", "taxonkey", "specieskey", "genuskey",
)  # fmt: skip
"""Terms, in lower case, that decide whether a row belongs to the taxa of the job."""


def parse_occurrence(
    identifier: str,
    fields: Mapping[str, str],
    media: tuple[Medium, ...],
    matcher: TaxonMatcher,
    source: str,
    doi: str | None,
) -> Occurrence | Failure:
    """Parse one row of the core."""
    name = published_name(fields)
    if name is None:
        return no_taxon_failure(source, identifier, fields.get("scientificname"))
    match = matcher.place(name, taxon_keys(fields))
    catalog_name = match.catalog_name
    gbif_id = fields.get("gbifid")
    values = without_missing(
        {
            "scientificName": catalog_name,
            "verbatimIdentification": with_qualifier(
                fields.get("scientificname"), fields.get("identificationqualifier")
            ),
            "acceptedTaxonKey": fields.get("acceptedtaxonkey"),
            "taxonRank": "species" if " " in catalog_name else "genus",
            "genus": catalog_name.split(" ", 1)[0],
            "family": fields.get("family"),
            "institutionCode": fields.get("institutioncode"),
            "catalogNumber": fields.get("catalognumber"),
            "recordedBy": fields.get("recordedby"),
            "recordNumber": fields.get("recordnumber"),
            "eventDate": fields.get("eventdate") or _date(fields),
            "identifiedBy": fields.get("identifiedby"),
            "typeStatus": fields.get("typestatus"),
            "basisOfRecord": _basis_of_record(fields.get("basisofrecord")),
            "rightsHolder": fields.get("rightsholder"),
            "references": fields.get("references")
            or (f"https://www.gbif.org/occurrence/{gbif_id}" if gbif_id else None),
            "gbifID": gbif_id,
            "datasetKey": fields.get("datasetkey"),
            "downloadDOI": doi,
        }
    )
    licence = read_licence(fields.get("license"), fields.get("rights"))
    return Occurrence(source, identifier, values, licence, media, match.left_because)


def parse_media(fields: Mapping[str, str]) -> tuple[Medium, ...]:
    """Parse one row of media; several terms may contain the address, and one cell several addresses."""
    cells = dict.fromkeys(found for term in ADDRESS_TERMS if (found := addresses_in(fields.get(term.lower(), ""))))
    if not cells:
        return (_medium(fields, None, ()),)
    first, *others = cells
    if len(first) > 1:
        return tuple(_medium(fields, address, ()) for address in first)
    return (_medium(fields, first[0], tuple(address for cell in others for address in cell)),)


def _medium(fields: Mapping[str, str], address: str | None, fallbacks: tuple[str, ...]) -> Medium:
    return Medium(
        identifier=address,
        references=fields.get("references") or fields.get("furtherinformationurl"),
        type=fields.get("type"),
        format=fields.get("format") or fields.get("bestqualityformat"),
        title=fields.get("title") or fields.get("caption"),
        description=fields.get("description"),
        creator=fields.get("creator"),
        rights_holder=fields.get("rightsholder") or fields.get("owner"),
        licence=read_licence(*(fields.get(term.lower()) for term in LICENCE_TERMS)),
        width=_positive_int(fields.get("pixelxdimension")),
        height=_positive_int(fields.get("pixelydimension")),
        fallbacks=fallbacks,
    )


def published_name(fields: Mapping[str, str]) -> Name | None:
    """Return the accepted name if GBIF gives one, or else the name on the label; see ``read_determination``."""
    parts = " ".join(part for term in ("genus", "specificepithet") if (part := fields.get(term)))
    written = ("verbatimscientificname", "verbatimidentification", "scientificname")
    accepted = (fields.get("species"), fields.get("acceptedscientificname"))
    labels = [*(fields.get(term) for term in written), parts]
    return read_determination(labels, accepted, fields.get("identificationqualifier"))


def taxon_keys(fields: Mapping[str, str]) -> tuple[str | None, ...]:
    """Return the checklist keys from the narrowest taxon up; downloads have those of the requested checklist."""
    return tuple(fields.get(term) for term in ("acceptedtaxonkey", "taxonkey", "specieskey", "genuskey"))


def _date(fields: Mapping[str, str]) -> str | None:
    """Return year, month and day in ISO 8601, as far as they are known."""
    parts = [fields.get(term, "") for term in ("year", "month", "day")]
    known = []
    for part in parts:
        if not re.fullmatch(r"\d{1,4}", part) or int(part) == 0:
            break
        known.append(part.zfill(2))
    return "-".join(known) or None


def _basis_of_record(value: str | None) -> str | None:
    """Return the standard spelling: ``PRESERVED_SPECIMEN`` and ``HERBARIUM SHEET`` are ``PreservedSpecimen``."""
    normalised = normalised_basis(value or "")
    names = {"specimen": "PreservedSpecimen", "field": "HumanObservation"}
    return next((names[domain] for domain, spellings in BASIS.items() if normalised in spellings), value)


def normalised_basis(text: str) -> str:
    """Return a basisOfRecord in lower case without separators, as in ``BASIS``."""
    return re.sub(r"[\W_]", "", text).lower()


def _positive_int(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\d{1,9}", text) and int(text) > 0 else None
