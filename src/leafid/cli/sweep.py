"""``leafid sweep``: hyperparameter search."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import JobFile, Overrides


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
