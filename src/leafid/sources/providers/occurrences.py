"""An occurrence and its media, as every public source hands them on: GBIF, iDigBio and archives speak differently."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from leafid.sources.providers.licences import Licence, read_licence


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium of an occurrence, as published; whatever the publisher left out is None.

    ``identifier`` is the address of the file, ``references`` that of a page about it. ``fallbacks`` are addresses of
    the same picture elsewhere. ``width`` and ``height`` are stated by the publisher, in pixels, sometimes swapped.
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
    """One occurrence: ``values`` are catalog columns, without empty ones; ``scientificName`` has no author.

    ``source`` and ``key`` name it for the user: ``gbif_search``, ``3879238308``.
    """

    source: str
    key: str
    values: Mapping[str, str]
    licence: Licence
    media: tuple[Medium, ...]


def without_empty(values: Mapping[str, object]) -> dict[str, str]:
    """Keep what is known, as text."""
    texts = ((name, " ".join(str(value).split())) for name, value in values.items() if value is not None)
    return {name: text for name, text in texts if text}


def text_of(value: object) -> str | None:
    """Return a value of a reply as text, or None where it is missing or blank."""
    if value is None or isinstance(value, dict | list):
        return None
    text = str(value).strip()
    return text or None
