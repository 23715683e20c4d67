"""Read the ``meta.xml`` of a Darwin Core Archive: the tables, their files, columns and format (dwc.tdwg.org/text)."""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from leafid.errors import SourceError

MAX_COLUMNS = 10_000
MAX_HEADER_LINES = 1000

_NO_ENCODINGS = ("idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "utf-7")
"""Codecs of Python that are no encoding of a file of text."""

_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\r\\n": "\r\n", "\\\\": "\\", "\\u0001": "\x01", "\\|": "|"}


@dataclass(frozen=True)
class Table:
    """One table of an archive and its format.

    ``terms`` maps a short term in lower case (``scientificname``) to its columns. Terms that share a short name (dc and
    dcterms) have several, in the order of the file. ``defaults`` are values for all rows. Compare ``row_type`` in lower
    case.
    """

    row_type: str
    locations: tuple[str, ...]
    encoding: str
    delimiter: str
    quote: str
    line_end: str
    header_lines: int
    id_index: int | None
    terms: Mapping[str, tuple[int, ...]]
    defaults: Mapping[str, str]


def described_tables(root: Element, path: Path) -> tuple[Table, tuple[Table, ...]]:
    """Return the core and the extensions of an archive.

    Args:
        root: the element ``archive`` of meta.xml.
        path: the archive, for messages.

    Raises:
        SourceError: there is not one core, or a table is described in a way that cannot be read.
    """
    core = [_table(child, path, "id") for child in root if _local_name(child) == "core"]
    if len(core) != 1:
        raise SourceError(f"{path}: meta.xml describes {len(core)} core files; exactly one is needed.")
    return core[0], tuple(_table(child, path, "coreid") for child in root if _local_name(child) == "extension")


def _table(element: Element, path: Path, id_tag: str) -> Table:
    """Read one ``core`` or ``extension`` of ``meta.xml``."""
    locations = [
        location.text.strip() for location in element.iter() if _local_name(location) == "location" and location.text
    ]
    if not locations:
        raise SourceError(f"{path}: meta.xml describes a table without a file.")
    for location in locations:
        if "://" in location or location.startswith("/") or ".." in location.replace("\\", "/").split("/"):
            raise SourceError(f"{path}: meta.xml names the file {location!r}, which is outside the archive.")
    identifier = next((child for child in element if _local_name(child) == id_tag), None)
    terms: dict[str, tuple[int, ...]] = {}
    defaults: dict[str, str] = {}
    for field in (child for child in element if _local_name(child) == "field"):
        term = _short_term(field.get("term", ""))
        index = _bounded(field.get("index"), MAX_COLUMNS, f"index of {term}", path)
        if index is not None:
            terms[term] = (*terms.get(term, ()), index)
        if field.get("default"):  # for empty cells where the field has a column too
            defaults[term] = field.get("default", "")
    return Table(
        row_type=element.get("rowType", ""),
        locations=tuple(locations),
        encoding=_encoding(element.get("encoding", "UTF-8"), path),
        delimiter=_unescaped(element.get("fieldsTerminatedBy", ",")) or ",",
        quote=_unescaped(element.get("fieldsEnclosedBy", '"'))[:1],
        line_end=_unescaped(element.get("linesTerminatedBy", "\\n")),
        header_lines=_bounded(element.get("ignoreHeaderLines"), MAX_HEADER_LINES, "ignoreHeaderLines", path) or 0,
        id_index=_bounded(identifier.get("index"), MAX_COLUMNS, "index", path) if identifier is not None else None,
        terms=terms,
        defaults=defaults,
    )


def _local_name(element: Element) -> str:
    """Return the tag without its namespace."""
    return str(element.tag).rsplit("}", 1)[-1]


def _short_term(term: str) -> str:
    """Shorten a term: ``http://rs.tdwg.org/dwc/terms/scientificName`` is ``scientificname``."""
    return term.replace("#", "/").rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower()


def _unescaped(text: str) -> str:
    """Resolve the escapes of a delimiter, such as backslash and ``t`` for a tab."""
    return _ESCAPES.get(text, text)


def _bounded(text: str | None, limit: int, what: str, path: Path) -> int | None:
    """Return a whole number of meta.xml up to a limit; None where it is missing or no number.

    Raises:
        SourceError: it is larger.
    """
    digits = (text or "").strip().lstrip("0") or (text or "").strip()[-1:]
    if not (digits.isascii() and digits.isdecimal()):
        return None
    if len(digits) > 9 or int(digits) > limit:
        raise SourceError(f"{path}: meta.xml gives {digits[:20]} as {what}; the largest number is {limit}.")
    return int(digits)


def _encoding(name: str, path: Path) -> str:
    """Return the codec; UTF-8 is read with or without a byte order mark."""
    try:
        found = codecs.lookup(name.strip() or "utf-8").name
        if found in _NO_ENCODINGS:
            raise LookupError
        "a".encode(found)  # a LookupError for codecs between bytes or texts, such as zlib and rot13
    except (LookupError, ValueError):
        raise SourceError(
            f"{path}: meta.xml names the encoding {name[:50]!r}, which is no encoding of text. UTF-8 is usual."
        ) from None
    return "utf-8-sig" if found == "utf-8" else found
