"""Read Darwin Core Archives as a stream, as their ``meta.xml`` describes, without unpacking them to disk.

Archives are untrusted input. XML is parsed without entities. Paths outside the archive, members with a suspicious
compression ratio (ZIP bombs) and overlong lines are refused. Format: Darwin Core text guide, dwc.tdwg.org/text.
"""

import codecs
import csv
import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from xml.etree.ElementTree import Element, ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from leafid.errors import SourceError

MAX_META_BYTES = 5_000_000
MAX_LINE_LENGTH = 4_000_000
"""Longest line, in characters; lines in publishers' archives have up to some ten thousand."""
MAX_COMPRESSION_RATIO = 300
"""Largest ratio of unpacked to packed size of a member; tables of occurrences have 5 to 30."""
RATIO_CHECKED_ABOVE = 50_000_000
"""Bytes. Smaller members are read whatever their ratio, since they cannot fill a disk."""

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
    header_lines: int
    id_index: int | None
    terms: Mapping[str, tuple[int, ...]]
    defaults: Mapping[str, str]


@dataclass(frozen=True)
class UnreadableRow:
    """A row that cannot be read: its file and line, and the reason."""

    location: str
    reason: str


@dataclass(frozen=True)
class Row:
    """One row: its identifier, and its non-empty fields by short term in lower case."""

    identifier: str
    fields: Mapping[str, str]


class DarwinCoreArchive:
    """An archive, a .zip file or a folder; use it as a context manager.

    Raises:
        SourceError: it is not a Darwin Core Archive, is damaged, or is refused as harmful.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._root = ""
        if path.is_dir():
            self._members = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
        else:
            self._zip = _open_zip(path)
        self._root = self._find_root()
        self.core, self.extensions = self._describe()

    def __enter__(self) -> "DarwinCoreArchive":
        """Return the archive itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        if self._zip is not None:
            self._zip.close()

    def text(self, name: str, limit: int = MAX_META_BYTES) -> str | None:
        """Return the text of a small member, or None if there is no member of this name.

        Raises:
            SourceError: it is longer than ``limit`` bytes.
        """
        if self._root + name not in self._names():
            return None
        with self._open(name) as member:
            content = member.read(limit + 1)
        if len(content) > limit:
            raise SourceError(f"{self.path}: {name} is longer than {limit / 1e6:g} MB.")
        return content.decode("utf-8-sig", "replace")

    def rows(self, table: Table, wanted: Iterable[str]) -> Iterator[Row | UnreadableRow]:
        """Yield the rows of a table in the order of its files, with the fields of ``wanted`` terms only.

        Raises:
            SourceError: the archive is damaged or a file is missing.
        """
        columns = {term.lower(): table.terms[term.lower()] for term in wanted if term.lower() in table.terms}
        defaults = {term: table.defaults[term] for term in (one.lower() for one in wanted) if term in table.defaults}
        cells = [(index, term) for term, indices in columns.items() for index in reversed(indices)]
        needed = 0 if table.id_index is None else table.id_index + 1
        for location in table.locations:
            for line, fields in self._lines(table, location):
                if isinstance(fields, str):
                    yield UnreadableRow(f"{location}, line {line}", fields)
                    continue
                width = len(fields)
                if width < needed:
                    yield UnreadableRow(f"{location}, line {line}", f"only {width} fields, no identifier")
                    continue
                values = defaults.copy()
                for index, term in cells:  # of several columns of one term, the first non-empty one counts
                    if index < width and fields[index] and (text := fields[index].strip()) and text != "\\N":
                        values[term] = text
                identifier = str(line) if table.id_index is None else fields[table.id_index].strip()
                yield Row(identifier, values)

    def _lines(self, table: Table, location: str) -> Iterator[tuple[int, list[str] | str]]:
        """Yield (line number, fields or the reason why the line cannot be read)."""
        try:
            with self._open(location) as member:
                text = io.TextIOWrapper(member, encoding=table.encoding, errors="replace", newline="\n")
                for _ in range(table.header_lines):  # not parsed as CSV, since some headers contain a stray quote
                    _readline(text, location)
                if table.quote:
                    yield from _quoted(text, table, location)
                else:
                    yield from _plain(text, table, location)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise SourceError(f"{self.path}: {location} is damaged: {error}.") from None

    def _open(self, name: str) -> IO[bytes]:
        full = self._root + name
        if full not in self._names():
            raise SourceError(f"{self.path}: meta.xml names the file {name}, which is not in the archive.")
        if self._zip is None:
            return self._members[full].open("rb")
        return self._zip.open(full)

    def _names(self) -> Iterable[str]:
        return self._members if self._zip is None else self._zip.NameToInfo

    def _find_root(self) -> str:
        """Return the folder of ``meta.xml`` inside the archive, with a trailing slash."""
        found = [name for name in self._names() if PurePosixPath(name).name == "meta.xml"]
        if not found:
            raise SourceError(
                f"{self.path} has no meta.xml, so it is not a Darwin Core Archive. GBIF's SIMPLE_CSV downloads contain "
                "no image addresses; request a Darwin Core Archive instead."
            )
        nearest = min(found, key=lambda name: (name.count("/"), name))
        return nearest.removesuffix("meta.xml")

    def _describe(self) -> tuple[Table, tuple[Table, ...]]:
        try:
            root = ElementTree.fromstring(self.text("meta.xml") or "", forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError) as error:
            raise SourceError(f"{self.path}: meta.xml cannot be read: {error or type(error).__name__}.") from None
        core = [_table(child, self.path, "id") for child in root if _local_name(child) == "core"]
        if len(core) != 1:
            raise SourceError(f"{self.path}: meta.xml describes {len(core)} core files; exactly one is needed.")
        return core[0], tuple(_table(child, self.path, "coreid") for child in root if _local_name(child) == "extension")


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        opened = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise SourceError(f"There is no archive {path}. Relative paths start at {Path.cwd()}.") from None
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise SourceError(f"{path} is not a readable .zip archive: {error}.") from None
    for info in opened.infolist():
        if info.flag_bits & 1:
            raise SourceError(f"{path}: {info.filename} is protected by a password.")
        if PurePosixPath(info.filename).is_absolute() or ".." in info.filename.replace("\\", "/").split("/"):
            raise SourceError(f"{path}: the path of member {info.filename!r} is outside the archive; it is refused.")
        if info.file_size > RATIO_CHECKED_ABOVE and info.file_size > MAX_COMPRESSION_RATIO * max(1, info.compress_size):
            raise SourceError(
                f"{path}: {info.filename} would unpack from {info.compress_size} to {info.file_size} bytes; such "
                "archives (ZIP bombs) are refused."
            )
    return opened


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
        index = _parse_int(field.get("index"))
        if index is not None:
            terms[term] = (*terms.get(term, ()), index)
        elif field.get("default"):
            defaults[term] = field.get("default", "")
    return Table(
        row_type=element.get("rowType", ""),
        locations=tuple(locations),
        encoding=_encoding(element.get("encoding", "UTF-8"), path),
        delimiter=_unescaped(element.get("fieldsTerminatedBy", ",")) or ",",
        quote=_unescaped(element.get("fieldsEnclosedBy", '"'))[:1],
        header_lines=_parse_int(element.get("ignoreHeaderLines")) or 0,
        id_index=_parse_int(identifier.get("index")) if identifier is not None else None,
        terms=terms,
        defaults=defaults,
    )


def _quoted(text: io.TextIOWrapper, table: Table, location: str) -> Iterator[tuple[int, list[str] | str]]:
    reader = csv.reader(
        _limited(text, location), delimiter=table.delimiter[:1], quotechar=table.quote, doublequote=True, strict=False
    )
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num + table.header_lines, str(error)
            continue
        if fields:
            yield reader.line_num + table.header_lines, fields


def _plain(text: io.TextIOWrapper, table: Table, location: str) -> Iterator[tuple[int, list[str] | str]]:
    for line, content in enumerate(_limited(text, location), start=table.header_lines + 1):
        stripped = content.rstrip("\r\n")
        if stripped:
            yield line, stripped.split(table.delimiter)


def _limited(text: io.TextIOWrapper, location: str) -> Iterator[str]:
    while line := _readline(text, location):
        yield line


def _readline(text: io.TextIOWrapper, location: str) -> str:
    line = text.readline(MAX_LINE_LENGTH)
    if len(line) >= MAX_LINE_LENGTH:
        raise SourceError(f"{location} has a line of more than {MAX_LINE_LENGTH} characters, so it is not a table.")
    return line


def _local_name(element: Element) -> str:
    """Return the tag without its namespace."""
    return str(element.tag).rsplit("}", 1)[-1]


def _short_term(term: str) -> str:
    """Shorten a term: ``http://rs.tdwg.org/dwc/terms/scientificName`` is ``scientificname``."""
    return term.replace("#", "/").rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower()


def _unescaped(text: str) -> str:
    """Resolve the escapes of a delimiter, such as backslash and ``t`` for a tab."""
    return _ESCAPES.get(text, text)


def _parse_int(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _encoding(name: str, path: Path) -> str:
    """Return the codec; UTF-8 is read with or without a byte order mark."""
    try:
        found = codecs.lookup(name.strip() or "utf-8").name
    except LookupError:
        raise SourceError(f"{path}: meta.xml names an unknown encoding, {name!r}.") from None
    return "utf-8-sig" if found == "utf-8" else found
