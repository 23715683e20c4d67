"""``leafid measure``: leaf characters of photos and sheets, as a table."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import existing_output
from leafid.errors import UsageError


def measure(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Images, folders, globs, or a CSV with a path column.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="FILE", help="The table, .csv.")],
    leaves: Annotated[int, typer.Option("--leaves", min=1, max=50, help="Most leaves of one image, best first.")] = 6,
    px_per_mm: Annotated[
        float | None,
        typer.Option(
            "--px-per-mm", min=0.01, help="Scale of the images. Without it lengths in cm need a ruler in the image."
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes that measure.", show_default="one per core")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Keep the rows that are there and measure the rest.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing table.")] = False,
) -> None:
    """Measure leaves: size and form of the blade, number and angle of its secondary veins, one row per leaf.

    What cannot be seen is left empty, never guessed; images that cannot be read are rows too. Each leaf is compared
    with the ranges of the floras. Exit code: 0; 3 when some images could not be read; 2 when nothing could begin.
    """
    from leafid.characters import measure_to_file
    from leafid.identify import find_inputs
    from leafid.progress import progress_bar
    from leafid.sources import is_web_address

    if output.suffix.lower() != ".csv":
        raise UsageError(f"-o {output}: name a file that ends in .csv.")
    existing = existing_output(resume, force, output="table")
    inputs = find_inputs(paths)
    if addresses := [path for path in inputs.paths if is_web_address(path)]:
        raise UsageError("Only files are measured, save these first: " + ", ".join(addresses))
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
