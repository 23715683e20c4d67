"""Darwin Core Archives, read as a stream: ``meta.xml`` says which file holds what, and nothing is unpacked to disk.

The archive comes from a stranger: its XML is parsed without entities; names that lead out of it are refused, as are
files that grow suspiciously on unpacking and lines without end. Darwin Core text guide: dwc.tdwg.org/text.
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
MAX_LINE = 4_000_000
"""Longest line, in characters; the longest seen in publishers' archives have some ten thousand."""
MAX_GROWTH = 300
"""A member that grows more on unpacking is refused, unless it is small; tables of occurrences grow 5 to 30 times."""
SMALL = 50_000_000

_ESCAPES = {"\\t": "\t", "\\n": "\n", "\\r": "\r", "\\r\\n": "\r\n", "\\\\": "\\", "\\u0001": "\x01", "\\|": "|"}


@dataclass(frozen=True)
class Table:
    """One file of an archive and how to read it; ``terms`` maps a short term (``scientificName``) to its columns.

    ``row_type`` and terms are compared without regard to case; where several terms share a short name (dc and dcterms),
    the columns stand in the order of the file. ``defaults`` are values that hold for all rows.
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
    """A row that cannot be read: its file and line, and why."""

    place: str
    why: str


@dataclass(frozen=True)
class Row:
    """One row: its identifier, and its fields by short term in small letters, without empty ones."""

    identifier: str
    fields: Mapping[str, str]


class DarwinCoreArchive:
    """An archive, a .zip file or a folder; use it as a context manager.

    Raises:
        SourceError: it is no Darwin Core Archive, is damaged, or is built to do harm.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._root = ""
        if path.is_dir():
            self._members = {file.relative_to(path).as_posix(): file for file in path.rglob("*") if file.is_file()}
        else:
            self._zip = _opened_zip(path)
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
        """Return a small text member, or None if the archive has none of this name.

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
        """Yield the rows of a table, in the order of its files, with the wanted terms only.

        Raises:
            SourceError: the archive is damaged or a file is missing.
        """
        columns = {term.lower(): table.terms[term.lower()] for term in wanted if term.lower() in table.terms}
        defaults = {term: table.defaults[term] for term in (one.lower() for one in wanted) if term in table.defaults}
        places = [(index, term) for term, indices in columns.items() for index in reversed(indices)]
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
                for index, term in places:  # of several columns of one term, the first that is filled counts
                    if index < width and fields[index] and (text := fields[index].strip()) and text != "\\N":
                        values[term] = text
                identifier = str(line) if table.id_index is None else fields[table.id_index].strip()
                yield Row(identifier, values)

    def _lines(self, table: Table, location: str) -> Iterator[tuple[int, list[str] | str]]:
        """Yield (line number, fields, or what is wrong with the line)."""
        try:
            with self._open(location) as member:
                text = io.TextIOWrapper(member, encoding=table.encoding, errors="replace", newline="\n")
                for _ in range(table.header_lines):  # as plain lines: headers with a stray quote do occur
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
        """Return the folder of ``meta.xml`` inside the archive, with its slash."""
        found = [name for name in self._names() if PurePosixPath(name).name == "meta.xml"]
        if not found:
            raise SourceError(
                f"{self.path} has no meta.xml, so it is no Darwin Core Archive. (GBIF's SIMPLE_CSV downloads have no "
                "image addresses; ask for a Darwin Core Archive.)"
            )
        nearest = min(found, key=lambda name: (name.count("/"), name))
        return nearest.removesuffix("meta.xml")

    def _describe(self) -> tuple[Table, tuple[Table, ...]]:
        try:
            root = ElementTree.fromstring(self.text("meta.xml") or "", forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError) as error:
            raise SourceError(f"{self.path}: meta.xml cannot be read: {error or type(error).__name__}.") from None
        core = [_table(one, self.path, "id") for one in root if _local(one) == "core"]
        if len(core) != 1:
            raise SourceError(f"{self.path}: meta.xml describes {len(core)} core files; exactly one is needed.")
        return core[0], tuple(_table(one, self.path, "coreid") for one in root if _local(one) == "extension")


def _opened_zip(path: Path) -> zipfile.ZipFile:
    try:
        opened = zipfile.ZipFile(path)
    except FileNotFoundError:
        raise SourceError(f"There is no archive {path}. Relative paths start at {Path.cwd()}.") from None
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise SourceError(f"{path} is no readable .zip archive: {error}.") from None
    for info in opened.infolist():
        if info.flag_bits & 1:
            raise SourceError(f"{path}: {info.filename} is locked with a password.")
        if PurePosixPath(info.filename).is_absolute() or ".." in info.filename.replace("\\", "/").split("/"):
            raise SourceError(f"{path}: the member {info.filename!r} leads out of the archive; it is refused.")
        if info.file_size > SMALL and info.file_size > MAX_GROWTH * max(1, info.compress_size):
            raise SourceError(
                f"{path}: {info.filename} would grow from {info.compress_size} to {info.file_size} bytes; such "
                "archives are built to fill disks, and are refused."
            )
    return opened


def _table(element: Element, path: Path, id_tag: str) -> Table:
    """Read one ``core`` or ``extension`` of ``meta.xml``."""
    locations = [
        location.text.strip() for location in element.iter() if _local(location) == "location" and location.text
    ]
    if not locations:
        raise SourceError(f"{path}: meta.xml has a table without a file.")
    for location in locations:
        if "://" in location or location.startswith("/") or ".." in location.replace("\\", "/").split("/"):
            raise SourceError(f"{path}: meta.xml names the file {location!r}, which lies outside the archive.")
    identifier = next((one for one in element if _local(one) == id_tag), None)
    terms: dict[str, tuple[int, ...]] = {}
    defaults: dict[str, str] = {}
    for field in (one for one in element if _local(one) == "field"):
        term = _short(field.get("term", ""))
        index = _whole(field.get("index"))
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
        header_lines=_whole(element.get("ignoreHeaderLines")) or 0,
        id_index=_whole(identifier.get("index")) if identifier is not None else None,
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
    line = text.readline(MAX_LINE)
    if len(line) >= MAX_LINE:
        raise SourceError(f"{location} has a line of more than {MAX_LINE} characters; this is no table.")
    return line


def _local(element: Element) -> str:
    """Tag without its namespace."""
    return str(element.tag).rsplit("}", 1)[-1]


def _short(term: str) -> str:
    """``http://rs.tdwg.org/dwc/terms/scientificName`` is ``scientificname``."""
    return term.replace("#", "/").rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1].lower()


def _unescaped(text: str) -> str:
    """Read a delimiter: a tab is written as such or, as often, as backslash and t."""
    return _ESCAPES.get(text, text)


def _whole(text: str | None) -> int | None:
    return int(text) if text is not None and text.strip().isdecimal() else None


def _encoding(name: str, path: Path) -> str:

    try:
        found = codecs.lookup(name.strip() or "utf-8").name
    except LookupError:
        raise SourceError(f"{path}: meta.xml names an unknown encoding, {name!r}.") from None
    return "utf-8-sig" if found == "utf-8" else found
