"""Cross-validation: every image, or every herbarium, is in the test set once, and that fold never trains on it."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from leafid.catalog import read_catalog
from leafid.curation import curate
from leafid.destinations import Destination, check_destinations, has_header
from leafid.errors import SplitError, UsageError
from leafid.jobs import Job, with_settings
from leafid.trust.calibrate import calibrate
from leafid.trust.evaluation.baselines import with_baselines
from leafid.trust.evaluation.crossvalidation import (
    FOLDS_TABLE,
    SUMMARY_TABLE,
    Crossvalidation,
    Fold,
    write_crossvalidation,
)
from leafid.trust.evaluation.evaluate import evaluate

if TYPE_CHECKING:
    from leafid.curation import CuratedCatalog

OnFold = Callable[[int, int, str], None]
"""Called with (number of the fold from 1, number of folds, name of the fold) when a fold begins."""

FOLDS = 5
"""Folds by gathering, unless given."""


class _PlannedFold(NamedTuple):
    """A fold to be trained.

    Attributes:
        value: its name, or the held-out value.
        job: its job.
        split: makes its split; None: that of the job.
        column: of the held-out value; None: a fold by gathering.
    """

    value: str
    job: Job
    split: Callable[[], "CuratedCatalog"] | None = None
    column: str | None = None


def crossvalidate(
    job: Job,
    *,
    by: str = "gathering",
    folds: int = FOLDS,
    out: Path | None = None,
    device: str = "auto",
    on_fold: OnFold | None = None,
) -> Crossvalidation:
    """Train, calibrate and evaluate once for each fold, and measure baselines on the same folds.

    Finished folds are kept. All settings are those of the job, and each fold makes its own choices (shrinkage,
    temperature, probe or fine-tuned network, share of an average) by the likelihood of images that are not in its test
    set.

    Args:
        job: its catalog must exist.
        by: ``gathering``: folds of whole gatherings, without the test images of the job. A fold is a stretch of each
            taxon's gatherings in the order of the catalog, since neighbours in a series may be alike. Otherwise each
            value of a column of the catalog is left out in turn (``institution``: its herbaria), among all images.
        folds: number of folds by gathering.
        out: folder of the runs; by default ``<run folder>-by-<by>``.
        device: for the evaluation; the job sets the device for training.
        on_fold: called when a fold begins.

    Raises:
        CatalogError: there is no catalog.
        SplitError: the column is not in the catalog, or has fewer than two values.
        UsageError: the number of folds is out of range.
    """
    from leafid.learning import resolve_recipe

    job = resolve_recipe(job)  # once, so that all folds have the same settings
    planned = list(_by_gathering(job, folds) if by == "gathering" else _by_column(job, by))
    folder = out or job.run_folder.with_name(f"{job.run_folder.name}-by-{by}")
    tables = [
        Destination("--out", folder / FOLDS_TABLE, has_header([by, "run", "problem"], begins=True)),
        Destination("--out", folder / SUMMARY_TABLE, has_header(["method", "folds"], begins=True)),
    ]
    check_destinations(tables, inputs=[job.catalog_path], existing="replace")
    results = []
    for number, fold in enumerate(planned, start=1):
        if on_fold:
            on_fold(number, len(planned), fold.value)
        results.append(_trained(fold, folder / _folder_name(fold.value, number), device))
    result = Crossvalidation(by, with_baselines(job, results), folder)
    write_crossvalidation(result)
    return result


def _by_gathering(job: Job, count: int) -> Iterator[_PlannedFold]:
    """Plan folds of whole gatherings outside the job's test set."""
    from functools import partial

    from leafid.curation import (
        MAX_FOLDS,
        MIN_FOLDS,
        fold_split,
        near_duplicates_of,
        training_split,
        units_outside_test,
    )
    from leafid.learning import blocked_folds

    if not MIN_FOLDS <= count <= MAX_FOLDS:
        raise UsageError(f"--folds {count}: give a number from {MIN_FOLDS} to {MAX_FOLDS}.")
    curated = training_split(job)
    together = near_duplicates_of(job) if job.curation.near_duplicates == "refuse" else []
    rows, units = units_outside_test(curated, together)
    labels = np.array(curated.taxonomy.labels(list(rows["scientificName"])), dtype=np.int64)
    folds = blocked_folds(labels, units, count)
    for number in range(count):
        # The name has the number of folds, so that a fold of another division is never continued.
        name = f"fold {number + 1} of {count}"
        yield _PlannedFold(name, job, partial(fold_split, curated, rows, units, folds, number))


def _by_column(job: Job, by: str) -> Iterator[_PlannedFold]:
    """Plan a fold for each value of a column of the catalog."""
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
    for value in values:
        yield _PlannedFold(value, fold_job(job, by, value), column=column)


def fold_job(job: Job, by: str, value: str) -> Job:
    """Return the job of a fold: its test set is the images with this value."""
    split = {"by": "institution"} if by == "institution" else {"by": "column", "column": by}
    return with_settings(job, {"curation.split": split | {"test_values": [value], "val": job.curation.split.val}})


def _trained(fold: _PlannedFold, run: Path, device: str) -> Fold:
    from leafid.learning import Run, train

    try:
        curated = fold.split() if fold.split else None
        if fold.column and (problem := _without_test_images(fold.job, fold.column, fold.value)) is not None:
            return Fold(fold.value, run, problem=problem)
        trained = train(fold.job, run=run, resume=Run.exists(run), curated=curated)
        calibrate(run, device=device)
        evaluation = evaluate(run, on="test", device=device)
    except SplitError as error:  # the fold holds all sheets of a taxon: the table says so, and the next fold follows
        return Fold(fold.value, run, problem=" ".join(str(error).split()))
    return Fold(fold.value, run, evaluation, trained.info.kept)


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
