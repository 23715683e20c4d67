"""``leafid measure``: measures leaf characters of photos and sheets."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import check_extension, existing_output


def measure(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Images, folders, globs, or a CSV with a path column.")
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
            help="Scale of the images. Without it, lengths in cm are measured only if the image shows a ruler.",
        ),
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
    reason. Exit code: 0; 3 if some images could not be read; 2 if nothing could start.
    """
    from leafid.characters import measure_to_file
    from leafid.identify import find_image_files
    from leafid.progress import progress_bar

    check_extension(output, ".csv")
    existing = existing_output(resume, force, output="table")
    inputs = find_image_files(paths)
    for remark in inputs.remarks:
        print(remark)
    with progress_bar("Measuring") as on_progress:
        summary = measure_to_file(
            [Path(path) for path in inputs.paths],
            output,
            leaves=leaves,
            px_per_mm=px_per_mm,
            existing=existing,
            workers=workers,
            on_progress=on_progress,
        )
    print(summary)
    print(f"Table: {output}")
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)
