"""Decisions of reviewers: appended to a file as they are made, so that none is lost."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import Self

from leafid.errors import OutputError
from leafid.files import check_in_place, lock_open_file
from leafid.identify import Record
from leafid.scientific_names import NameKind, read_name
from leafid.tables import TableError, csv_row, escape_formula, read_table, unescape_formula


class Choice(StrEnum):
    """What a reviewer decided."""

    CONFIRMED = "confirmed"
    CORRECTED = "corrected"
    CANNOT_TELL = "cannot_tell"


@dataclass(frozen=True)
class Decision:
    """One decision, as a row of the file. A later one for the same subject replaces it; both stay in the file."""

    path: str
    """The photo, or the plant of a record for several photos."""
    decision: Choice
    scientificName: str
    """What the reviewer determined; empty for ``cannot_tell``."""
    identifiedBy: str
    dateIdentified: str
    """ISO 8601, with the offset from UTC."""
    identificationRemarks: str
    predictedName: str
    """What leafid answered; empty for ``undetermined`` and ``failed``."""
    predictedProbability: str
    bundle: str

    @classmethod
    def of(cls, record: Record, name: str | None, reviewer: str, remarks: str, on: datetime) -> Self:
        """Make the decision on a record.

        Args:
            record: the answer under review.
            name: what the reviewer determined, without author; None: cannot tell.
            reviewer: the reviewer's name.
            remarks: of the reviewer.
            on: date and time, with a time zone.
        """
        choice = Choice.CANNOT_TELL if name is None else Choice.CORRECTED
        if name is not None and name == record.scientific_name:
            choice = Choice.CONFIRMED
        return cls(
            record.subject,
            choice,
            name or "",
            reviewer,
            on.isoformat(timespec="seconds"),
            remarks,
            record.scientific_name or "",
            "" if record.probability is None else f"{record.probability:.4f}",
            record.bundle,
        )


COLUMNS = tuple(field.name for field in fields(Decision))


def determination(text: str, known: Sequence[str]) -> str:
    """Return the name that a reviewer wrote, without its author.

    Args:
        text: as typed.
        known: names of the bundle; one of them is taken as it is written there.

    Raises:
        ValueError: it is no certain name of a plant; the message says why.
    """
    read = read_name(text)
    by_form = {read_name(name).canonical.casefold(): name for name in known}
    if name := by_form.get(read.canonical.casefold()):
        return name
    if read.kind is not NameKind.NAME or len(read.canonical.split()) < 2:
        raise ValueError(
            f"{text[:100]!r} is not the name of a species. Write genus and species, such as Mitragyna speciosa, or "
            "choose 'cannot tell'"
        )
    return read.canonical


def decisions_path(results: Path) -> Path:
    """Return the file of decisions beside a result file: ``results.reviewed.csv``."""
    return results.with_name(f"{results.stem}.reviewed.csv")


class DecisionFile:
    """The open file of decisions."""

    def __init__(self, opened: FileIO, path: Path, latest: dict[str, Decision]) -> None:
        self._opened, self._path = opened, path
        self.latest = latest
        """The decision that counts, by subject."""

    def add(self, decision: Decision) -> None:
        """Append a decision; once this returns it survives a crash.

        Raises:
            OutputError: it cannot be written.
        """
        self._append([escape_formula(str(getattr(decision, name))) for name in COLUMNS])
        self.latest[decision.path] = decision

    def _append(self, cells: Sequence[str]) -> None:
        rest = memoryview(csv_row(cells).encode())
        try:
            while rest:
                rest = rest[os.write(self._opened.fileno(), rest) :]
            os.fsync(self._opened.fileno())
        except OSError as error:
            raise OutputError(f"{self._path} cannot be written: {error.strerror}. Earlier ones are kept.") from None
        check_in_place(self._opened, self._path)


@contextmanager
def open_decisions(path: Path) -> Iterator[DecisionFile]:
    """Open the file of decisions, and read those that it has.

    Raises:
        OutputError: it is another table, cannot be read or written, or another review has it open.
    """
    try:
        opened = FileIO(path, "a+")
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror}.") from None
    with opened:
        lock_open_file(opened, path, f"{path} is open in another review. End that one first.")
        if os.path.getsize(path) == 0:
            os.write(opened.fileno(), csv_row(COLUMNS).encode())
            yield DecisionFile(opened, path, {})
            return
        latest = _read(path)
        with path.open("rb") as content:
            content.seek(-1, os.SEEK_END)
            if content.read(1) != b"\n":  # a crash while a row was written; that row has too few cells
                os.write(opened.fileno(), b"\n")
        yield DecisionFile(opened, path, latest)


def _read(path: Path) -> dict[str, Decision]:
    try:
        table = read_table(path)
    except TableError as error:
        raise OutputError(f"{error} It is kept as it is; move it away.") from None
    if table.header != COLUMNS:
        raise OutputError(f"{path} is no file of decisions: its columns are {', '.join(table.header)}. Move it away.")
    latest = {}
    for _, cells in table.rows:
        values = dict(zip(COLUMNS, map(unescape_formula, cells), strict=True))
        try:
            choice = Choice(values.pop("decision"))
        except ValueError:
            continue
        latest[values["path"]] = Decision(decision=choice, **values)
    return latest
