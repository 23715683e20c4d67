"""``leafid evaluate``: how good is a bundle, taxon by taxon."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import Device, DeviceOption


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="BUNDLE_OR_RUN", help="A run folder, or the bundle in it.")],
    on: Annotated[
        str, typer.Option("--on", help="Which images: train, val or test of the run's split; all, with --catalog.")
    ] = "test",
    catalog: Annotated[
        Path | None, typer.Option("--catalog", help="Images of another catalog, for a bundle that has left its run.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Where to write.", show_default="<run>/evaluation/<on>"),
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help="Also learning curve, controls without the plant, and heat figures: minutes more."),
    ] = False,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Measure a trained network on images it was not trained on."""
    from leafid.installation import require_torch
    from leafid.progress import progress_bar

    require_torch()
    from leafid.trust import evaluate as evaluate_run

    with progress_bar("Evaluating") as on_progress:
        evaluation = evaluate_run(
            run, on=on, catalog=catalog, out=out, device=device.value, full=full, on_progress=on_progress
        )
    print(evaluation)
