"""Occurrences and their media in the common form that GBIF, iDigBio and archives are parsed into."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from leafid.sources.providers.licences import Licence, read_licence
from leafid.sources.source_result import Failure, SourceFailureReason


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium of an occurrence, as published; missing values are None.

    ``identifier`` is the address of the file, ``references`` that of a page about it. ``fallbacks`` are addresses of
    copies of the file. ``width`` and ``height`` in pixels are the publisher's and sometimes swapped.
    """

    identifier: str | None
    references: str | None = None
    type: str | None = None
    format: str | None = None
    title: str | None = None
    description: str | None = None
    creator: str | None = None
    rights_holder: str | None = None
    licence: Licence = field(default_factory=read_licence)
    width: int | None = None
    height: int | None = None
    fallbacks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Occurrence:
    """One occurrence: ``values`` are its non-empty catalog columns; ``scientificName`` has no author.

    ``source`` and ``key`` identify it to the user: ``gbif_search``, ``3879238308``.
    """

    source: str
    key: str
    values: Mapping[str, str]
    licence: Licence
    media: tuple[Medium, ...]


def without_missing(values: Mapping[str, object]) -> dict[str, str]:
    """Convert values to text; drop missing and blank ones."""
    texts = ((name, " ".join(str(value).split())) for name, value in values.items() if value is not None)
    return {name: text for name, text in texts if text}


def text_or_none(value: object) -> str | None:
    """Return a value of a reply as text, or None where it is missing or blank."""
    if value is None or isinstance(value, dict | list):
        return None
    text = str(value).strip()
    return text or None


def no_taxon_failure(source: str, key: str, name: str | None) -> Failure:
    """Return the failure of a record whose name is missing or unreadable."""
    detail = f"the name {name!r} cannot be read" if name else "the record has no scientific name"
    return Failure(key, source, SourceFailureReason.NO_TAXON, detail)
