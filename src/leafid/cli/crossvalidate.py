"""``leafid crossvalidate``: cross-validation with one herbarium left out at a time."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import Device, DeviceOption, JobFile, Overrides


def crossvalidate(
    job_file: JobFile,
    overrides: Overrides = None,
    by: Annotated[
        str, typer.Option("--by", help="institution, or a column of the catalog; each value is left out in turn.")
    ] = "institution",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Folder of the runs.", show_default="runs/<job name>-by-<by>"),
    ] = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Cross-validate by leaving out each herbarium.

    Trains once without each herbarium and evaluates on it, which estimates the accuracy for herbaria outside the
    catalog. After an interruption, the same command continues; finished folds are kept.
    """
    from leafid.installation import require_torch
    from leafid.jobs import load_job

    job = load_job(job_file, overrides or ())
    require_torch()
    from leafid.trust import crossvalidate as crossvalidate_job

    def print_fold(number: int, folds: int, value: str) -> None:
        print(f"Fold {number} of {folds}: without {value}", flush=True)

    print(crossvalidate_job(job, by=by, out=out, device=device.value, on_fold=print_fold))
