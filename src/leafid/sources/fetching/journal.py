"""The journal of a collection: what is to be fetched, what came of it, and replies worth keeping until it is done.

A small SQLite file beside the catalog. It survives ``kill -9``: every change is one transaction in the write-ahead log.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from leafid.errors import OutputError

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE IF NOT EXISTS image (          -- one row for each address, kept from one call of the command to the next
    url TEXT PRIMARY KEY,
    state TEXT NOT NULL,                    -- done, failed (for good), delayed (to be tried again by the next call)
    sha256 TEXT, bytes INTEGER, ending TEXT, width INTEGER, height INTEGER, retrieved TEXT,
    reason TEXT, detail TEXT
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS partial (        -- what is known of files that lie here in part
    url TEXT PRIMARY KEY, validator TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS planned (        -- the images of this call, made anew by each
    number INTEGER PRIMARY KEY,
    source TEXT NOT NULL, occurrence TEXT NOT NULL, name TEXT NOT NULL, taxon TEXT NOT NULL,
    institution TEXT NOT NULL, licence TEXT NOT NULL,
    draw TEXT NOT NULL,                     -- a number drawn from seed and address: the order under a limit
    host TEXT NOT NULL, address TEXT NOT NULL, urls TEXT NOT NULL, row TEXT NOT NULL,
    left_because TEXT                       -- NULL: the image is taken
);
CREATE TABLE IF NOT EXISTS left_medium (    -- every medium that is not planned, and why
    source TEXT NOT NULL, occurrence TEXT NOT NULL, url TEXT NOT NULL, licence TEXT NOT NULL, why TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reply (          -- replies of search services, until the collection is complete
    request TEXT PRIMARY KEY, body BLOB NOT NULL, retrieved TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS download (       -- downloads asked of GBIF, by what was asked
    predicate TEXT PRIMARY KEY, key TEXT NOT NULL, requested TEXT NOT NULL
) WITHOUT ROWID;
"""


PLANNED = ("source", "occurrence", "name", "taxon", "institution", "licence", "draw", "host", "address", "urls", "row")
"""Columns of the plan; ``urls`` and ``row`` (of the catalog) are JSON."""
LEFT = ("source", "occurrence", "url", "licence", "why")
"""Columns of the list of media that are left."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An image to be fetched: addresses in order of preference, and its row of the catalog so far."""

    number: int
    source: str
    occurrence: str
    urls: tuple[str, ...]
    row: dict[str, str]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one address; for images on disk their SHA-256 and size, otherwise a reason."""

    state: str
    sha256: str | None = None
    bytes: int | None = None
    ending: str | None = None
    width: int | None = None
    height: int | None = None
    retrieved: str | None = None
    reason: str | None = None
    detail: str | None = None


class Journal:
    """The journal of one job; use it as a context manager.

    Raises:
        OutputError: another call of the command is at work on it, or it was written by a newer leafid.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, timeout=1, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            # One writer at a time for as long as it runs: two calls of the command must not share partial files.
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

    # What was fetched

    def outcome(self, url: str) -> Outcome | None:
        """Return what came of an address in this call or an earlier one."""
        row = self._connection.execute(
            "SELECT state, sha256, bytes, ending, width, height, retrieved, reason, detail FROM image WHERE url = ?",
            (url,),
        ).fetchone()
        return None if row is None else Outcome(*row)

    def record(self, url: str, outcome: Outcome) -> None:
        """Note what came of an address; unless it is tried again, nothing need be known of a partial file."""
        values = (url, *(getattr(outcome, name) for name in Outcome.__slots__))
        with self._transaction():
            self._connection.execute(f"INSERT OR REPLACE INTO image VALUES ({', '.join('?' * len(values))})", values)
            if outcome.state != "delayed":
                self._connection.execute("DELETE FROM partial WHERE url = ?", (url,))

    def forget(self, url: str) -> None:
        """Let an address be fetched again."""
        self._connection.execute("DELETE FROM image WHERE url = ?", (url,))

    def done(self) -> Iterator[tuple[str, Outcome]]:
        """Yield every address whose image is on disk."""
        cursor = self._connection.execute(
            "SELECT url, state, sha256, bytes, ending, width, height, retrieved, reason, detail FROM image "
            "WHERE state = 'done'"
        )
        for url, *values in cursor.fetchall():
            yield url, Outcome(*values)

    def validator(self, url: str) -> str | None:
        """Return the ETag or date by which a partial file can be continued."""
        row = self._connection.execute("SELECT validator FROM partial WHERE url = ?", (url,)).fetchone()
        return None if row is None else str(row[0])

    def note_partial(self, url: str, validator: str) -> None:
        """Keep the ETag or date of a file that is about to be written in part."""
        self._connection.execute("INSERT OR REPLACE INTO partial VALUES (?, ?)", (url, validator))

    # What is to be fetched

    def begin_plan(self) -> None:
        """Forget the plan of an earlier call."""
        with self._transaction():
            self._connection.execute("DELETE FROM planned")
            self._connection.execute("DELETE FROM left_medium")

    def plan(self, rows: Iterable[Sequence[str]], left: Iterable[Sequence[str]]) -> None:
        """Add images, with their values in the order of ``PLANNED``, and media that are left, in that of ``LEFT``."""
        with self._transaction():
            self._connection.executemany(
                f"INSERT INTO planned ({', '.join(PLANNED)}) VALUES ({', '.join('?' * len(PLANNED))})", rows
            )
            self._connection.executemany(f"INSERT INTO left_medium VALUES ({', '.join('?' * len(LEFT))})", left)

    def leave_repeated(self) -> None:
        """Leave what is planned twice under the same name; under two names it stays, for curation to see."""
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

    def limit(self, per_taxon: int) -> None:
        """Take at most so many images of each taxon, in turn from each institution."""
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
                (per_taxon,),
            )

    def planned(self, host: str | None = None) -> Iterator[Planned]:
        """Yield the images that are taken, of one host or all, in the order in which they were found."""
        condition, values = ("AND host = ?", (host,)) if host is not None else ("", ())
        last = -1
        while True:  # in pieces, so that writing between two of them does not disturb the reading
            rows = self._connection.execute(
                f"SELECT number, source, occurrence, urls, row FROM planned "
                f"WHERE left_because IS NULL AND number > ? {condition} ORDER BY number LIMIT 500",
                (last, *values),
            ).fetchall()
            if not rows:
                return
            last = rows[-1][0]
            for number, source, occurrence, urls, row in rows:
                yield Planned(number, source, occurrence, tuple(json.loads(urls)), json.loads(row))

    def hosts(self) -> list[str]:
        """Return the hosts of the images that are taken."""
        return [
            host for (host,) in self._connection.execute("SELECT DISTINCT host FROM planned WHERE left_because IS NULL")
        ]

    def taken(self, column: str) -> dict[str, int]:
        """Count the images that are taken by a column of the plan: taxon, licence, host, institution."""
        return self._counts(f"SELECT {column}, COUNT(*) FROM planned WHERE left_because IS NULL GROUP BY {column}")

    def left(self) -> dict[str, int]:
        """Count the media that are left by reason."""
        return self._counts(
            "SELECT why, COUNT(*) FROM (SELECT why FROM left_medium UNION ALL "
            "SELECT left_because FROM planned WHERE left_because IS NOT NULL) GROUP BY why"
        )

    def media(self) -> Iterator[tuple[str, ...]]:
        """Yield (source, occurrence, url, licence, decision, why) of every medium met."""
        yield from self._connection.execute(
            "SELECT source, occurrence, address, licence, iif(left_because IS NULL, 'taken', 'left'), "
            "ifnull(left_because, '') FROM planned "
            "UNION ALL SELECT source, occurrence, url, licence, 'left', why FROM left_medium ORDER BY 1, 2"
        )

    # Replies of services

    def reply(self, request: str) -> bytes | None:
        """Return a kept reply."""
        row = self._connection.execute("SELECT body FROM reply WHERE request = ?", (request,)).fetchone()
        return None if row is None else bytes(row[0])

    def keep_reply(self, request: str, body: bytes) -> None:
        """Keep a reply, so that an interrupted collection need not ask again."""
        self._connection.execute("INSERT OR REPLACE INTO reply VALUES (?, ?, ?)", (request, body, today()))

    def forget_replies(self) -> None:
        """Let the next call ask the services anew."""
        self._connection.execute("DELETE FROM reply")

    def download_key(self, predicate: str) -> str | None:
        """Return the key of the download that was asked for with this predicate."""
        row = self._connection.execute("SELECT key FROM download WHERE predicate = ?", (predicate,)).fetchone()
        return None if row is None else str(row[0])

    def note_download(self, predicate: str, key: str | None) -> None:
        """Keep the key of a download, or forget it."""
        if key is None:
            self._connection.execute("DELETE FROM download WHERE predicate = ?", (predicate,))
        else:
            self._connection.execute("INSERT OR REPLACE INTO download VALUES (?, ?, ?)", (predicate, key, today()))

    def _counts(self, query: str) -> dict[str, int]:
        counted = {str(name): int(count) for name, count in self._connection.execute(query)}
        return dict(sorted(counted.items(), key=lambda item: (-item[1], item[0])))

    def _transaction(self) -> "_Transaction":
        return _Transaction(self._connection)


class _Transaction:
    """Everything inside is written, or nothing."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._connection.execute("COMMIT" if kind is None else "ROLLBACK")


def today() -> str:
    """Return today's date (UTC), as it stands in catalogs and locks."""
    return datetime.now(UTC).date().isoformat()
