"""What does each kind of view add? One network, frozen, one head fitted the same way, on different views of the images.

For every variant the features are computed once (and kept in the job's data folder). Then the head is fitted on train,
its shrinkage chosen on val, and measured on val and test; and again in five folds by gathering, where a quarter of each
fold's training part stands in for val. Choose between variants by val and folds; test is for the report.

    python scripts/ablate_views.py configs/bench-viola.yaml --out runs/ablate-viola
    python scripts/ablate_views.py configs/bench-remp.yaml --out runs/ablate-remp --only "whole image" "plant, leaves"

Writes ablation.csv (one row per variant) and per_taxon.csv (F1 of each taxon over the folds).
"""

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold

from leafid.catalog import image_paths
from leafid.curation import assign_gatherings, training_split
from leafid.jobs import Job, load_job
from leafid.learning.devices import choose_device, worker_count
from leafid.learning.preparing import fill_store, view_store
from leafid.learning.pretrained import start_network
from leafid.learning.probing import embeddings_of, fit_probe
from leafid.learning.samples import Samples
from leafid.sources import collect

FOLDS = 5

VARIANTS: dict[str, dict[str, object]] = {
    "whole image": {"views": {"image": 1}},
    "plant": {"views": {"plant": 1}},
    "plant, plain": {"views": {"plant": 1}, "background": "plain"},
    "leaves": {"views": {"leaves": 8}},
    "tiles": {"views": {"tiles": 12}},
    "plant, leaves": {"views": {"plant": 1, "leaves": 8}},
    "plant, tiles": {"views": {"plant": 1, "tiles": 12}},
    "plant, leaves, tiles": {"views": {"plant": 1, "leaves": 8, "tiles": 12}},
    "plant, leaves, tiles, plain": {"views": {"plant": 1, "leaves": 8, "tiles": 12}, "background": "plain"},
    "plant, leaves, tiles, grey": {"views": {"plant": 1, "leaves": 8, "tiles": 12}, "colour": "grey"},
    "image, plant, leaves, tiles": {"views": {"image": 1, "plant": 1, "leaves": 8, "tiles": 12}},
}


@dataclass(frozen=True)
class Row:
    """One variant: macro-F1 on val and test, over all folds and its spread between folds; seconds for its features."""

    views: str
    val: float
    test: float
    folds: float
    folds_sd: float
    seconds: float

    def __str__(self) -> str:
        """Return the line of the table."""
        folds = f"{self.folds:.3f} ± {self.folds_sd:.3f}"
        return f"{self.views:30} {self.val:8.3f} {self.test:8.3f} {folds:>16} {self.seconds:7.0f} s"


def variant_of(job: Job, settings: dict[str, object]) -> Job:
    """Return the job with other settings of ``sheets``."""
    content = job.model_dump(mode="json")
    content["sheets"] |= settings
    return Job.model_validate(content)


def measure(
    name: str, job: Job, split: pd.DataFrame, labels: NDArray[np.int64], taxa: int
) -> tuple[Row, NDArray[np.int64]]:
    """Measure a variant; return its row, and what the folds answered for each image (-1: in no fold)."""
    started = time.perf_counter()
    store = view_store(job, "none")
    fill_store(store, name, list(split["image_id"]), image_paths(split, job.catalog_path), job=job)
    network, _ = start_network(job.model, taxa)
    samples = Samples(store, list(split["image_id"]), list(labels), drawn=None, augmentation="none")
    embeddings = embeddings_of(
        network, samples, device=choose_device(job.training.device), workers=worker_count(job.training.workers)
    )
    seconds = time.perf_counter() - started
    part = {name: (split["split"] == name).to_numpy() for name in ("train", "val", "test")}

    def answers(train: NDArray[np.bool_], val: NDArray[np.bool_], asked: NDArray[np.bool_]) -> NDArray[np.int64]:
        probe = fit_probe((embeddings[train], labels[train]), (embeddings[val], labels[val]), taxa, balanced=True)
        return np.asarray((embeddings[asked] @ probe.weight.T + probe.bias).argmax(axis=1))

    val, test = (macro_f1(labels[part[on]], answers(part["train"], part["val"], part[on])) for on in ("val", "test"))
    groups = split["gathering_id"].fillna(split["image_id"])
    folded = np.full(len(split), -1)
    folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=job.seed).split(split, labels, groups))
    for number, (_, asked) in enumerate(folds):
        here, next_to_it = np.zeros((2, len(split)), dtype=bool)
        here[asked] = True
        next_to_it[folds[(number + 1) % FOLDS][1]] = True
        folded[here] = answers(~next_to_it & ~here, next_to_it, here)
    each = [macro_f1(labels[asked], folded[asked]) for _, asked in folds]
    return Row(name, val, test, macro_f1(labels, folded), float(np.std(each, ddof=1)), seconds), folded


def macro_f1(truth: NDArray[np.int64], answers: NDArray[np.int64]) -> float:
    """Return macro-F1 over the taxa in truth or answers."""
    return float(f1_score(truth, answers, average="macro", zero_division=0))


def main() -> None:
    """Measure the variants, print their table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for ablation.csv and per_taxon.csv")
    parser.add_argument("--only", nargs="+", choices=VARIANTS, default=list(VARIANTS), metavar="VARIANT")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    job = load_job(options.job, options.overrides)
    if not job.catalog_path.is_file():
        collect(job)
        assign_gatherings(job.catalog_path)
    curated = training_split(job)
    split, taxonomy = curated.split.reset_index(drop=True), curated.taxonomy
    labels = np.array(taxonomy.labels(list(split["scientificName"])), dtype=np.int64)
    options.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    by_taxon = pd.DataFrame({"taxon": taxonomy.names, "images": np.bincount(labels, minlength=len(taxonomy))})
    print(f"{'views':30} {'val F1':>8} {'test F1':>8} {'folds F1':>16} {'features':>9}", flush=True)
    for name in options.only:
        row, folded = measure(name, variant_of(job, VARIANTS[name]), split, labels, len(taxonomy))
        print(row, flush=True)
        rows.append(row)
        pd.DataFrame(rows).to_csv(options.out / "ablation.csv", index=False, float_format="%.4g")
        each = f1_score(labels, folded, labels=range(len(taxonomy)), average=None, zero_division=0)
        by_taxon[name] = np.round(each, 3)
        by_taxon.to_csv(options.out / "per_taxon.csv", index=False)


if __name__ == "__main__":
    main()
