"""Read Darwin Core Archives as a stream, as their ``meta.xml`` describes, without unpacking them to disk.

Archives are untrusted input. XML is parsed without entities. Paths outside the archive, members with a suspicious
compression ratio (ZIP bombs) and overlong lines are refused. Format: Darwin Core text guide, dwc.tdwg.org/text.
"""

import io
import lzma
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO
from xml.etree.ElementTree import ParseError

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from leafid.errors import SourceError
from leafid.quoted_records import quoted_records
from leafid.sources.providers.archive_description import Table, described_tables
from leafid.tables import MISSING_WORDS, encoding_of
from leafid.zip_files import DAMAGE, TooManyMembersError, check_member_count

MAX_META_BYTES = 5_000_000
MAX_LINE_LENGTH = 4_000_000
MAX_MEMBERS = 300_000
"""Downloads of GBIF describe each data set in a file of its own; there are 120,000."""
"""Longest line, in characters; lines in publishers' archives have up to some ten thousand."""
MAX_COMPRESSION_RATIO = 300
"""Largest ratio of unpacked to packed size of a member; tables of occurrences have 5 to 30."""
RATIO_CHECKED_ABOVE = 50_000_000
"""Bytes. Smaller members are read whatever their ratio, since they cannot fill a disk."""

MAX_UNREADABLE_ROWS = 10_000
"""After so many rows that cannot be read, an archive is refused unless more rows can be."""
SNIFFED_BYTES = 200_000
"""Bytes by which encoding and line ends are recognised."""

_DAMAGE = (*DAMAGE, lzma.LZMAError, OSError, OverflowError)
"""What the readers raise on damaged archives, whose members may be packed in any way that ``zipfile`` knows."""


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
            self._members = _files_inside(path)
        else:
            self._zip = _open_zip(path)
            # Programs on Windows write backslashes between folders.
            self._in_zip = {info.filename.replace("\\", "/"): info for info in self._zip.infolist()}
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
        return self._content(name, limit).decode("utf-8-sig", "replace")

    def _content(self, name: str, limit: int) -> bytes:
        with self._reading(name) as member:
            content = member.read(limit + 1)
        if len(content) > limit:
            raise SourceError(f"{self.path}: {name} is longer than {limit / 1e6:g} MB.")
        return content

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
                    if (
                        index < width
                        and fields[index]
                        and (text := fields[index].strip())
                        and not _is_missing(term, text)
                    ):
                        values[term] = text
                identifier = str(line) if table.id_index is None else fields[table.id_index].strip()
                yield Row(identifier, values)

    def _lines(self, table: Table, location: str) -> Iterator[tuple[int, list[str] | str]]:
        """Yield (line number, fields or the reason why the line cannot be read)."""
        with self._reading(location) as member:
            start = member.read(SNIFFED_BYTES)
        encoding = encoding_of(start) or table.encoding  # a byte order mark is right where meta.xml is not
        newline = _line_end(start.decode(encoding, "replace"), table.line_end)
        unreadable = 0
        with self._reading(location) as member:
            text = io.TextIOWrapper(member, encoding=encoding, errors="replace", newline=newline)
            header = ""
            for _ in range(table.header_lines):  # not parsed as CSV, since some headers contain a stray quote
                header = _readline(text, location)
            parsed = _quoted(text, table, location, header) if table.quote else _plain(text, table, location)
            for read, (line, fields) in enumerate(parsed, start=1):
                unreadable += isinstance(fields, str)
                if unreadable > MAX_UNREADABLE_ROWS and unreadable > read / 2:
                    raise SourceError(
                        f"{self.path}: {unreadable} of the first {read} rows of {location} cannot be read (line "
                        f"{line}: {fields}). It is not the table that meta.xml describes."
                    )
                yield line, fields

    @contextmanager
    def _reading(self, name: str) -> Iterator[IO[bytes]]:
        """Open a member; whatever a damaged archive raises names the member.

        Raises:
            SourceError: the member is missing or damaged.
        """
        full = self._root + name
        if full not in self._names():
            raise SourceError(f"{self.path}: meta.xml names the file {name}, which is not in the archive.")
        try:
            with self._members[full].open("rb") if self._zip is None else self._zip.open(self._in_zip[full]) as opened:
                yield opened
        except _DAMAGE as error:
            raise SourceError(f"{self.path}: {name} is damaged: {error or type(error).__name__}.") from None

    def _names(self) -> Iterable[str]:
        return self._members if self._zip is None else self._in_zip

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
            # As bytes: the parser knows UTF-16 and the encoding that the XML declaration names.
            root = ElementTree.fromstring(self._content("meta.xml", MAX_META_BYTES), forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError, LookupError, RecursionError) as error:
            raise SourceError(f"{self.path}: meta.xml cannot be read: {error or type(error).__name__}.") from None
        return described_tables(root, self.path)


def _files_inside(folder: Path) -> dict[str, Path]:
    """Return the files of a folder by name; links that leave the folder are refused."""
    real = folder.resolve()
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    for name, file in files.items():
        if not file.resolve().is_relative_to(real):
            raise SourceError(f"{folder}: {name} is a link to a file outside the archive; it is refused.")
    return files


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        with path.open("rb") as content:
            check_member_count(content, MAX_MEMBERS)
        opened = zipfile.ZipFile(path)
    except TooManyMembersError as error:
        raise SourceError(f"{path} has {error.count:,} members, more than the {MAX_MEMBERS:,} that are read.") from None
    except FileNotFoundError:
        raise SourceError(f"There is no archive {path}. Relative paths start at {Path.cwd()}.") from None
    except _DAMAGE as error:
        raise SourceError(f"{path} is not a readable .zip archive: {error or type(error).__name__}.") from None
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


def _is_missing(term: str, text: str) -> bool:
    """Whether a value means that there is none; ``NA`` is also the code of a herbarium."""
    return text in MISSING_WORDS and not (term == "institutioncode" and text == "NA")


def _quoted(text: io.TextIOWrapper, table: Table, location: str, header: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield records whose values may be quoted; the header, if any, shows how many values there are."""
    named = next(quoted_records([header], table.delimiter, table.quote), (0, ""))[1] if header else ""
    width = None if isinstance(named, str) else len(named)
    for line, fields in quoted_records(_limited(text, location), table.delimiter, table.quote, width):
        yield line + table.header_lines, fields


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


def _line_end(sample: str, stated: str) -> str:
    """Return the character that ends lines: the one that meta.xml states, unless the file has only the other."""
    wanted = "\r" if stated == "\r" else "\n"
    other = "\n" if wanted == "\r" else "\r"
    return other if wanted not in sample and other in sample else wanted
