"""Write the table of measured leaves: one row per leaf, and one per image without a leaf or that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from leafid.characters.image_rows import MeasurementSettings, RowStatus, image_cells, image_rows, rows_of_ended_process
from leafid.characters.leaf_ends import LeafEnds
from leafid.characters.process_pool import map_in_processes
from leafid.characters.resume import finished_rows, remaining_images
from leafid.characters.values import CHARACTERS
from leafid.cores import usable_cores
from leafid.destinations import Destination, check_destinations, has_header
from leafid.errors import ExitCode, OutputError
from leafid.files import Existing, check_in_place, written_atomically
from leafid.progress import OnProgress
from leafid.tables import csv_row, escape_formula

_MIN_IMAGES_FOR_POOL = 12  # with fewer, starting processes takes longer than measuring


_IMAGE_COLUMNS = {
    "path": "The image file, as it was named or found.",
    "leaf": "Number of the leaf in the image, from 1, best first; empty for an image without a leaf.",
    "leaves": "Number of leaves of the image that have a row.",
    "status": "`measured`: at least the form of the blade. `not_measured`: no leaf, or none that can be measured. "
    "`failed`: the file cannot be read.",
    "reason": "Why values are missing: a code; for a failure, and for points outside the image, followed by a "
    "colon and the detail.",
    "left": "Box of the leaf in pixels of the image.",
    "top": "As `left`.",
    "right": "As `left`.",
    "bottom": "As `left`.",
    "ends": "`found`: leafid found base and apex of the leaf. `by_hand`: they were given. Empty without a leaf.",
    "base_x": "Where petiole and blade meet, in pixels of the image from the left. Correct `base_x` to `apex_y` by "
    "hand and measure the table again: `leafid measure TABLE.csv`.",
    "base_y": "As `base_x`: from the top.",
    "apex_x": "Tip of the blade, as `base_x`.",
    "apex_y": "As `apex_x`: from the top.",
    "px_per_mm": "Scale of the image: as given, or from a ruler in millimetres or a scale bar in the image; empty "
    "without any.",
    "max_leaves": "The `--leaves` of the measurement.",
    "px_per_mm_given": "The `--px-per-mm` of the measurement; empty without it.",
}
_FLORA_COLUMNS = {
    "flora_fit": "Taxa of the leaf-character table by how well the leaf fits their ranges, with the likelihood "
    "(0 to 1, not a probability): `Mitragyna speciosa 0.83; Coffea canephora 0.21`.",
    "flora_sentence": "The same in words, for the first three taxa.",
    "leafid_version": "The version of leafid that measured the leaf.",
}


def table_columns() -> dict[str, str]:
    """Return names and meanings of all columns, in order."""
    columns = dict(_IMAGE_COLUMNS)
    for character in CHARACTERS:
        columns[character.name] = character.description
        if character.is_number:
            columns[f"{character.name}_uncertainty"] = f"Standard deviation of `{character.name}`."
        columns[f"{character.name}_quality"] = f"How clearly `{character.name}` is visible, 0 to 1."
    return columns | _FLORA_COLUMNS


def column_documentation() -> str:
    """Return the columns as Markdown."""
    rows = ["| column | meaning |", "| --- | --- |"]
    rows += [f"| `{name}` | {meaning} |" for name, meaning in table_columns().items()]
    return "\n".join(rows) + "\n"


@dataclass(frozen=True)
class MeasurementSummary:
    """Numbers of images and leaves of a run.

    Attributes:
        images: images of the run.
        failed: images that cannot be read.
        without_leaf: images without a measurable leaf.
        leaves: measured leaves.
        with_veins: leaves on which secondary veins were counted.
    """

    images: int
    failed: int
    without_leaf: int
    leaves: int
    with_veins: int

    @property
    def exit_code(self) -> ExitCode:
        """3 if some images cannot be read, else 0."""
        return ExitCode.SOME_FAILED if self.failed else ExitCode.OK

    def __str__(self) -> str:
        """Summarise the run in one sentence for the terminal."""
        return (
            f"{self.images} images: {self.leaves} leaves measured, veins counted on {self.with_veins}; "
            f"{self.without_leaf} images without a measurable leaf, {self.failed} could not be read."
        )


def measurement_destination(output: Path) -> Destination:
    """Return the destination of a table of measured leaves."""
    return Destination("-o", output, has_header(list(table_columns())), makes_folders=False)


def measure_to_file(
    paths: Sequence[Path],
    output: Path,
    *,
    leaves: int,
    ends: Sequence[LeafEnds | None] | None = None,
    px_per_mm: float | None = None,
    existing: Existing = "refuse",
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> MeasurementSummary:
    """Measure images and write their rows in order, image by image; a stopped run keeps the rows written so far.

    Args:
        paths: image files.
        output: the table, .csv.
        leaves: most leaves of one image.
        ends: for each image base and apex of the leaf to measure, or None to look for leaves; None for none at all.
        px_per_mm: scale of all images, where known; if None, it is taken from a ruler in each image that has one.
        existing: what to do if the table exists: ``refuse``; ``resume`` (keep the rows of all images except a last one
            that is incomplete and those whose ends are given otherwise now, and measure the rest; without a table,
            begin); ``replace``.
        workers: number of processes; by default one per core, or a single one for few images.
        on_progress: called with the number of measured images and of all images.

    Raises:
        OutputError: the output already exists, cannot be written, or cannot be resumed because it is another table, is
            of another version of leafid, was measured with other ``leaves`` or ``px_per_mm``, or contains images that
            are not in ``paths``.
    """
    settings = MeasurementSettings(leaves, px_per_mm)
    columns = list(table_columns())
    check_destinations([measurement_destination(output)], inputs=paths, existing=existing)
    resumed = existing == "resume" and output.exists()
    finished = finished_rows(output, columns, settings) if resumed else []
    images = list(zip(paths, ends or [None] * len(paths), strict=True))
    finished, remaining = remaining_images([image_cells(*image) for image in images], finished, output)
    counts = dict.fromkeys(("failed", "without_leaf", "leaves", "with_veins"), 0)
    if resumed:
        with written_atomically(output) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
            opened.write(csv_row(columns))
            opened.writelines(csv_row(row.get(column, "") for column in columns) for image in finished for row in image)
    for image in finished:
        _add_counts(image, counts)
    if on_progress and finished:
        on_progress(len(finished), len(paths))
    try:
        with output.open("a" if resumed else "w", encoding="utf-8", newline="") as opened:
            if not resumed:
                opened.write(csv_row(columns))
            measured = _measure_all([images[index] for index in remaining], settings, workers)
            for done, rows in enumerate(measured, start=len(finished) + 1):
                opened.writelines(_line(columns, row) for row in rows)
                opened.flush()
                check_in_place(opened, output)
                _add_counts(rows, counts)
                if on_progress:
                    on_progress(done, len(paths))
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror or error}.") from None
    return MeasurementSummary(images=len(paths), **counts)


def _add_counts(rows: Sequence[Mapping[str, str]], counts: dict[str, int]) -> None:
    """Add the rows of one image to the counts."""
    measured = [row for row in rows if row["status"] == RowStatus.MEASURED]
    counts["leaves"] += len(measured)
    counts["with_veins"] += sum(bool(row.get("secondary_vein_pairs")) for row in measured)
    counts["failed"] += rows[0]["status"] == RowStatus.FAILED
    counts["without_leaf"] += not measured and rows[0]["status"] != RowStatus.FAILED


def _line(columns: Sequence[str], row: Mapping[str, str]) -> str:
    """Return a new row as written; its path is safe already."""
    return csv_row(row[name] if name == "path" else escape_formula(row.get(name, "")) for name in columns)


def _measure_all(
    images: Sequence[tuple[Path, LeafEnds | None]], settings: MeasurementSettings, workers: int | None
) -> Iterator[list[dict[str, str]]]:
    processes = workers or (1 if len(images) < _MIN_IMAGES_FOR_POOL else usable_cores())
    rows_of = partial(image_rows, settings=settings)
    if processes == 1:
        yield from map(rows_of, images)
        return
    yield from map_in_processes(rows_of, images, processes, partial(rows_of_ended_process, settings=settings))
