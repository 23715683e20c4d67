"""What does each kind of view add? One network, frozen, one head fitted the same way, on different views of the images.

The features of all views are computed once for each background and colour (and kept in --out); the variants are then a
matter of seconds. The head is fitted on train, its shrinkage chosen on val, and measured on val and test; and again in
five folds by gathering: the shrinkage of each is chosen on the next fold, the head then fitted on all four others. The
head learns from augmented copies, too, where the job has them (`training.probe_augmented_copies`); each takes as long.
Choose between variants by val and folds; test is for the report.

    python scripts/ablate_views.py configs/bench-viola.yaml --out runs/ablate-viola
    python scripts/ablate_views.py configs/bench-remp.yaml --out runs/ablate-remp \
        --set training.probe_augmented_copies=0

Writes ablation.csv (one row per variant) and per_taxon.csv (F1 of each taxon over the folds).
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from torch.utils.data import DataLoader

from leafid.catalog import image_paths
from leafid.curation import assign_gatherings, training_split
from leafid.jobs import Job, load_job, with_settings
from leafid.learning.data.bags import KINDS
from leafid.learning.data.prepare import fill_store, view_store
from leafid.learning.data.samples import AugmentedCopy, ImageDataset, collate
from leafid.learning.devices import choose_device, worker_count
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.lda import LinearHead, ShrunkLda
from leafid.learning.linear_probe.probe import LinearProbe, fit_probe_head
from leafid.learning.models.attention_pooling import AttentionPooling
from leafid.learning.models.batch_norm_fusion import fuse_batch_norm
from leafid.learning.models.pretrained_weights import initialize_network
from leafid.progress import progress_bar
from leafid.sheets import CropKind
from leafid.sources import collect

FOLDS = 5

LOOKS: dict[str, dict[str, object]] = {
    "as it is": {},
    "background plain": {"sheets.background": "plain"},
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
    """One variant: macro-F1 on val and test, over all folds, and its spread between folds."""

    views: str
    look: str
    val: float
    test: float
    folds: float
    folds_sd: float

    def __str__(self) -> str:
        """Return the line of the table."""
        folds = f"{self.folds:.3f} ± {self.folds_sd:.3f}"
        return f"{self.views:32} {self.look:18} {self.val:8.3f} {self.test:8.3f} {folds:>16}"


@dataclass(frozen=True)
class Features:
    """Features of all views (V, F), the image of each (V,) and what it shows, an index into ``KINDS`` (V,)."""

    values: torch.Tensor
    owners: torch.Tensor
    kinds: torch.Tensor

    def pooled(self, subset: tuple[CropKind, ...], images: int, pooling: AttentionPooling) -> NDArray[np.float32]:
        """Return embeddings (N, F) by these kinds of views; where an image has none of them, by the whole image."""
        wanted = torch.isin(self.kinds, torch.tensor([KINDS.index(kind) for kind in subset]))
        seen = torch.zeros(images, dtype=torch.bool).index_fill(0, self.owners[wanted], True)
        wanted |= ~seen[self.owners] & (self.kinds == KINDS.index(IMAGE))
        with torch.inference_mode():
            pooled, _ = pooling(self.values[wanted], self.owners[wanted], self.kinds[wanted], images)
        embeddings: NDArray[np.float32] = pooled.numpy()
        return embeddings


def features_of(job: Job, split: pd.DataFrame, look: str, number: int, folder: Path) -> Features:
    """Compute the features of all views of the copy of this number or, 0, as they are; they are kept in the folder."""
    strength = job.training.augmentation if number else "none"  # as the probe of a training has them
    store = view_store(job, strength)
    path = folder / f"features {store.folder.name}, {strength}, {number}.pt"
    if path.is_file():
        return Features(**torch.load(path, weights_only=True))
    ids = list(split["image_id"])
    fill_store(store, look, ids, image_paths(split, job.catalog_path), job=job)
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
    seed: int,
) -> tuple[dict[str, float], NDArray[np.int64]]:
    """Return the scores of a ``Row``, and what the folds answered for each image (N); embeddings and copies (N, F)."""
    images = LabelledEmbeddings(embeddings, labels)
    part = {name: (split["split"] == name).to_numpy() for name in ("train", "val", "test")}

    def copied(train: NDArray[np.bool_]) -> LabelledEmbeddings | None:
        if not copies:
            return None
        return LabelledEmbeddings(np.concatenate([copy[train] for copy in copies]), np.tile(labels[train], len(copies)))

    def probe(train: NDArray[np.bool_], val: NDArray[np.bool_]) -> LinearProbe:
        return fit_probe_head(images.subset(train), images.subset(val), taxa, balanced=True, copies=copied(train))

    def answers(head: LinearHead, asked: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.asarray(head.logits(embeddings[asked]).argmax(axis=1))

    head = probe(part["train"], part["val"]).head
    val, test = (macro_f1(labels[part[on]], answers(head, part[on])) for on in ("val", "test"))
    groups = split["gathering_id"].fillna(split["image_id"])
    folded = np.full(len(split), -1)
    folds = list(StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed).split(split, labels, groups))
    for number, (_, asked) in enumerate(folds):
        here, next_to_it = np.zeros((2, len(split)), dtype=bool)
        here[asked] = True
        next_to_it[folds[(number + 1) % FOLDS][1]] = True
        shrinkage = probe(~next_to_it & ~here, next_to_it).shrinkage
        lda = ShrunkLda(images.subset(~here).concatenate(copied(~here)), taxa, balanced=True)
        folded[here] = answers(lda.head(shrinkage), here)
    spread = float(np.std([macro_f1(labels[asked], folded[asked]) for _, asked in folds], ddof=1))
    return {"val": val, "test": test, "folds": macro_f1(labels, folded), "folds_sd": spread}, folded


def macro_f1(truth: NDArray[np.int64], answers: NDArray[np.int64]) -> float:
    """Return macro-F1 over the taxa in truth or answers."""
    return float(f1_score(truth, answers, average="macro", zero_division=0))


def main() -> None:
    """Measure the variants, print their table and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for features, ablation.csv and per_taxon.csv")
    parser.add_argument("--looks", nargs="+", choices=LOOKS, default=list(LOOKS))
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="views to look at (all)")
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
    print(f"{'views':32} {'look':18} {'val F1':>8} {'test F1':>8} {'folds F1':>16}", flush=True)
    for look in options.looks:
        veins = max(1, job.sheets.views.leaves) if VEINS in options.kinds else 0
        looked = with_settings(job, {"sheets.views.image": 1, "sheets.views.veins": veins} | LOOKS[look])
        last = 0 if job.training.augmentation == "none" else job.training.probe_augmented_copies
        plain, *copied = (features_of(looked, split, look, number, options.out) for number in range(1 + last))
        for subset in SUBSETS:
            if not set(subset) <= set(options.kinds):
                continue
            name = ", ".join(subset)
            embeddings = plain.pooled(subset, len(split), pooling)
            copies = [features.pooled(subset, len(split), pooling) for features in copied]
            scores, folded = measure(embeddings, copies, split, labels, len(taxonomy), job.seed)
            rows.append(Row(name, look, **scores))
            print(rows[-1], flush=True)
            pd.DataFrame(rows).to_csv(options.out / "ablation.csv", index=False, float_format="%.4g")
            each = f1_score(labels, folded, labels=range(len(taxonomy)), average=None, zero_division=0)
            by_taxon[f"{name} ({look})"] = np.round(each, 3)
            by_taxon.to_csv(options.out / "per_taxon.csv", index=False)


if __name__ == "__main__":
    main()
