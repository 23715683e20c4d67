"""``leafid sweep``: a search for good settings."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import JobFile, Overrides


def sweep(
    job_file: JobFile,
    overrides: Overrides = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Study and runs.", show_default="runs/<job name>-sweep"),
    ] = None,
) -> None:
    """Try the settings in the job's section `sweep`, each in a training of its own, judged on val.

    Interrupted, the same command goes on; more trials come with --set sweep.trials=N.
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
        print(f"trial {trial.number}: {score} with {_written(trial.settings)}")
    best = best_trial(job, out=folder)
    if best is None:
        print("No trial was finished.")
        return
    print(f"Best:   trial {best.number}, val macro-F1 {best.val_macro_f1:.3f}, in {best.run}")
    print(f"Next:   leafid train {job_file} {_written(best.settings)}")


def _written(settings: dict[str, object]) -> str:
    """Settings as they are typed."""
    return " ".join(
        f"--set {name}={f'{value:.4g}' if isinstance(value, float) else value}" for name, value in settings.items()
    )
