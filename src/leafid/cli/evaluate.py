"""``leafid evaluate`` and ``leafid crossvalidate``: accuracy on held-out images, folds and herbaria."""

from pathlib import Path
from typing import Annotated

import typer

from leafid.cli.arguments import Device, DeviceOption, JobFile, Overrides


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
    from leafid.progress import progress_bar
    from leafid.trust import evaluate as evaluate_run

    with progress_bar("Evaluating") as on_progress:
        evaluation = evaluate_run(
            run, on=on, catalog=catalog, out=out, device=device.value, full=full, on_progress=on_progress
        )
    print(evaluation)


def crossvalidate(
    job_file: JobFile,
    overrides: Overrides = None,
    folds: Annotated[
        int | None,
        typer.Option("--folds", metavar="N", help="Number of folds by gathering.", show_default="5"),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="COLUMN",
            help="Leave out each value of a column of the catalog in turn; institution: each herbarium.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="Folder of the runs.", show_default="runs/<job name>-by-<by>"),
    ] = None,
    device: DeviceOption = Device.AUTO,
) -> None:
    """Cross-validate by gathering, or by leaving out each herbarium.

    Trains once without each fold and evaluates on it. Folds by gathering never contain the test images of the job, so
    that settings can be chosen by them. --by institution estimates the accuracy for herbaria outside the catalog.
    Baselines are measured on the same folds. After an interruption, the same command continues; finished folds are
    kept.
    """
    from leafid.errors import UsageError
    from leafid.installation import require_torch
    from leafid.jobs import load_job

    if folds is not None and by is not None:
        raise UsageError("--folds is for folds by gathering, and --by for a column of the catalog. Give one of them.")
    job = load_job(job_file, overrides or ())
    require_torch()
    from leafid.trust import crossvalidate as crossvalidate_job

    def print_fold(number: int, folds: int, value: str) -> None:
        print(f"Fold {number} of {folds}" + (f": without {value}" if by else ""), flush=True)

    chosen = {} if folds is None else {"folds": folds}
    print(crossvalidate_job(job, by=by or "gathering", out=out, device=device.value, on_fold=print_fold, **chosen))
