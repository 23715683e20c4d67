"""What an interrupted measurement has left: the images that are done, so that no leaf is lost and none stands twice.

The rows of one image are written together, so all images of a table are complete but perhaps the last. That one is
measured again.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from leafid.errors import OutputError
from leafid.version import __version__

Row = dict[str, str]


def finished_rows(table: Path, columns: Sequence[str]) -> list[list[Row]]:
    """Read the rows of the images that are certainly complete, grouped by image, in the order of the table.

    Args:
        table: a table that a run has left, perhaps killed in the middle of a row.
        columns: the columns it must have.

    Raises:
        OutputError: it cannot be read, is no table of measured leaves, or was written by another version of leafid.
    """
    try:
        text = table.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise OutputError(f"{table} cannot be read: {error.strerror or error}.") from None
    lines = list(csv.reader(io.StringIO(text, newline="")))
    if lines and not text.endswith("\n"):
        lines.pop()  # the row in which the run was stopped
    if not lines:
        return []
    if lines[0] != list(columns):
        raise OutputError(f"{table} has other columns than a table of measured leaves: name another file.")
    rows = [dict(zip(columns, line, strict=False)) for line in lines[1:]]
    images: list[list[Row]] = []
    for row in rows:
        follows = images and images[-1][-1]["path"] == row["path"] and row.get("leaf", "") not in ("", "1")
        if follows:
            images[-1].append(row)
        else:
            images.append([row])
    finished = images[:-1]
    for number, row in enumerate((row for image in finished for row in image), start=1):
        if row["leafid_version"] != __version__:
            raise OutputError(
                f"{table}, row {number}: measured by leafid {row['leafid_version']}, and this is {__version__}. "
                "Measure anew with --force, or name another file."
            )
    return finished


def still_to_measure(names: Sequence[str], finished: Sequence[Sequence[Row]], table: Path) -> list[int]:
    """Say which of the images are still to be measured, as places in their list; what is named twice is done twice.

    Args:
        names: the images as their rows name them.
        finished: the rows of `finished_rows`.
        table: where these are, for the message.

    Raises:
        OutputError: the table holds images that are not among these.
    """
    done = Counter(image[0]["path"] for image in finished)
    rest = []
    for place, name in enumerate(names):
        if done[name] > 0:
            done[name] -= 1
        else:
            rest.append(place)
    strange = sorted(name for name, count in done.items() if count > 0)
    if strange:
        others = f" and {len(strange) - 1} more" if len(strange) > 1 else ""
        raise OutputError(
            f"{table} holds leaves of {strange[0]}{others}, not among these images (or oftener than they are): "
            "resume with the images it was begun with, or name another file."
        )
    return rest
