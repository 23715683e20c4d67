"""``leafid measure``: measures leaf characters of photos and sheets."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import check_extension, existing_output
from leafid.cli.supervision import survive_crashes
from leafid.errors import UsageError


def measure(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Images, folders, globs, or a CSV with a path column; with the columns base_x, base_y, apex_x, apex_y "
            "too, it gives the ends of one leaf a row.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The table, .csv.")],
    leaves: Annotated[
        int, typer.Option("--leaves", min=1, max=50, help="Maximum number of leaves of an image, best first.")
    ] = 6,
    px_per_mm: Annotated[
        float | None,
        typer.Option(
            "--px-per-mm",
            min=0.01,
            help="Scale of the images. Without it, lengths in cm are measured only with a ruler or scale bar in it.",
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", metavar="X,Y", help="Where petiole and blade meet, in pixels of the one photo."),
    ] = None,
    apex: Annotated[
        str | None, typer.Option("--apex", metavar="X,Y", help="Tip of the blade of the same leaf.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Number of processes.", show_default="one per core")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep existing rows and measure the remaining images.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing table.")] = False,
) -> None:
    """Measure leaf characters, one row per leaf.

    They are size and form of the blade, number and angle of its secondary veins, and a comparison with the ranges of
    the floras. A character that cannot be measured is left empty; an image that cannot be read gives a row with the
    reason. A leaf that is cut by the image's edge, covered or folded is not measured.

    With --base and --apex, the leaf between these two points is measured and no other is looked for. The table has the
    columns of such points: correct them by hand and measure the table.

    Exit code: 0; 3 if some images could not be read; 2 if nothing could start.
    """
    check_extension(output, ".csv")
    existing = existing_output(resume, force, output="table")
    if survive_crashes(reads_list="-" in paths):
        existing = "resume"

    from leafid.characters import ends_from_options, has_leaf_ends, measure_to_file, read_leaf_ends
    from leafid.identify import find_image_files
    from leafid.progress import progress_bar

    given = ends_from_options(base, apex)
    tables = [path for path in paths if has_leaf_ends(Path(path))]
    others = [path for path in paths if path not in tables]
    images = [(path, ends) for table in tables for path, ends in read_leaf_ends(Path(table))]
    if others:
        inputs = find_image_files(others)
        for remark in inputs.remarks:
            print(remark)
        images = [(Path(path), given) for path in inputs.paths] + images
    if given is not None and (tables or len(images) != 1):
        raise UsageError("--base and --apex are points of one photo. Name one photo, and no table of points.")
    with progress_bar("Measuring") as on_progress:
        summary = measure_to_file(
            [path for path, _ in images],
            output,
            leaves=leaves,
            ends=[ends for _, ends in images],
            px_per_mm=px_per_mm,
            existing=existing,
            workers=workers,
            on_progress=on_progress,
        )
    print(summary)
    print(f"Table: {output}")
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)
