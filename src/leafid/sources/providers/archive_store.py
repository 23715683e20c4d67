"""Join the records of an archive with their media on disk, in whatever order the archive lists them.

Rows are appended to a temporary SQLite file and sorted when complete. SQLite spills sorted runs to disk, so memory
stays small and the disk is read sequentially. An index over random keys would need random access.
"""

import json
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

Fields = Mapping[str, str]

BATCH_ROWS = 5000
MAX_IDENTIFIERS_IN_MEMORY = 300_000
"""More identifiers than this (about 30 MB) are not kept in memory."""
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
        # The system's folder for temporary files may be small or in memory. Builds without this pragma ignore it.
        self._store.execute(f"PRAGMA temp_store_directory = {_quoted(self._folder.name)}")
        self._store.execute("CREATE TABLE record (id TEXT, fields TEXT)")
        self._store.execute("CREATE TABLE medium (id TEXT, fields TEXT)")
        self._buffers: dict[str, list[tuple[str, str]]] = {"record": [], "medium": []}
        self.records = 0

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Delete the temporary file."""
        self._store.execute("PRAGMA temp_store_directory = ''")
        self._store.close()
        self._folder.cleanup()

    def add_record(self, identifier: str, fields: Fields) -> None:
        """Store a record."""
        self.records += 1
        self._add("record", identifier, fields)

    def add_medium(self, identifier: str, fields: Fields) -> None:
        """Store a medium; ``identifier`` is that of its record, which may be absent."""
        self._add("medium", identifier, fields)

    def identifiers_if_few(self) -> frozenset[str] | None:
        """Return the identifiers of the records, for skipping media of others; None if there are too many."""
        self._write("record")
        if self.records > MAX_IDENTIFIERS_IN_MEMORY:
            return None
        return frozenset(identifier for (identifier,) in self._store.execute("SELECT id FROM record"))

    def records_with_media(self) -> Iterator[tuple[str, Fields, list[Fields]]]:
        """Yield (identifier, record, media) by identifier. Only the first of records with equal identifiers is yielded.

        Media keep the order in which they were added.
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
            while pending is not None and pending[0] < identifier:  # media without a record
                pending = media.fetchone()
            found: list[Fields] = []
            while pending is not None and pending[0] == identifier:
                found.append(json.loads(pending[1]))
                pending = media.fetchone()
            yield identifier, json.loads(text), found

    def count_repeated(self) -> int:
        """Count the records that repeat the identifier of an earlier one."""
        self._write("record")
        query = "SELECT SUM(times - 1) FROM (SELECT COUNT(*) AS times FROM record GROUP BY id HAVING times > 1)"
        return int(self._store.execute(query).fetchone()[0] or 0)

    def _add(self, table: str, identifier: str, fields: Fields) -> None:
        buffer = self._buffers[table]
        buffer.append((identifier, json.dumps(fields, ensure_ascii=False)))
        if len(buffer) >= BATCH_ROWS:
            self._write(table)

    def _write(self, table: str) -> None:
        self._store.execute("BEGIN")
        self._store.executemany(f"INSERT INTO {table} VALUES (?, ?)", self._buffers[table])
        self._store.execute("COMMIT")
        self._buffers[table].clear()


def _quoted(text: str) -> str:
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
