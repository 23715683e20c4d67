"""``leafid crossvalidate``: each herbarium in turn as the test."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import Device, DeviceOption, JobFile, Overrides


def crossvalidate(
    job_file: JobFile,
    overrides: Overrides = None,
    by: Annotated[
        str, typer.Option("--by", help="institution, or a column of the catalog: each value is left out in turn.")
    ] = "institution",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Folder of the runs.", show_default="runs/<job name>-by-<by>"),
    ] = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Train once for each herbarium, leaving it out, and measure on it: a network for sheets of places unseen.

    Interrupted, the same command goes on; finished folds are kept.
    """
    from leafid.installation import require_torch
    from leafid.jobs import load_job

    job = load_job(job_file, overrides or ())
    require_torch()
    from leafid.trust import crossvalidate as crossvalidate_job

    def tell(number: int, folds: int, value: str) -> None:
        print(f"Fold {number} of {folds}: without {value}", flush=True)

    print(crossvalidate_job(job, by=by, out=out, device=device.value, on_fold=tell))
