"""``leafid train``: trains a network on a catalog and writes the run and its bundle."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import JobFile, Overrides


def train(
    job_file: JobFile,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue after the last complete epoch.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="Run folder.", show_default="runs/<job name>")
    ] = None,
) -> None:
    """Train a network on the catalog of a job."""
    from leafid.installation import require_torch
    from leafid.jobs import load_job

    job = load_job(job_file, overrides or ())
    require_torch()
    from leafid.learning import train as train_job
    from leafid.trust import calibrate

    run = train_job(job, run=out or job.run_folder, resume=resume)
    calibrate(run.folder, device=job.training.device)
    print(f"Run:    {run.folder}\nBundle: {run.bundle_folder}")
    print(f"Next:   leafid evaluate {run.folder} --on test")
