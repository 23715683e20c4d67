"""``leafid demo``: all steps on a drawn herbarium, each printed as the command that a user would type."""

import shutil
import time
from pathlib import Path
from typing import Annotated

import typer

SHEETS = 288
SEED = 1
NEW_SHEETS = 12
NEW_SEED = 2


def demo(
    again: Annotated[
        bool, typer.Option("--again", help="Delete an earlier demonstration in this folder and start again.")
    ] = False,
) -> None:
    """Run all steps on a drawn herbarium.

    Draws a herbarium, trains on it, evaluates, and identifies twelve new drawings. Takes a few minutes and needs no
    internet connection.
    """
    from leafid.cli.collect import collect
    from leafid.cli.evaluate import evaluate
    from leafid.cli.identify import identify
    from leafid.cli.synthesize import synthesize
    from leafid.cli.train import train
    from leafid.errors import UsageError
    from leafid.installation import require_training
    from leafid.jobs import load_job
    from leafid.shipped import shipped
    from leafid.statements import LIMITS

    require_training()
    started = time.monotonic()
    job_file = shipped("configs/demo.yaml")
    job = load_job(job_file)
    drawn, new, results = (job.data_folder / name for name in ("drawn", "new", "results.csv"))
    for folder in (job.data_folder, job.run_folder):
        if folder.exists() and not again:
            raise UsageError(f"{folder} exists from an earlier demonstration. To replace it: leafid demo --again")
        shutil.rmtree(folder, ignore_errors=True)

    print("This is a DRAWN herbarium: leafid draws every sheet from the leaf characters in the floras.\n")
    _print_command(f"leafid synthesize {drawn} --sheets {SHEETS} --seed {SEED}")
    synthesize(drawn, sheets=SHEETS, seed=SEED)
    _print_command(f"leafid collect {_relative_to_cwd(job_file)}")
    collect(job_file)
    _print_command(f"leafid train {_relative_to_cwd(job_file)}")
    train(job_file)
    _print_command(f"leafid evaluate {job.run_folder} --on test")
    evaluate(job.run_folder)
    _print_command(f"leafid synthesize {new} --sheets {NEW_SHEETS} --seed {NEW_SEED}")
    synthesize(new, sheets=NEW_SHEETS, seed=NEW_SEED)
    _print_command(f"leafid identify {job.run_folder} {new / 'images'} -o {results}")
    identify(job.run_folder, [str(new / "images")], output=results)

    print(
        f"\nDone in {(time.monotonic() - started) / 60:.1f} minutes.\n"
        f"  Drawings:   {drawn / 'images'}\n"
        f"  Run:        {job.run_folder} (bundle, metrics, evaluation)\n"
        f"  Results:    {results}\n\n"
        "The figures above are for drawings. They show that every step works; they say nothing about real plants.\n"
        f"{LIMITS}"
    )


def _print_command(command: str) -> None:
    """Print the next step as a user would type it."""
    print(f"\n$ {command}")


def _relative_to_cwd(path: Path) -> Path:
    """Return a path relative to the working directory if it is inside."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
