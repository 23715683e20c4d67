"""Evaluation sets: a bundle, labelled images, and the folder for the results."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle, read_bundle
from leafid.catalog import image_paths, read_catalog
from leafid.curation import SPLITS
from leafid.errors import CatalogError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from leafid.learning import Run


@dataclass(frozen=True)
class EvalSet:
    """A bundle, rows of a split or catalog, their image files, and the folder for the results."""

    bundle: Bundle
    rows: "pd.DataFrame"
    files: list[Path]
    out: Path
    run: "Run | None" = None

    @property
    def truth(self) -> NDArray[np.int64]:
        """The labels (N,) of the rows.

        Raises:
            TaxonomyError: names that are not among the bundle's taxa; all are listed.
        """
        return np.array(self.bundle.info.taxonomy.labels(list(self.rows["scientificName"])), dtype=np.int64)

    @property
    def gatherings(self) -> list[str]:
        """The gathering of each image; an image without a gathering counts as one of its own."""
        return list(self.rows["gathering_id"].fillna(self.rows["image_id"]))


def load_eval_set(path: Path, on: str, catalog: Path | None, out: Path | None) -> EvalSet:
    """Load the evaluation set that the arguments of ``evaluate`` name; arguments and errors are the same."""
    from leafid.learning import Run

    choices = SPLITS if catalog is None else (*SPLITS, "all")
    if on not in choices:
        raise UsageError(f"--on {on}: choose {', '.join(choices[:-1])} or {choices[-1]}.")
    if not path.exists():
        raise UsageError(f"There is no run or bundle {path}. `leafid train JOB` writes a run to runs/<job name>.")
    resolved = path.resolve()  # the bundle of a run, also by a link or from inside it
    in_run = resolved.name == "bundle" and Run.exists(resolved.parent)
    run_folder = path if Run.exists(path) else resolved.parent if in_run else None
    if catalog is not None:
        bundle = read_bundle(path)
        rows = read_catalog(catalog)
        rows = rows if on == "all" else rows[rows["split"] == on]
        if rows.empty:
            raise UsageError(f"{catalog} has no image with {on!r} in its column split. Use --on all for every image.")
        if out is None:
            raise UsageError("Evaluation on a catalog needs a folder for the results: name it with --out.")
        return EvalSet(bundle, rows, image_paths(rows, catalog), out)
    if run_folder is None:
        bundle = read_bundle(path)
        raise UsageError(
            f"{bundle.folder} lies outside its run, so its test images are not known. "
            "Name the run instead, or a catalog with --catalog."
        )
    run = Run.open(run_folder)
    split = run.split
    rows = split[split["split"] == on]
    if rows.empty:
        raise UsageError(f"The split of {run.folder} has no {on} images; see curation.split.{on} in its job.yaml.")
    probe = run.info.probe
    if on == "val" and probe is not None and probe.refitted:
        raise UsageError(
            f"The head of {run.folder} was fitted to val too (training.refit), so a score on val would be of images "
            "that it has seen. Evaluate it on test, use `leafid crossvalidate`, or train with "
            "--set training.refit=false."
        )
    files = run.image_paths(rows)
    return EvalSet(
        read_bundle(run.bundle_folder), _with_catalog(rows, run), files, out or run.folder / "evaluation" / on, run
    )


def _with_catalog(rows: "pd.DataFrame", run: "Run") -> "pd.DataFrame":
    """Add the catalog columns by which the report groups; a run copied without its catalog goes without them."""
    try:
        catalog = read_catalog(run.info.catalog).set_index("image_id")
    except CatalogError:
        return rows
    joined = catalog.reindex(rows["image_id"])
    return rows.assign(**{column: joined[column].to_numpy() for column in ("eventDate",)})
