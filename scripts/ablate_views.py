"""Ablate the views: measure a linear probe on every combination of the kinds of views of a job.

The network is frozen. Its features of all views are computed once for each condition (background and colour) and stored
in --out; each combination of kinds then takes seconds. The head is fitted on train, its shrinkage chosen on val, and
macro-F1 measured on val and test. The same is done in five folds by gathering, without the test images: the next fold
chooses the shrinkage, and the head is fitted on all four others. The head also learns from augmented copies where the
job has them (`training.probe_augmented_copies`); each copy takes as long as the images themselves. Choose between
variants by val and folds; report test.

    python scripts/ablate_views.py configs/bench-viola.yaml --out runs/ablate-viola
    python scripts/ablate_views.py configs/bench-remp.yaml --out runs/ablate-remp \
        --set training.probe_augmented_copies=0

Writes ablation.csv (one row per variant) and per_taxon.csv (F1 of each taxon in the folds).
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from torch.utils.data import DataLoader

from leafid.catalog import image_paths
from leafid.curation import assign_gatherings, training_split
from leafid.jobs import Job, load_job, with_settings
from leafid.learning.data.bags import KINDS
from leafid.learning.data.prepare import fill_store, view_store
from leafid.learning.data.samples import AugmentedCopy, ImageDataset, collate
from leafid.learning.devices import choose_device, worker_count
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.folds import blocked_folds
from leafid.learning.linear_probe.lda import LinearHead, ShrunkLda
from leafid.learning.linear_probe.probe import LinearProbe, fit_probe_head
from leafid.learning.models.attention_pooling import AttentionPooling
from leafid.learning.models.batch_norm_fusion import fuse_batch_norm
from leafid.learning.models.pretrained_weights import initialize_network
from leafid.progress import progress_bar
from leafid.sheets import CropKind
from leafid.sources import collect

FOLDS = 5

CONDITIONS: dict[str, dict[str, object]] = {
    "original": {},
    "white": {"sheets.background": "plain"},
    "grey": {"sheets.colour": "grey"},
}
IMAGE, PLANT, LEAF, TILE, VEINS = CropKind.IMAGE, CropKind.PLANT, CropKind.LEAF, CropKind.TILE, CropKind.VEINS
SUBSETS = (
    *((kind,) for kind in KINDS),
    (PLANT, LEAF),
    (PLANT, TILE),
    (LEAF, TILE),
    (LEAF, VEINS),
    (PLANT, LEAF, TILE),
    (IMAGE, PLANT, LEAF, TILE),
    (PLANT, LEAF, TILE, VEINS),
    KINDS,
)


@dataclass(frozen=True)
class Row:
    """One variant: macro-F1 on val, on test and over all folds, and its standard deviation between folds."""

    views: str
    condition: str
    val: float
    test: float
    folds: float
    folds_sd: float

    def __str__(self) -> str:
        """Return the row as a line of text."""
        folds = f"{self.folds:.3f} ± {self.folds_sd:.3f}"
        return f"{self.views:32} {self.condition:10} {self.val:8.3f} {self.test:8.3f} {folds:>16}"


@dataclass(frozen=True)
class Features:
    """Features of all views (V, F), the image index of each (V,) and its kind, an index into ``KINDS`` (V,)."""

    values: torch.Tensor
    owners: torch.Tensor
    kinds: torch.Tensor

    def pooled(self, subset: tuple[CropKind, ...], images: int, pooling: AttentionPooling) -> NDArray[np.float32]:
        """Return embeddings (N, F) from these kinds of views; images without such views use the whole image."""
        selected = torch.isin(self.kinds, torch.tensor([KINDS.index(kind) for kind in subset]))
        has_view = torch.zeros(images, dtype=torch.bool).index_fill(0, self.owners[selected], True)
        selected |= ~has_view[self.owners] & (self.kinds == KINDS.index(IMAGE))
        with torch.inference_mode():
            pooled, _ = pooling(self.values[selected], self.owners[selected], self.kinds[selected], images)
        embeddings: NDArray[np.float32] = pooled.numpy()
        return embeddings


def compute_features(job: Job, split: pd.DataFrame, condition: str, number: int, folder: Path) -> Features:
    """Return the features of all views of an augmented copy (0: unchanged images); the folder caches them."""
    strength = job.training.augmentation if number else "none"  # as training prepares them for the probe
    store = view_store(job, strength)
    path = folder / f"features {store.folder.name}, {strength}, {number}.pt"
    if path.is_file():
        return Features(**torch.load(path, weights_only=True))
    ids = list(split["image_id"])
    fill_store(store, condition, ids, image_paths(split, job.catalog_path), job=job)
    samples = ImageDataset(
        store,
        ids,
        [0] * len(ids),
        drawn=None,
        augmentation=strength,
        copy=AugmentedCopy(number, job.seed) if number else None,
    )
    device = choose_device(job.training.device)
    network = fuse_batch_norm(initialize_network(job.model, 2)[0], device)
    loader = DataLoader(samples, 8, collate_fn=collate, num_workers=worker_count(job.training.workers))
    values, owners, kinds = [], [], []
    done = 0
    with torch.inference_mode(), progress_bar("Features") as on_progress:
        for batch in loader:
            for pixels, its_owners, its_kinds in zip(
                batch.bags.pixels, batch.bags.image_index, batch.bags.kinds, strict=True
            ):
                values.append(network.features_in_chunks(pixels.to(device)).float().cpu())
                owners.append(its_owners + done)
                kinds.append(its_kinds)
            done += batch.bags.images
            on_progress(done, len(ids))
    features = Features(torch.cat(values), torch.cat(owners), torch.cat(kinds))
    torch.save(vars(features), path)
    return features


def measure(
    embeddings: NDArray[np.float32],
    copies: list[NDArray[np.float32]],
    split: pd.DataFrame,
    labels: NDArray[np.int64],
    taxa: int,
) -> tuple[dict[str, float], NDArray[np.int64]]:
    """Return the scores of a ``Row``, and the label that the folds predict for each image (N); -1 for test images.

    Embeddings and each of the copies have the shape (N, F).
    """
    images = LabelledEmbeddings(embeddings, labels)
    part = {name: (split["split"] == name).to_numpy() for name in ("train", "val", "test")}

    def copies_of(train: NDArray[np.bool_]) -> LabelledEmbeddings | None:
        if not copies:
            return None
        return LabelledEmbeddings(np.concatenate([copy[train] for copy in copies]), np.tile(labels[train], len(copies)))

    def probe(train: NDArray[np.bool_], val: NDArray[np.bool_]) -> LinearProbe:
        return fit_probe_head(images.subset(train), images.subset(val), taxa, balanced=True, copies=copies_of(train))

    def predict(head: LinearHead, selected: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.asarray(head.logits(embeddings[selected]).argmax(axis=1))

    head = probe(part["train"], part["val"]).head
    val, test = (macro_f1(labels[part[on]], predict(head, part[on])) for on in ("val", "test"))
    groups = split["gathering_id"].fillna(split["image_id"]).to_numpy(dtype=str)
    used = ~part["test"]
    fold_of = np.full(len(split), -1)
    fold_of[used] = blocked_folds(labels[used], groups[used].tolist(), FOLDS)
    predicted = np.full(len(split), -1)
    for number in range(FOLDS):
        held_out, choosing = fold_of == number, fold_of == (number + 1) % FOLDS
        others = used & ~held_out
        shrinkage = probe(others & ~choosing, choosing).shrinkage
        lda = ShrunkLda(images.subset(others).concatenate(copies_of(others)), taxa, balanced=True)
        predicted[held_out] = predict(lda.head(shrinkage), held_out)
    scores = [macro_f1(labels[fold_of == number], predicted[fold_of == number]) for number in range(FOLDS)]
    folds = macro_f1(labels[used], predicted[used])
    return {"val": val, "test": test, "folds": folds, "folds_sd": float(np.std(scores, ddof=1))}, predicted


def macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return macro-F1 over the taxa in truth or predictions."""
    return float(f1_score(truth, predicted, average="macro", zero_division=0))


def main() -> None:
    """Measure all variants, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for features, ablation.csv and per_taxon.csv")
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS), help="default: all")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="kinds of views (default: all)")
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
    pooling = initialize_network(job.model, 2)[0].pooling
    rows: list[Row] = []
    by_taxon = pd.DataFrame({"taxon": taxonomy.names, "images": np.bincount(labels, minlength=len(taxonomy))})
    print(f"{'views':32} {'condition':10} {'val F1':>8} {'test F1':>8} {'folds F1':>16}", flush=True)
    for condition in options.conditions:
        veins = max(1, job.sheets.views.leaves) if VEINS in options.kinds else 0
        variant = with_settings(job, {"sheets.views.image": 1, "sheets.views.veins": veins} | CONDITIONS[condition])
        last = 0 if job.training.augmentation == "none" else job.training.probe_augmented_copies
        original, *augmented = (
            compute_features(variant, split, condition, number, options.out) for number in range(1 + last)
        )
        for subset in SUBSETS:
            if not set(subset) <= set(options.kinds):
                continue
            name = ", ".join(subset)
            embeddings = original.pooled(subset, len(split), pooling)
            copies = [features.pooled(subset, len(split), pooling) for features in augmented]
            scores, predicted = measure(embeddings, copies, split, labels, len(taxonomy))
            rows.append(Row(name, condition, **scores))
            print(rows[-1], flush=True)
            pd.DataFrame(rows).to_csv(options.out / "ablation.csv", index=False, float_format="%.4g")
            in_folds = predicted >= 0
            f1 = f1_score(
                labels[in_folds], predicted[in_folds], labels=range(len(taxonomy)), average=None, zero_division=0
            )
            by_taxon[f"{name} ({condition})"] = np.round(f1, 3)
            by_taxon.to_csv(options.out / "per_taxon.csv", index=False)


if __name__ == "__main__":
    main()
