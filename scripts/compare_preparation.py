"""Train one network by one recipe on different views of the same images, and compare.

Each variant is the job with other settings of ``sheets``, trained, its best epoch chosen on val, and measured on val
and test by the ordinary functions. Choose between variants by val; test is for the report. A run that is finished is
not trained again, so an interrupted comparison goes on.

    python scripts/compare_preparation.py configs/bench-viola.yaml --out runs/compare-viola
    python scripts/compare_preparation.py configs/bench-remp.yaml --out runs/compare-remp --only "whole image" plant
"""

from __future__ import annotations

import argparse
import csv
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from leafid.curation import assign_gatherings
from leafid.jobs import Job, load_job
from leafid.learning import Run, prepare_job, train
from leafid.sources import collect
from leafid.trust import evaluate

VARIANTS: dict[str, dict[str, object]] = {
    "whole image": {"views": {"image": 1}},
    "plant": {"views": {"plant": 1}},
    "plant, plain": {"views": {"plant": 1}, "background": "plain"},
    "plant, leaves": {"views": {"plant": 1, "leaves": 4}},
    "plant, leaves, plain": {"views": {"plant": 1, "leaves": 4}, "background": "plain"},
    "plant, tiles": {"views": {"plant": 1, "tiles": 4}},
    "plant, leaves, tiles": {"views": {"plant": 1, "leaves": 4, "tiles": 4}},
    "image, plant, leaves, tiles": {"views": {"image": 1, "plant": 1, "leaves": 4, "tiles": 4}},
}


def variant_of(job: Job, settings: dict[str, object]) -> Job:
    """Return the job with other settings of ``sheets``."""
    content = job.model_dump(mode="json")
    content["sheets"] |= settings
    return Job.model_validate(content)


@dataclass(frozen=True)
class Row:
    """One variant: macro-F1 on val and test, accuracy on test, and seconds."""

    views: str
    val: float
    test: float
    accuracy: float
    prepare_s: float
    train_s: float
    evaluate_s: float

    def __str__(self) -> str:
        """Return the line of the table."""
        figures = f"{self.views:30} {self.val:8.3f} {self.test:8.3f} {self.accuracy:8.3f}"
        return f"{figures} {self.prepare_s:7.0f} s {self.train_s:6.0f} s {self.evaluate_s:7.0f} s"


def measure(views: str, job: Job, folder: Path) -> Row:
    """Train a variant, or take the run that is there, and measure it."""
    started = time.perf_counter()
    prepare_job(job)
    prepared = time.perf_counter()
    finished = Run.is_there(folder) and Run.open(folder).info.state == "finished"
    run = Run.open(folder) if finished else train(job, run=folder, resume=Run.is_there(folder))
    trained = time.perf_counter()
    val, test = (evaluate(run.folder, on=part) for part in ("val", "test"))
    evaluated = time.perf_counter()
    train_s = trained - prepared
    if finished and run.info.ended is not None:
        train_s = (run.info.ended - run.info.started).total_seconds()
    # Figures are missing only where there are no images.
    return Row(
        views,
        val=val.macro_f1 or 0.0,
        test=test.macro_f1 or 0.0,
        accuracy=test.accuracy or 0.0,
        prepare_s=prepared - started,
        train_s=train_s,
        evaluate_s=evaluated - trained,
    )


def main() -> None:
    """Train the variants and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs and of comparison.csv")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    job = load_job(options.job, options.overrides)
    if not job.catalog_path.is_file():
        collect(job)
        assign_gatherings(job.catalog_path)
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    for name in options.only:
        folder = options.out / name.replace(", ", "-").replace(" ", "-")
        rows.append(measure(name, variant_of(job, VARIANTS[name]), folder))
        with (options.out / "comparison.csv").open("w", newline="", encoding="utf-8") as opened:
            table = csv.DictWriter(opened, fieldnames=[field.name for field in fields(Row)])
            table.writeheader()
            table.writerows(asdict(row) for row in rows)
    print(f"{'views':30} {'val F1':>8} {'test F1':>8} {'accuracy':>8} {'prepare':>9} {'train':>8} {'evaluate':>9}")
    print(*rows, sep="\n")


if __name__ == "__main__":
    main()
