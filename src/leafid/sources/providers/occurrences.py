"""Occurrences and their media in the common form that GBIF, iDigBio and archives are parsed into."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

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

    ``source`` and ``key`` identify it to the user: ``gbif_search``, ``3879238308``. ``left_because`` is why none of its
    media is taken, such as an uncertain name.
    """

    source: str
    key: str
    values: Mapping[str, str]
    licence: Licence
    media: tuple[Medium, ...]
    left_because: str | None = None


_SEPARATED_ADDRESS = re.compile(r"""(?:^|(?<=[\s|;,'"\[(<]))https?://""", re.IGNORECASE)


def addresses_in(text: str) -> tuple[str, ...]:
    """Return the web addresses of a cell, which publishers separate by ``|``, ``;``, commas or spaces.

    A separator counts only where an address follows it, since addresses contain commas and semicolons themselves.
    """
    starts = [match.start() for match in _SEPARATED_ADDRESS.finditer(text)]
    parts = [text[start:end] for start, end in pairwise([*starts, len(text)])]
    listed = text.lstrip()[:1] in ("[", "(", "'", '"', "<")
    return tuple(dict.fromkeys(part.rstrip(" \t\r\n|;,'\"" + ("])>" if listed else "")) for part in parts))


def one_by_address(medium: Medium) -> tuple[Medium, ...]:
    """Return a medium for each address in its identifier."""
    found = addresses_in(medium.identifier or "")
    return tuple(replace(medium, identifier=address) for address in found) if found else (medium,)


def without_missing(values: Mapping[str, object]) -> dict[str, str]:
    """Convert values to text; drop missing and blank ones."""
    texts = ((name, " ".join(_encodable(str(value)).split())) for name, value in values.items() if value is not None)
    return {name: text for name, text in texts if text}


def text_or_none(value: object) -> str | None:
    """Return a value of a reply as text, or None where it is missing or blank."""
    if value is None or isinstance(value, dict | list):
        return None
    text = _encodable(str(value)).strip()
    return text or None


def with_qualifier(name: str | None, qualifier: str | None) -> str | None:
    """Return a name as published, followed by its ``identificationQualifier`` if the name does not contain it."""
    if not name or not qualifier or qualifier.lower() in name.lower():
        return name
    return f"{name} ({qualifier})"


def record_or_failure(source: str, key: str, parse: Callable[[], Occurrence | Failure]) -> Occurrence | Failure:
    """Parse one record; whatever goes wrong costs this record alone."""
    try:
        return parse()
    except Exception as error:  # a reply of a stranger may have any form
        detail = f"the record cannot be read ({type(error).__name__}: {str(error)[:200]})"
        return Failure(key, source, SourceFailureReason.UNREADABLE_RECORD, detail)


def _encodable(text: str) -> str:
    """Replace lone surrogates, which JSON may contain (escapes from D800 to DFFF) but no file or database stores."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def no_taxon_failure(source: str, key: str, name: str | None) -> Failure:
    """Return the failure of a record whose name is missing or unreadable."""
    detail = f"the name {name!r} cannot be read" if name else "the record has no scientific name"
    return Failure(key, source, SourceFailureReason.NO_TAXON, detail)
