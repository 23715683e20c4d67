"""``leafid demo``: the whole street on a drawn herbarium, each step shown as the command a user would type."""

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
    again: Annotated[bool, typer.Option("--again", help="Begin anew when a demonstration has been run here.")] = False,
) -> None:
    """Draw a herbarium, train on it, evaluate, identify twelve new drawings: a few minutes, no network needed."""
    from leafid.cli.collect import collect
    from leafid.cli.evaluate import evaluate
    from leafid.cli.identify import identify
    from leafid.cli.synthesize import synthesize
    from leafid.cli.train import train
    from leafid.errors import UsageError
    from leafid.jobs import load_job
    from leafid.shipped import shipped
    from leafid.statements import LIMITS

    started = time.monotonic()
    job_file = shipped("configs/demo.yaml")
    job = load_job(job_file)
    drawn, new, results = (job.data_folder / name for name in ("drawn", "new", "results.csv"))
    for folder in (job.data_folder, job.run_folder):
        if folder.exists() and not again:
            raise UsageError(f"{folder} is there from an earlier demonstration. To begin anew: leafid demo --again")
        shutil.rmtree(folder, ignore_errors=True)

    print(
        "This is a DRAWN herbarium: every sheet is a picture made by leafid from the leaf characters in the floras.\n"
    )
    _say(f"leafid synthesize {drawn} --sheets {SHEETS} --seed {SEED}")
    synthesize(drawn, sheets=SHEETS, seed=SEED)
    _say(f"leafid collect {_shown(job_file)}")
    collect(job_file)
    _say(f"leafid train {_shown(job_file)}")
    train(job_file)
    _say(f"leafid evaluate {job.run_folder} --on test")
    evaluate(job.run_folder)
    _say(f"leafid synthesize {new} --sheets {NEW_SHEETS} --seed {NEW_SEED}")
    synthesize(new, sheets=NEW_SHEETS, seed=NEW_SEED)
    _say(f"leafid identify {job.run_folder} {new / 'images'} -o {results}")
    identify(job.run_folder, [str(new / "images")], output=results)

    print(
        f"\nDone in {(time.monotonic() - started) / 60:.1f} minutes.\n"
        f"  Drawings:   {drawn / 'images'}\n"
        f"  Run:        {job.run_folder} (bundle, metrics, evaluation)\n"
        f"  Results:    {results}\n\n"
        "The scores above are for drawings. They show that every step works; they say nothing about real plants.\n"
        f"{LIMITS}"
    )


def _say(command: str) -> None:
    """Show the next step as a user would type it."""
    print(f"\n$ {command}")


def _shown(path: Path) -> Path:
    """A path as short as it can be typed here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
