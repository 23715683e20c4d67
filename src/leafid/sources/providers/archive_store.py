"""Joins the records of an archive with their media on disk, whatever order both stand in.

Rows are appended to a temporary SQLite file and sorted there when all are in: SQLite sorts in runs that it spills to
disk, so that memory stays small and the disk is read from front to back, which an index over random keys would not do.
"""

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

Fields = Mapping[str, str]

BATCH = 5000
FEW = 300_000
"""So many identifiers are kept in memory (about 30 MB)."""
_CACHE_KB = 16_000


class ArchiveStore:
    """Records and media of one archive in a temporary file below ``scratch``; use it as a context manager."""

    def __init__(self, scratch: Path) -> None:
        scratch.mkdir(parents=True, exist_ok=True)
        self._folder = tempfile.TemporaryDirectory(prefix=".archive-", dir=scratch)
        self._store = sqlite3.connect(Path(self._folder.name) / "rows.sqlite", isolation_level=None)
        self._store.execute("PRAGMA journal_mode = OFF")
        self._store.execute("PRAGMA synchronous = OFF")
        self._store.execute(f"PRAGMA cache_size = -{_CACHE_KB}")
        # The system's folder for temporary files may be small, or lie in memory. (Where SQLite was built without this
        # pragma it is ignored.)
        self._store.execute(f"PRAGMA temp_store_directory = {_quoted(self._folder.name)}")
        self._store.execute("CREATE TABLE record (id TEXT, fields TEXT)")
        self._store.execute("CREATE TABLE medium (id TEXT, fields TEXT)")
        self._waiting: dict[str, list[tuple[str, str]]] = {"record": [], "medium": []}
        self.records = 0

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete the file."""
        self._store.execute("PRAGMA temp_store_directory = ''")
        self._store.close()
        self._folder.cleanup()

    def add_record(self, identifier: str, fields: Fields) -> None:
        """Keep a record."""
        self.records += 1
        self._add("record", identifier, fields)

    def add_medium(self, identifier: str, fields: Fields) -> None:
        """Keep a medium of the record with this identifier, if there is one."""
        self._add("medium", identifier, fields)

    def few_identifiers(self) -> frozenset[str] | None:
        """Return the identifiers of the records where they are few, so that other media need not be kept at all."""
        self._write("record")
        if self.records > FEW:
            return None
        return frozenset(identifier for (identifier,) in self._store.execute("SELECT id FROM record"))

    def joined(self) -> Iterator[tuple[str, Fields, list[Fields]]]:
        """Yield (identifier, record, media) by identifier; of records with the same identifier only the first.

        Media come in the order in which they were added.
        """
        self._write("record")
        self._write("medium")
        media = self._store.execute("SELECT id, fields FROM medium ORDER BY id, rowid")
        pending = media.fetchone()
        last = None
        for identifier, text in self._store.execute("SELECT id, fields FROM record ORDER BY id, rowid"):
            if identifier == last:
                continue
            last = identifier
            while pending is not None and pending[0] < identifier:  # of no record
                pending = media.fetchone()
            found: list[Fields] = []
            while pending is not None and pending[0] == identifier:
                found.append(json.loads(pending[1]))
                pending = media.fetchone()
            yield identifier, json.loads(text), found

    def repeated(self) -> int:
        """Count the records that repeat the identifier of an earlier one."""
        self._write("record")
        query = "SELECT SUM(times - 1) FROM (SELECT COUNT(*) AS times FROM record GROUP BY id HAVING times > 1)"
        return int(self._store.execute(query).fetchone()[0] or 0)

    def _add(self, table: str, identifier: str, fields: Fields) -> None:
        waiting = self._waiting[table]
        waiting.append((identifier, json.dumps(fields, ensure_ascii=False)))
        if len(waiting) >= BATCH:
            self._write(table)

    def _write(self, table: str) -> None:
        self._store.execute("BEGIN")
        self._store.executemany(f"INSERT INTO {table} VALUES (?, ?)", self._waiting[table])
        self._store.execute("COMMIT")
        self._waiting[table].clear()


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
