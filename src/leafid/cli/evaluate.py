"""``leafid evaluate``: accuracy of a bundle by taxon."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import Device, DeviceOption


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="BUNDLE_OR_RUN", help="A run folder, or the bundle in it.")],
    on: Annotated[
        str,
        typer.Option("--on", help="Images to evaluate on: train, val or test of the run's split; with --catalog, all."),
    ] = "test",
    catalog: Annotated[
        Path | None,
        typer.Option("--catalog", help="Evaluate on the images of another catalog, for a bundle outside its run."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Output folder.", show_default="<run>/evaluation/<on>"),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full",
            help="Also compute a learning curve, controls without the plant and heat figures; takes minutes more.",
        ),
    ] = False,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Evaluate a bundle on held-out images."""
    from leafid.installation import require_torch
    from leafid.progress import progress_bar

    require_torch()
    from leafid.trust import evaluate as evaluate_run

    with progress_bar("Evaluating") as on_progress:
        evaluation = evaluate_run(
            run, on=on, catalog=catalog, out=out, device=device.value, full=full, on_progress=on_progress
        )
    print(evaluation)
