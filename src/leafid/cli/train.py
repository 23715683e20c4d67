"""``leafid prepare``, ``leafid train`` and ``leafid sweep``: cuts views, trains a network, searches for settings."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import JobFile, Overrides


def prepare(job_file: JobFile, overrides: Overrides = None) -> None:
    """Cut and store the views of a job's images.

    After an interruption, the same command continues. Otherwise `leafid train` does this before the first epoch.
    """
    from leafid.installation import require_torch
    from leafid.jobs import load_job

    job = load_job(job_file, overrides or ())
    require_torch()
    from leafid.learning import prepare_job, resolve_recipe

    for stored in prepare_job(resolve_recipe(job)):
        print(
            f"{stored.part:5}  {stored.images} images, {stored.new} of them new: "
            f"{stored.bytes / 1e6:.1f} MB in {stored.folder}"
        )
    print(f"Next:  leafid train {job_file}")


def train(
    job_file: JobFile,
    overrides: Overrides = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue after the last complete epoch.")] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="RUN", help="Run folder.", show_default="runs/<job name>")
    ] = None,
) -> None:
    """Train a network on the catalog of a job."""
    from leafid import train as train_job

    run = train_job(job_file, overrides=overrides or (), run=out, resume=resume)
    print(f"Run:    {run.folder}\nBundle: {run.bundle_folder}")
    print(f"Next:   leafid evaluate {run.folder} --on test")


def sweep(
    job_file: JobFile,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FOLDER", help="Folder of the study and its runs.", show_default="runs/<job name>-sweep"
        ),
    ] = None,
) -> None:
    """Search for the best training settings.

    Trains once for each choice of the settings in the job's section `sweep` and compares them on val. After an
    interruption, the same command continues; run more trials with --set sweep.trials=N.
    """
    from leafid.installation import require_torch
    from leafid.jobs import load_job

    job = load_job(job_file, overrides or ())
    require_torch()
    from leafid.learning import best_trial
    from leafid.learning import sweep as sweep_job

    folder = out or job.run_folder.with_name(f"{job.run_folder.name}-sweep")
    for trial in sweep_job(job, out=folder):
        score = "stopped early" if trial.val_macro_f1 is None else f"val macro-F1 {trial.val_macro_f1:.3f}"
        print(f"trial {trial.number}: {score} with {_as_options(trial.settings)}")
    best = best_trial(job, out=folder)
    if best is None:
        print("No trial has finished.")
        return
    print(f"Best:   trial {best.number}, val macro-F1 {best.val_macro_f1:.3f}, in {best.run}")
    print(f"Next:   leafid train {job_file} {_as_options(best.settings)}")


def _as_options(settings: dict[str, object]) -> str:
    """Return settings as command-line options."""
    return " ".join(
        f"--set {name}={f'{value:.4g}' if isinstance(value, float) else value}" for name, value in settings.items()
    )
