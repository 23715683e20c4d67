"""The table of a measurement: one row for each leaf, and one for each image without a leaf or that cannot be read."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from enum import StrEnum
from multiprocessing import get_context
from pathlib import Path

from leafid.characters.comparison import compare, sentence
from leafid.characters.resume import finished_rows, still_to_measure
from leafid.characters.values import CHARACTERS, LeafCharacters, Measured
from leafid.cores import usable_cores
from leafid.errors import ExitCode, ImageError, OutputError
from leafid.files import Existing, written_atomically
from leafid.progress import OnProgress
from leafid.version import __version__

_TOLD = 3  # taxa in the sentence of a row
_FEW = 12  # images for which starting other processes takes longer than measuring


class RowStatus(StrEnum):
    """What became of a leaf or an image."""

    MEASURED = "measured"
    NOT_MEASURED = "not_measured"
    FAILED = "failed"


_FIRST = {
    "path": "The image file, as it was named or found.",
    "leaf": "Number of the leaf in the image, from 1, the best first; empty where there is none.",
    "status": "`measured`: at least its form. `not_measured`: no leaf, or none that can be measured. "
    "`failed`: the file cannot be read.",
    "reason": "Why something is missing: a code; for failures followed by a colon and the detail.",
    "left": "Box of the leaf in pixels of the image.",
    "top": "As `left`.",
    "right": "As `left`.",
    "bottom": "As `left`.",
    "px_per_mm": "Scale of the image: as given, or of a ruler in millimetres that lies in it; empty where neither is.",
}
_LAST = {
    "flora_fit": "Taxa of the leaf-character table by how well the leaf fits their ranges, with the likelihood "
    "(0 to 1, no probability): `Mitragyna speciosa 0.83; Coffea canephora 0.21`.",
    "flora_sentence": "The same in words, for the first three taxa.",
    "leafid_version": "The version of leafid that measured.",
}


def table_columns() -> dict[str, str]:
    """Names and meanings of all columns, in order."""
    columns = dict(_FIRST)
    for character in CHARACTERS:
        columns[character.name] = character.description
        if character.is_number:
            columns[f"{character.name}_uncertainty"] = f"Standard deviation of `{character.name}`."
        columns[f"{character.name}_quality"] = f"How well `{character.name}` could be seen, 0 to 1."
    return columns | _LAST


def column_documentation() -> str:
    """Return the columns as Markdown."""
    rows = ["| column | meaning |", "| --- | --- |"]
    rows += [f"| `{name}` | {meaning} |" for name, meaning in table_columns().items()]
    return "\n".join(rows) + "\n"


@dataclass(frozen=True)
class MeasuredSummary:
    """What came of a run: images and leaves, counted."""

    images: int
    failed: int
    without: int
    leaves: int
    counted: int

    @property
    def exit_code(self) -> ExitCode:
        """3 when some images could not be read."""
        return ExitCode.SOME_FAILED if self.failed else ExitCode.OK

    def __str__(self) -> str:
        """One sentence for the terminal."""
        return (
            f"{self.images} images: {self.leaves} leaves measured, veins counted on {self.counted}; "
            f"{self.without} images without a measurable leaf, {self.failed} could not be read."
        )


def measure_to_file(
    paths: Sequence[Path],
    output: Path,
    *,
    leaves: int,
    px_per_mm: float | None = None,
    existing: Existing = "refuse",
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> MeasuredSummary:
    """Measure images and write their rows as they come, in order; what is written stays if the run is stopped.

    Args:
        paths: image files.
        output: the table, .csv.
        leaves: most leaves of an image.
        px_per_mm: scale of all images, where it is known; without, a ruler in the image tells it, if there is one.
        existing: when the table is there, ``refuse``; ``resume``: keep the rows of all images but the last, which may
            be incomplete, and measure the rest; ``replace`` it. To resume when there is nothing yet is to begin.
        workers: processes; by default one per core, one in all for a few images.
        on_progress: told how many images are done.

    Raises:
        OutputError: the output is there already, cannot be written, or cannot be resumed: it is another table, of
            another version of leafid, or holds images that are not among ``paths``.
    """
    columns = list(table_columns())
    resumed = existing == "resume" and output.exists()
    finished = finished_rows(output, columns) if resumed else []
    rest = [paths[place] for place in still_to_measure([_written_path(path) for path in paths], finished, output)]
    counts = dict.fromkeys(("failed", "without", "leaves", "counted"), 0)
    if resumed:
        with written_atomically(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
            writer = csv.DictWriter(opened, columns)
            writer.writeheader()
            writer.writerows(row for image in finished for row in image)
    for image in finished:
        _add(image, counts)
    try:
        with output.open(
            "a" if resumed else "w" if existing == "replace" else "x", encoding="utf-8", newline=""
        ) as opened:
            writer = csv.DictWriter(opened, columns)
            if not resumed:
                writer.writeheader()
            for done, rows in enumerate(_measured(rest, leaves, px_per_mm, workers), start=len(finished) + 1):
                writer.writerows(rows)
                opened.flush()
                _add(rows, counts)
                if on_progress:
                    on_progress(done, len(paths))
    except FileExistsError:
        raise OutputError(
            f"{output} is there already: replace it with --force, go on with it with --resume, or name another file."
        ) from None
    except BrokenProcessPool:
        raise OutputError(
            f"A measuring process was killed, probably for want of memory. {output} holds the rows up to then; "
            "--resume goes on with it."
        ) from None
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror or error}.") from None
    return MeasuredSummary(images=len(paths), **counts)


def _add(rows: Sequence[Mapping[str, str]], counts: dict[str, int]) -> None:
    """Count the rows of one image."""
    measured = [row for row in rows if row["status"] == RowStatus.MEASURED]
    counts["leaves"] += len(measured)
    counts["counted"] += sum(bool(row.get("secondary_vein_pairs")) for row in measured)
    counts["failed"] += rows[0]["status"] == RowStatus.FAILED
    counts["without"] += not measured and rows[0]["status"] != RowStatus.FAILED


def _written_path(path: Path) -> str:
    """A path as a row names it: bytes that are no UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _measured(
    paths: Sequence[Path], leaves: int, px_per_mm: float | None, workers: int | None
) -> Iterator[list[dict[str, str]]]:
    processes = workers or (1 if len(paths) < _FEW else usable_cores())
    if processes == 1:
        yield from (image_rows(path, leaves, px_per_mm) for path in paths)
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        futures = [pool.submit(image_rows, path, leaves, px_per_mm) for path in paths]
        for future in futures:
            yield future.result()


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


def image_rows(path: Path, leaves: int, px_per_mm: float | None = None) -> list[dict[str, str]]:
    """Measure one image; its rows, at least one, missing values left out."""
    from leafid.characters.images import measure_file

    first = {"path": _written_path(path), "leafid_version": __version__}
    try:
        measured = measure_file(path, leaves=leaves, px_per_mm=px_per_mm, rulers=True)
    except ImageError as error:
        return [first | {"status": RowStatus.FAILED, "reason": str(error)}]
    if measured.not_measured is not None:
        return [first | {"status": RowStatus.NOT_MEASURED, "reason": measured.not_measured}]
    rows = []
    for number, leaf in enumerate(measured.leaves, start=1):
        one = leaf.measured
        reason = one.not_measured or one.no_veins
        row = first | {
            "leaf": str(number),
            "status": RowStatus.NOT_MEASURED if one.not_measured else RowStatus.MEASURED,
            "reason": reason or "",
        }
        row |= dict(zip(("left", "top", "right", "bottom"), map(str, leaf.box), strict=True))
        if measured.px_per_mm is not None:
            row["px_per_mm"] = _written(measured.px_per_mm)
        rows.append(row | _character_cells(one.characters))
    return rows


def _character_cells(characters: LeafCharacters) -> dict[str, str]:
    cells = {}
    for name, value in characters.present():
        if isinstance(value, Measured):
            cells[name] = _written(value.value)
            cells[f"{name}_uncertainty"] = _written(value.uncertainty)
        else:
            cells[name] = value.value
        cells[f"{name}_quality"] = f"{value.quality:.2f}"
    if not cells:
        return cells
    fits = [fit for fit in compare(characters) if fit.fits]
    cells["flora_fit"] = "; ".join(f"{fit.taxon} {fit.likelihood:.2f}" for fit in fits)
    cells["flora_sentence"] = sentence(characters, fits[:_TOLD])
    return cells


def _written(number: float) -> str:
    """Four significant digits, and whole numbers as such."""
    return f"{number:.0f}" if number >= 1000 else f"{number:.4g}"
