"""The journal of a collection: planned images, outcomes of fetching, and cached replies of search services.

The journal is an SQLite file beside the catalog. It survives ``kill -9``, since every change is one transaction in the
write-ahead log.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from leafid.errors import OutputError

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS image (          -- one row for each address, kept between calls of the command
    url TEXT PRIMARY KEY,
    state TEXT NOT NULL,                    -- done, failed (permanently), delayed (the next call tries again)
    sha256 TEXT, bytes INTEGER, ending TEXT, width INTEGER, height INTEGER, retrieved TEXT,
    reason TEXT, detail TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partial (        -- validators of partly fetched files
    url TEXT PRIMARY KEY, validator TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS planned (        -- the images of this call; each call plans anew
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL, occurrence TEXT NOT NULL, name TEXT NOT NULL, taxon TEXT NOT NULL,
    institution TEXT NOT NULL, licence TEXT NOT NULL,
    draw TEXT NOT NULL,                     -- hash of seed and address: random order for limit_per_taxon
    host TEXT NOT NULL, address TEXT NOT NULL, urls TEXT NOT NULL, row TEXT NOT NULL,
    left_because TEXT                       -- NULL: the image is to be fetched
);
CREATE TABLE IF NOT EXISTS left_medium (    -- media that are not planned, with the reason
    source TEXT NOT NULL, occurrence TEXT NOT NULL, url TEXT NOT NULL, licence TEXT NOT NULL, why TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reply (          -- replies of search services, kept until the collection is complete
    request TEXT PRIMARY KEY, body BLOB NOT NULL, retrieved TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS download (       -- downloads requested from GBIF, by their predicate
    predicate TEXT PRIMARY KEY, key TEXT NOT NULL, requested TEXT NOT NULL
) WITHOUT ROWID;
"""


PLANNED_COLUMNS = (
    "source", "occurrence", "name", "taxon", "institution", "licence", "draw", "host", "address", "urls", "row",
)  # fmt: skip
"""Columns of a planned image; ``urls`` and ``row`` (catalog columns) are JSON."""
EXCLUDED_COLUMNS = ("source", "occurrence", "url", "licence", "why")
"""Columns of a medium that is not planned."""


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """An image to fetch: addresses in order of preference, and the catalog columns known so far."""

    number: int
    source: str
    occurrence: str
    urls: tuple[str, ...]
    row: dict[str, str]


@dataclass(frozen=True, slots=True)
class FetchOutcome:
    """The result of fetching one address: SHA-256 and size of an image on disk, or the reason of a failure."""

    state: str
    sha256: str | None = None
    bytes: int | None = None
    extension: str | None = None
    width: int | None = None
    height: int | None = None
    retrieved: str | None = None
    reason: str | None = None
    detail: str | None = None


class Journal:
    """The journal of one job; use it as a context manager.

    Raises:
        OutputError: another call of the command is using it, it is damaged, or a newer leafid wrote it.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=1, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            # Exclusive for the whole call: two calls of the command must not share partial files.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
            if version > SCHEMA_VERSION:
                raise OutputError(f"{path} was written by a newer leafid. Update leafid, or delete the file.")
            self._connection.executescript(_SCHEMA)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                raise OutputError(f"{path} is in use: another `leafid collect` of this job is running.") from None
            raise OutputError(f"{path} cannot be written: {error}.") from None
        except sqlite3.DatabaseError as error:
            raise OutputError(f"{path} is damaged ({error}). Delete it; images on disk are kept.") from None

    def __enter__(self) -> Self:
        """Return the journal itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._connection.close()

    # Outcomes of fetching

    def outcome(self, url: str) -> FetchOutcome | None:
        """Return the outcome of an address in this call or an earlier one, or None."""
        row = self._connection.execute(
            "SELECT state, sha256, bytes, ending, width, height, retrieved, reason, detail FROM image WHERE url = ?",
            (url,),
        ).fetchone()
        return None if row is None else FetchOutcome(*row)

    def record(self, url: str, outcome: FetchOutcome) -> None:
        """Record the outcome of an address; unless it will be tried again, forget its validator."""
        values = (url, *(getattr(outcome, name) for name in FetchOutcome.__slots__))
        with self._transaction():
            self._connection.execute(f"INSERT OR REPLACE INTO image VALUES ({', '.join('?' * len(values))})", values)
            if outcome.state != "delayed":
                self._connection.execute("DELETE FROM partial WHERE url = ?", (url,))

    def forget(self, url: str) -> None:
        """Delete the outcome of an address, so that it is fetched again."""
        self._connection.execute("DELETE FROM image WHERE url = ?", (url,))

    def finished(self) -> Iterator[tuple[str, FetchOutcome]]:
        """Yield every address whose image is on disk."""
        cursor = self._connection.execute(
            "SELECT url, state, sha256, bytes, ending, width, height, retrieved, reason, detail FROM image "
            "WHERE state = 'done'"
        )
        for url, *values in cursor.fetchall():
            yield url, FetchOutcome(*values)

    def validator(self, url: str) -> str | None:
        """Return the ETag or date that allows a partial file to be continued."""
        row = self._connection.execute("SELECT validator FROM partial WHERE url = ?", (url,)).fetchone()
        return None if row is None else str(row[0])

    def set_validator(self, url: str, validator: str) -> None:
        """Store the ETag or date of a file before its first bytes are written."""
        self._connection.execute("INSERT OR REPLACE INTO partial VALUES (?, ?)", (url, validator))

    # Planned images

    def clear_plan(self) -> None:
        """Delete the plan of an earlier call."""
        with self._transaction():
            self._connection.execute("DELETE FROM planned")
            self._connection.execute("DELETE FROM left_medium")

    def add_to_plan(self, rows: Iterable[Sequence[str]], excluded: Iterable[Sequence[str]]) -> None:
        """Add images (values as ``PLANNED_COLUMNS``) and excluded media (values as ``EXCLUDED_COLUMNS``)."""
        with self._transaction():
            self._connection.executemany(
                f"INSERT INTO planned ({', '.join(PLANNED_COLUMNS)}) VALUES ({', '.join('?' * len(PLANNED_COLUMNS))})",
                rows,
            )
            self._connection.executemany(
                f"INSERT INTO left_medium VALUES ({', '.join('?' * len(EXCLUDED_COLUMNS))})", excluded
            )

    def exclude_repeated(self) -> None:
        """Exclude an address planned again under the same name; under two names both stay, for curation to detect."""
        with self._transaction():
            self._connection.execute(
                """
                WITH repeats AS (
                    SELECT number, ROW_NUMBER() OVER (PARTITION BY address, name ORDER BY number) AS time FROM planned
                )
                UPDATE planned SET left_because = 'the same address as the image of another record'
                WHERE number IN (SELECT number FROM repeats WHERE time > 1)
                """
            )

    def limit_per_taxon(self, limit: int) -> None:
        """Keep at most ``limit`` images of each taxon, taken from each institution in turn."""
        with self._transaction():
            self._connection.execute(
                """
                WITH turns AS (
                    SELECT number, taxon, draw,
                        ROW_NUMBER() OVER (PARTITION BY taxon, institution ORDER BY draw) AS turn
                    FROM planned WHERE left_because IS NULL
                ), places AS (
                    SELECT number, ROW_NUMBER() OVER (PARTITION BY taxon ORDER BY turn, draw) AS place FROM turns
                )
                UPDATE planned SET left_because = 'over the limit of images for each taxon'
                WHERE number IN (SELECT number FROM places WHERE place > ?)
                """,
                (limit,),
            )

    def planned(self, host: str | None = None) -> Iterator[PlannedImage]:
        """Yield the images to fetch, of one host or all, in the order in which they were found."""
        condition, values = ("AND host = ?", (host,)) if host is not None else ("", ())
        last = -1
        while True:  # in batches, so that writes between them do not invalidate an open cursor
            rows = self._connection.execute(
                f"SELECT number, source, occurrence, urls, row FROM planned "
                f"WHERE left_because IS NULL AND number > ? {condition} ORDER BY number LIMIT 500",
                (last, *values),
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            for number, source, occurrence, urls, row in rows:
                yield PlannedImage(number, source, occurrence, tuple(json.loads(urls)), json.loads(row))

    def hosts(self) -> list[str]:
        """Return the hosts of the images to fetch."""
        return [
            host for (host,) in self._connection.execute("SELECT DISTINCT host FROM planned WHERE left_because IS NULL")
        ]

    def planned_counts(self, column: str) -> dict[str, int]:
        """Count the images to fetch by a column of the plan: taxon, licence, host or institution."""
        return self._counts(f"SELECT {column}, COUNT(*) FROM planned WHERE left_because IS NULL GROUP BY {column}")

    def excluded_counts(self) -> dict[str, int]:
        """Count the excluded media by reason."""
        return self._counts(
            "SELECT why, COUNT(*) FROM (SELECT why FROM left_medium UNION ALL "
            "SELECT left_because FROM planned WHERE left_because IS NOT NULL) GROUP BY why"
        )

    def media(self) -> Iterator[tuple[str, ...]]:
        """Yield (source, occurrence, url, licence, decision, why) of every medium found."""
        yield from self._connection.execute(
            "SELECT source, occurrence, address, licence, iif(left_because IS NULL, 'taken', 'left'), "
            "ifnull(left_because, '') FROM planned "
            "UNION ALL SELECT source, occurrence, url, licence, 'left', why FROM left_medium ORDER BY 1, 2"
        )

    # Cached replies of services

    def cached_reply(self, request: str) -> bytes | None:
        """Return the cached reply to a request, or None."""
        row = self._connection.execute("SELECT body FROM reply WHERE request = ?", (request,)).fetchone()
        return None if row is None else bytes(row[0])

    def cache_reply(self, request: str, body: bytes) -> None:
        """Store a reply, so that an interrupted collection need not send the request again."""
        self._connection.execute("INSERT OR REPLACE INTO reply VALUES (?, ?, ?)", (request, body, today()))

    def clear_replies(self) -> None:
        """Delete all cached replies, so that the next call queries the services again."""
        self._connection.execute("DELETE FROM reply")

    def download_key(self, predicate: str) -> str | None:
        """Return the key of the download that was requested with this predicate, or None."""
        row = self._connection.execute("SELECT key FROM download WHERE predicate = ?", (predicate,)).fetchone()
        return None if row is None else str(row[0])

    def set_download_key(self, predicate: str, key: str | None) -> None:
        """Store the key of a download; None deletes it."""
        if key is None:
            self._connection.execute("DELETE FROM download WHERE predicate = ?", (predicate,))
        else:
            self._connection.execute("INSERT OR REPLACE INTO download VALUES (?, ?, ?)", (predicate, key, today()))

    def _counts(self, query: str) -> dict[str, int]:
        counted = {str(name): int(count) for name, count in self._connection.execute(query)}
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Write either all changes inside the context or none."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def today() -> str:
    """Return today's date (UTC) in ISO 8601, as written into catalogs and lock files."""
    return datetime.now(UTC).date().isoformat()
