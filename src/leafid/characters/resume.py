"""Read the table of an interrupted measurement, so that no leaf is lost and no leaf is listed twice.

The rows of one image are written together, and each says how many they are. So all images of a table are complete
except perhaps the last, which is then measured again.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from leafid.characters.image_rows import MeasurementSettings
from leafid.characters.leaf_ends import END_COLUMNS, EndsSource
from leafid.errors import OutputError
from leafid.version import __version__

Row = dict[str, str]


def finished_rows(table: Path, columns: Sequence[str], settings: MeasurementSettings) -> list[list[Row]]:
    """Read the rows of the complete images, grouped by image, in the order of the table.

    Args:
        table: the table of an interrupted run; it may end in the middle of a row.
        columns: the columns it must have.
        settings: the settings it must have been measured with.

    Raises:
        OutputError: the table cannot be read, is not a table of measured leaves, was written by another version, or
            was measured with other settings.
    """
    try:
        text = table.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise OutputError(f"{table} cannot be read: {error.strerror or error}.") from None
    lines = list(csv.reader(io.StringIO(text, newline="")))
    if lines and (not text.endswith("\n") or len(lines[-1]) < len(lines[0])):
        lines.pop()  # the row that was being written when the run stopped
    if not lines:
        return []
    if lines[0] != list(columns):
        raise OutputError(f"{table} is not a table of measured leaves (its columns differ): name another file.")
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(columns):
            raise OutputError(
                f"{table}, row {number}: {len(line)} values, but {len(columns)} columns. Measure all images again with "
                "--force, or name another file."
            )
    rows = [dict(zip(columns, line, strict=True)) for line in lines[1:]]
    images: list[list[Row]] = []
    for row in rows:
        follows = images and images[-1][-1]["path"] == row["path"] and row.get("leaf", "") not in ("", "1")
        if follows:
            images[-1].append(row)
        else:
            images.append([row])
    finished = images if images and len(images[-1]) == max(1, _number(images[-1][0]["leaves"])) else images[:-1]
    for number, row in enumerate((row for image in finished for row in image), start=1):
        if row["leafid_version"] != __version__:
            raise OutputError(
                f"{table}, row {number}: measured by leafid {row['leafid_version']}, but this is {__version__}. "
                "Measure all images again with --force, or name another file."
            )
        if options := _other_options(row, settings):
            raise OutputError(
                f"{table}, row {number}: measured {options[0]}, now it would be {options[1]}. Resume with the same "
                "options, measure all images again with --force, or name another file."
            )
    return finished


def _other_options(row: Row, settings: MeasurementSettings) -> tuple[str, str] | None:
    """Return the option of a row that is another one now, and what it is now, as one types them."""
    options = {"max_leaves": "--leaves", "px_per_mm_given": "--px-per-mm"}
    for column, now in settings.cells().items():
        if row[column] != now:
            before, after = (
                f"with {options[column]} {value}" if value else f"without {options[column]}"
                for value in (row[column], now)
            )
            return before, after
    return None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0


def remaining_images(
    images: Sequence[Row], finished: Sequence[list[Row]], table: Path
) -> tuple[list[list[Row]], list[int]]:
    """Return the rows that stay, and the indices of the images to measure; an image named twice is measured twice.

    An image whose base and apex have been set, moved or removed since is measured again.

    Args:
        images: for each image the cells that are known before it is measured: `path`, `ends` and the ends set by hand.
        finished: the rows from `finished_rows`.
        table: the file of these rows, for the message.

    Raises:
        OutputError: the table contains images that are not in `images`.
    """
    unexpected = sorted(Counter(rows[0]["path"] for rows in finished) - Counter(row["path"] for row in images))
    if unexpected:
        others = f" and {len(unexpected) - 1} more" if len(unexpected) > 1 else ""
        raise OutputError(
            f"{table} contains {unexpected[0]}{others}, not among these images (or more often than they are): "
            "resume with the images of the first run, or name another file."
        )
    wanted, kept = Counter(_image_and_ends(row) for row in images), []
    for rows in finished:
        if wanted[_image_and_ends(rows[0])] > 0:
            wanted[_image_and_ends(rows[0])] -= 1
            kept.append(rows)
    done, remaining = Counter(_image_and_ends(rows[0]) for rows in kept), []
    for index, row in enumerate(images):
        if done[_image_and_ends(row)] > 0:
            done[_image_and_ends(row)] -= 1
        else:
            remaining.append(index)
    return kept, remaining


def _image_and_ends(row: Row) -> tuple[str, ...]:
    by_hand = row.get("ends") == EndsSource.BY_HAND
    return (row["path"], *(row[column] for column in END_COLUMNS if by_hand))
