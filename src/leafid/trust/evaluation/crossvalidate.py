"""Leave-one-group-out cross-validation: each herbarium is the test set once, and the network never trains on it."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from leafid.bundle import Interval
from leafid.catalog import read_catalog
from leafid.curation import curate
from leafid.destinations import Destination, check_destinations, has_header
from leafid.errors import SplitError
from leafid.jobs import Job, with_settings
from leafid.tables import write_frame
from leafid.trust.calibrate import calibrate
from leafid.trust.evaluation.evaluate import evaluate
from leafid.trust.evaluation_schema import Evaluation

TABLE = "crossvalidation.csv"

OnFold = Callable[[int, int, str], None]
"""Called with (number of the fold from 1, number of folds, held-out value) when a fold begins."""


@dataclass(frozen=True)
class Fold:
    """One fold: the images with one value are the test set, all others are for training and validation.

    Attributes:
        value: the held-out value, such as an institution code.
        run: the run folder.
        evaluation: on the held-out images; None if the fold could not be trained or measured.
        problem: the reason for that; None otherwise.
    """

    value: str
    run: Path
    evaluation: Evaluation | None
    problem: str | None


@dataclass(frozen=True)
class Crossvalidation:
    """All folds, and the file with their table."""

    by: str
    folds: tuple[Fold, ...]
    table: Path

    def __str__(self) -> str:
        """Return a table for the terminal, with the statement of limits."""
        lines = [f"{self.by:20} images   accuracy               macro-F1               undetermined"]
        for fold in self.folds:
            result = fold.evaluation
            if result is None:
                lines.append(f"{fold.value:20} {fold.problem}")
                continue
            lines.append(
                f"{fold.value:20} {result.read:6}   {_value(result.accuracy, result.accuracy_interval):22} "
                f"{_value(result.macro_f1, result.macro_f1_interval):22} {_value(result.undetermined_share, None)}"
            )
        results = [fold.evaluation for fold in self.folds if fold.evaluation]
        accuracies = [result.accuracy for result in results if result.accuracy is not None]
        if accuracies:
            lines.append(f"mean accuracy {sum(accuracies) / len(accuracies):.3f}, lowest {min(accuracies):.3f}")
        return "\n".join([*lines, str(self.table), *(result.limits for result in results[:1])])


def crossvalidate(
    job: Job, *, by: str = "institution", out: Path | None = None, device: str = "auto", on_fold: OnFold | None = None
) -> Crossvalidation:
    """Train and evaluate once for each value of a column, with that value as the test set; finished folds are kept.

    Args:
        job: its catalog must exist; of its split settings, only the validation share is used.
        by: ``institution``, or a column of the catalog.
        out: folder of the runs; by default ``<run folder>-by-<by>``.
        device: for the evaluation; the job sets the device for training.
        on_fold: called when a fold begins.

    Raises:
        CatalogError: there is no catalog.
        SplitError: the column is not in the catalog, or has fewer than two values.
    """
    from leafid.learning import resolve_recipe

    job = resolve_recipe(job)  # once, so that all folds have the same settings
    column = "institutionCode" if by == "institution" else by
    catalog = read_catalog(job.catalog_path)
    if column not in catalog:
        raise SplitError(f"--by {by}: the catalog has no column {column!r}. It has: {', '.join(catalog.columns)}.")
    values = sorted(map(str, catalog[column].dropna().unique()))
    if len(values) < 2:
        raise SplitError(
            f"--by {by}: the catalog has {len(values)} values in {column}, and two or more values are needed. "
            "Choose another column."
        )
    folder = out or job.run_folder.with_name(f"{job.run_folder.name}-by-{by}")
    table = Destination("--out", folder / TABLE, has_header([by, "run", "problem"], begins=True))
    check_destinations([table], inputs=[job.catalog_path], existing="replace")
    folds = []
    for number, value in enumerate(values, start=1):
        if on_fold:
            on_fold(number, len(values), value)
        folds.append(_fold(job, by, column, value, folder / _folder_name(value, number), device))
    result = Crossvalidation(by, tuple(folds), folder / TABLE)
    _write(result)
    return result


def fold_job(job: Job, by: str, value: str) -> Job:
    """Return the job of a fold: its test set is the images with this value."""
    split = {"by": "institution"} if by == "institution" else {"by": "column", "column": by}
    return with_settings(job, {"curation.split": split | {"test_values": [value], "val": job.curation.split.val}})


def _fold(job: Job, by: str, column: str, value: str, run: Path, device: str) -> Fold:
    from leafid.learning import Run, train

    of_fold = fold_job(job, by, value)
    try:
        if (problem := _without_test_images(of_fold, column, value)) is not None:
            return Fold(value, run, None, problem)
        train(of_fold, run=run, resume=Run.exists(run))
        calibrate(run, device=device)
        return Fold(value, run, evaluate(run, on="test", device=device), None)
    except SplitError as error:  # the fold holds all sheets of a taxon: the table says so, and the next fold follows
        return Fold(value, run, None, " ".join(str(error).split()))


def _without_test_images(of_fold: Job, column: str, value: str) -> str | None:
    """Return why no image of the held-out value can be used, before the fold is trained; None if some can."""
    catalog = read_catalog(of_fold.catalog_path)
    curated = curate(catalog, of_fold)
    if (curated.split["split"] == "test").any():
        return None
    held_out = set(catalog.loc[catalog[column].astype(str) == value, "image_id"])
    reasons = Counter(curated.left_out.loc[curated.left_out["image_id"].isin(held_out), "reason"])
    listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"no image of {value} can be used for a test: {listed or 'none is in the split'}"


def _folder_name(value: str, number: int) -> str:
    return f"{number:02d}-{re.sub(r'[^A-Za-z0-9_-]+', '_', value)[:40]}"


def _write(result: Crossvalidation) -> None:
    import pandas as pd

    rows = []
    for fold in result.folds:
        evaluation = fold.evaluation
        row: dict[str, object] = {result.by: fold.value, "run": fold.run.name, "problem": fold.problem}
        if evaluation is not None:
            row |= {"images": evaluation.read, "gatherings": evaluation.gatherings, "accuracy": evaluation.accuracy}
            row |= _interval_columns("accuracy", evaluation.accuracy_interval)
            row |= {"macro_f1": evaluation.macro_f1, "macro_f1_taxa": evaluation.macro_f1_taxa}
            row |= _interval_columns("macro_f1", evaluation.macro_f1_interval)
            row |= {
                "balanced_accuracy": evaluation.balanced_accuracy,
                "ece": evaluation.calibration and evaluation.calibration.ece,
                "undetermined_share": evaluation.undetermined_share,
                "target_auroc": evaluation.target and evaluation.target.auroc,
            }
        rows.append(row)
    write_frame(pd.DataFrame(rows), result.table)


def _interval_columns(name: str, ends: Interval | None) -> dict[str, object]:
    low, high = ends or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _value(value: float | None, ends: Interval | None) -> str:
    return "-" if value is None else f"{value:.3f}" + (f" ({ends[0]:.3f}-{ends[1]:.3f})" if ends else "")
