"""Each herbarium in turn as the test: what the network is worth on sheets of a place it has never seen."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leafid.bundle import Interval
from leafid.catalog import read_catalog
from leafid.errors import SplitError
from leafid.files import written_atomically
from leafid.jobs import Job, with_settings
from leafid.statements import LIMITS
from leafid.trust.calibrate import calibrate
from leafid.trust.evaluation.evaluate import evaluate
from leafid.trust.evaluation_results import Evaluation

OnFold = Callable[[int, int, str], None]
"""Told (number of the fold from 1 on, folds in all, the value left out) when a fold begins."""


@dataclass(frozen=True)
class Fold:
    """One part as the test, all others for training and validation.

    Attributes:
        value: what was left out, such as an institution code.
        run: the run folder.
        evaluation: of the part; None where it could not be trained or measured.
        problem: why not.
    """

    value: str
    run: Path
    evaluation: Evaluation | None
    problem: str | None


@dataclass(frozen=True)
class Crossvalidation:
    """All folds, and where their table lies."""

    by: str
    folds: tuple[Fold, ...]
    table: Path

    def __str__(self) -> str:
        """Return a table for the terminal, with the statement of limits."""
        lines = [f"{self.by:20} images   accuracy               macro-F1               cannot tell"]
        for fold in self.folds:
            one = fold.evaluation
            if one is None:
                lines.append(f"{fold.value:20} {fold.problem}")
                continue
            lines.append(
                f"{fold.value:20} {one.read:6}   {_figure(one.accuracy, one.accuracy_interval):22} "
                f"{_figure(one.macro_f1, one.macro_f1_interval):22} {_figure(one.undetermined_share, None)}"
            )
        measured = [fold.evaluation for fold in self.folds if fold.evaluation and fold.evaluation.accuracy is not None]
        if measured:
            accuracies = [one.accuracy or 0.0 for one in measured]
            lines.append(f"mean accuracy {sum(accuracies) / len(accuracies):.3f}, lowest {min(accuracies):.3f}")
        return "\n".join([*lines, str(self.table), LIMITS])


def crossvalidate(
    job: Job, *, by: str = "institution", out: Path | None = None, device: str = "auto", on_fold: OnFold | None = None
) -> Crossvalidation:
    """Train and measure once for each value of a column, that value being the test; a finished fold is not repeated.

    Args:
        job: its catalog must have been collected; its split settings give only the share of validation.
        by: ``institution``, or a column of the catalog.
        out: folder of the runs; by default ``<run folder>-by-<by>``.
        device: where to measure; where to train is said by the job.
        on_fold: told when a fold begins.

    Raises:
        CatalogError: there is no catalog.
        SplitError: the column is not in the catalog, or has fewer than two values.
    """
    column = "institutionCode" if by == "institution" else by
    catalog = read_catalog(job.catalog_path)
    if column not in catalog:
        raise SplitError(f"--by {by}: the catalog has no column {column!r}. It has: {', '.join(catalog.columns)}.")
    values = sorted(map(str, catalog[column].dropna().unique()))
    if len(values) < 2:
        raise SplitError(f"--by {by}: two or more values are needed, and the catalog has {len(values)} in {column}.")
    folder = out or job.run_folder.with_name(f"{job.run_folder.name}-by-{by}")
    folds = []
    for number, value in enumerate(values, start=1):
        if on_fold:
            on_fold(number, len(values), value)
        folds.append(_fold(job, by, value, folder / _folder_name(value, number), device))
    result = Crossvalidation(by, tuple(folds), folder / "crossvalidation.csv")
    _write(result)
    return result


def left_out_job(job: Job, by: str, value: str) -> Job:
    """Return the job whose test is the part with this value."""
    split = {"by": "institution"} if by == "institution" else {"by": "column", "column": by}
    return with_settings(job, {"curation.split": split | {"test_values": [value], "val": job.curation.split.val}})


def _fold(job: Job, by: str, value: str, run: Path, device: str) -> Fold:
    from leafid.learning import Run, train

    try:
        part = left_out_job(job, by, value)
        train(part, run=run, resume=Run.is_there(run))
        calibrate(run, device=device)
        return Fold(value, run, evaluate(run, on="test", device=device), None)
    except SplitError as error:  # the only sheets of a taxon lie here: said in the table, and the others go on
        return Fold(value, run, None, " ".join(str(error).split()))


def _folder_name(value: str, number: int) -> str:
    return f"{number:02d}-{re.sub(r'[^A-Za-z0-9_-]+', '_', value)[:40]}"


def _write(result: Crossvalidation) -> None:
    import pandas as pd

    rows = []
    for fold in result.folds:
        one = fold.evaluation
        row: dict[str, object] = {result.by: fold.value, "run": fold.run.name, "problem": fold.problem}
        if one is not None:
            row |= {"images": one.read, "gatherings": one.gatherings, "accuracy": one.accuracy}
            row |= _ends("accuracy", one.accuracy_interval)
            row |= {"macro_f1": one.macro_f1, "macro_f1_taxa": one.macro_f1_taxa}
            row |= _ends("macro_f1", one.macro_f1_interval)
            row |= {
                "balanced_accuracy": one.balanced_accuracy,
                "ece": one.calibration and one.calibration.ece,
                "undetermined_share": one.undetermined_share,
                "target_auroc": one.target and one.target.auroc,
            }
        rows.append(row)
    result.table.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(result.table) as temporary:
        pd.DataFrame(rows).to_csv(temporary, index=False, lineterminator="\n", float_format="%.6g")


def _ends(name: str, ends: Interval | None) -> dict[str, object]:
    low, high = ends or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _figure(value: float | None, ends: Interval | None) -> str:
    return "-" if value is None else f"{value:.3f}" + (f" ({ends[0]:.3f}-{ends[1]:.3f})" if ends else "")
