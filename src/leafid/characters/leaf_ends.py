"""Base and apex of leaves as set by hand: from two options, or from a table with one row per leaf."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from leafid.errors import UsageError
from leafid.tables import MISSING_WORDS, Table, TableError, read_table

Point = tuple[float, float]

END_COLUMNS = ("base_x", "base_y", "apex_x", "apex_y")
"""Columns of such a table beside `path`; the table of measured leaves has the same."""
LEAST_LENGTH = 8.0
"""Pixels of the original image that must lie between base and apex."""


class EndsSource(StrEnum):
    """Who told where base and apex of a leaf are."""

    FOUND = "found"
    BY_HAND = "by_hand"


@dataclass(frozen=True)
class LeafEnds:
    """Where petiole and blade meet, and the tip of the blade: (x, y) in pixels of the original image, upright."""

    base: Point
    apex: Point

    @classmethod
    def between(cls, base: Point, apex: Point) -> LeafEnds:
        """Check both ends.

        Raises:
            ValueError: they lie too close together; the message names them.
        """
        if math.dist(base, apex) < LEAST_LENGTH:
            raise ValueError(
                f"base {_written(base)} and apex {_written(apex)} must be at least {LEAST_LENGTH:g} pixels apart"
            )
        return cls(base, apex)

    def inside(self, width: int, height: int) -> bool:
        """Whether both lie on an image of this size."""
        return all(0 <= x <= width and 0 <= y <= height for x, y in (self.base, self.apex))

    def __str__(self) -> str:
        """Name both points as they are given."""
        return f"base {_written(self.base)}, apex {_written(self.apex)}"


def _written(point: Point) -> str:
    return f"{point[0]:g},{point[1]:g}"


def ends_from_options(base: str | None, apex: str | None) -> LeafEnds | None:
    """Read `--base X,Y` and `--apex X,Y`; None without both.

    Raises:
        UsageError: one is missing or is not two numbers, or both are one point.
    """
    if base is None and apex is None:
        return None
    if base is None or apex is None:
        given, missing = ("--base", "--apex") if apex is None else ("--apex", "--base")
        raise UsageError(f"{given} is given without {missing}. Give both ends of the midrib.")
    points = [_point(option, text) for option, text in (("--base", base), ("--apex", apex))]
    try:
        return LeafEnds.between(*points)
    except ValueError as error:
        raise UsageError(f"--base {base} --apex {apex}: {error}.") from None


def _point(option: str, text: str) -> Point:
    try:
        x, y = (_number(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} {text}: write a point as X,Y in pixels of the image, such as 812,1430.") from None
    return x, y


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number) or number < 0:
        raise ValueError(text)
    return number


def has_leaf_ends(table: Path) -> bool:
    """Whether a file is a table with one of the columns of leaf ends."""
    if table.suffix.lower() not in (".csv", ".tsv") or not table.is_file():
        return False
    try:
        return bool({*END_COLUMNS} & {*read_table(table).header})
    except TableError:
        return False


def read_leaf_ends(table: Path) -> list[tuple[Path, LeafEnds | None]]:
    """Read a table with the columns `path`, `base_x`, `base_y`, `apex_x`, `apex_y`; other columns are ignored.

    Args:
        table: CSV or TSV; paths are relative to it.

    Returns:
        For each row the image, and the ends of its leaf; None where all four are empty.

    Raises:
        UsageError: the table cannot be read, or rows are wrong; the message lists all of them with line and value.
    """
    try:
        read = read_table(table)
    except TableError as error:
        raise UsageError(str(error)) from None
    if missing := [name for name in ("path", *END_COLUMNS) if name not in read.header]:
        raise UsageError(
            f"{table} has no column {', '.join(missing)}: leaves set by hand need path, {', '.join(END_COLUMNS)}."
        )
    mistakes = [f"  line {line}: {reason}" for line, reason in read.wrong]
    rows: list[tuple[Path, LeafEnds | None]] = []
    for line, cells in read.rows:
        try:
            rows.append(_row(read, cells, table.parent))
        except ValueError as error:
            mistakes.append(f"  line {line}: {error}")
    if mistakes:
        raise UsageError("\n".join([f"{table} cannot be used:", *mistakes]))
    if not rows:
        raise UsageError(f"{table} has a header but no rows.")
    return rows


def _row(table: Table, cells: tuple[str, ...], folder: Path) -> tuple[Path, LeafEnds | None]:
    by_name = dict(zip(table.header, (cell.strip() for cell in cells), strict=True))
    if not by_name["path"]:
        raise ValueError("path is empty")
    values = {name: "" if by_name[name] in MISSING_WORDS else by_name[name] for name in END_COLUMNS}
    path = folder / by_name["path"]
    if not any(values.values()):
        return path, None
    numbers = []
    for name, text in values.items():
        try:
            numbers.append(_number(text))
        except ValueError:
            raise ValueError(f"{name} is {text!r}, not a number of pixels from 0") from None
    return path, LeafEnds.between((numbers[0], numbers[1]), (numbers[2], numbers[3]))
