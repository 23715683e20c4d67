"""Compare the OOD scores of leafid: AUROC between known and unknown taxa, and unknown images accepted at thresholds.

Known images are the test images of a run. Unknown images are those of a folder and, with --held-out, those of four of
the job's taxa in each of three rotations. The probe is then fitted again without the held-out taxa, in closed form and
without augmented copies. A fine-tuned network has seen them, so use the run of a probe. Thresholds are fitted as in
`leafid train`: on train and val, each image scored without its own fold.

    python scripts/measure_ood_scores.py runs/bench-remp --unknown ../shared/sheets/unknown_species --held-out
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from leafid.bundle import read_bundle
from leafid.images import IMAGE_EXTENSIONS
from leafid.jobs import OodScore
from leafid.learning import (
    LabelledEmbeddings,
    Network,
    Run,
    blocked_folds,
    build_network,
    choose_device,
    has_others_outside_fold,
    load_network,
    out_of_fold_logits,
    predict_files,
    train_val_embeddings,
    train_val_rows,
)
from leafid.learning.linear_probe.probe import fit_probe_head
from leafid.trust.ood import (
    TrainingFeatures,
    acceptance_threshold,
    ood_scores,
    out_of_fold_ood_scores,
)

HELD_OUT, ROTATIONS, ACCEPTED = 4, 3, 0.95


@dataclass(frozen=True)
class Embedded:
    """Rows of images (N) with their embeddings (N, F)."""

    rows: pd.DataFrame
    features: NDArray[np.float32]

    def where(self, mask: NDArray[np.bool_]) -> Embedded:
        """Return the images that a mask (N,) selects."""
        return Embedded(self.rows[mask].reset_index(drop=True), self.features[mask])

    def labels(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the labels (N,): indices into ``names``."""
        return np.array([names.index(name) for name in self.rows["scientificName"]], dtype=np.int64)


def embed(network: Network, run: Run, rows: pd.DataFrame, files: list[Path], cache: Path) -> Embedded:
    """Return the embeddings of images, cached in a file; images that cannot be read are left out."""
    if not cache.is_file():
        output = predict_files(network, files, run.job.sheets, device=choose_device("auto"))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, output.embeddings)
    features = np.load(cache)
    return Embedded(rows.reset_index(drop=True), features).where(~np.isnan(features).any(axis=1))


def fit_probe(network: Network, train: Embedded, val: Embedded, names: Sequence[str]) -> tuple[Network, float]:
    """Return a network whose head is a probe of these images, and its shrinkage; its backbone is not used."""
    parts = [LabelledEmbeddings(part.features, part.labels(names)) for part in (train, val)]
    probe = fit_probe_head(parts[0], parts[1], len(names), balanced=True)
    refitted = build_network(network.spec, len(names)).eval()
    probe.load_into(refitted)
    return refitted, probe.shrinkage


def logits_of(network: Network, images: Embedded) -> NDArray[np.float32]:
    """Return the logits (N, T) of the head."""
    with torch.inference_mode():
        return np.asarray(network.last_linear(torch.from_numpy(images.features)).numpy(), dtype=np.float32)


def unknown_table(
    network: Network, shrinkage: float, fitting: Embedded, known: Embedded, unknown: Embedded, names: Sequence[str]
) -> pd.DataFrame:
    """Return AUROC and accepted shares per score; thresholds accept 95 % of known test images, or of train and val."""
    labels, gatherings = fitting.labels(names), list(fitting.rows["gathering_id"])
    folds = blocked_folds(labels, gatherings)
    usable, is_train = has_others_outside_fold(labels, folds), (fitting.rows["split"] == "train").to_numpy()
    logits = out_of_fold_logits(
        network, LabelledEmbeddings(fitting.features, labels), is_train, None, folds, shrinkage=shrinkage, balanced=True
    )
    if logits is None:
        raise SystemExit("Too few images to fit a probe without one fold: use a run with more images per taxon.")
    training = TrainingFeatures.of(fitting.features, labels)
    rows = {}
    for score in get_args(OodScore):
        of_known, of_unknown = (
            ood_scores(score, logits_of(network, one), one.features, training) for one in (known, unknown)
        )
        out_of_fold = out_of_fold_ood_scores(score, logits, fitting.features, labels, folds)[usable]
        threshold = acceptance_threshold(
            out_of_fold, [one for one, is_usable in zip(gatherings, usable, strict=True) if is_usable], ACCEPTED
        )
        rows[score] = {
            "AUROC": auroc(of_known, of_unknown),
            "unknown accepted at 95 % of known": (of_unknown <= np.quantile(of_known, ACCEPTED)).mean(),
            "unknown accepted, fitted threshold": (of_unknown <= threshold).mean(),
            "known accepted, fitted threshold": (of_known <= threshold).mean(),
        }
    return pd.DataFrame(rows).T


def auroc(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    """Return the probability that an unknown image has a higher OOD score than a known one."""
    from sklearn.metrics import roc_auc_score

    truth = np.concatenate([np.zeros(len(known)), np.ones(len(unknown))])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


def held_out_tables(network: Network, fitting: Embedded, test: Embedded, names: Sequence[str]) -> list[pd.DataFrame]:
    """Hold out four taxa in each of three rotations, and fit a probe to the others."""
    tables = []
    for rotation in range(ROTATIONS):
        held_out = {names[(rotation * 5 + index) % len(names)] for index in range(HELD_OUT)}
        kept = [name for name in names if name not in held_out]
        known = fitting.where(~fitting.rows["scientificName"].isin(held_out).to_numpy())
        train, val = (known.where((known.rows["split"] == part).to_numpy()) for part in ("train", "val"))
        probe, shrinkage = fit_probe(network, train, val, kept)
        unknown = test.rows["scientificName"].isin(held_out).to_numpy()
        tables.append(unknown_table(probe, shrinkage, known, test.where(~unknown), test.where(unknown), kept))
        print(f"\nheld out: {', '.join(sorted(held_out))}")
        print(tables[-1].round(3).to_string())
    return tables


def main() -> None:
    """Measure the scores and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="finished run of a probe")
    parser.add_argument("--unknown", type=Path, help="folder with images of other species")
    parser.add_argument("--held-out", action="store_true", help="also hold out taxa of the job")
    parser.add_argument("--cache", type=Path, default=Path("runs/measure-ood-scores"), help="folder for embeddings")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    bundle = read_bundle(run.bundle_folder)
    names, network, split = bundle.info.taxonomy.names, load_network(bundle), run.split
    cache, weights = arguments.cache / run.job.name, bundle.info.weights_sha256[:12]
    embeddings = train_val_embeddings(run, network, device=choose_device("auto")).embeddings
    fitting = Embedded(train_val_rows(run), embeddings)
    rows = split[split["split"] == "test"]
    test = embed(network, run, rows, run.image_paths(rows), cache / f"test-{weights}.npy")
    right = logits_of(network, test).argmax(axis=1) == test.labels(names)
    print(f"{bundle.info.identifier}: accuracy on test {right.mean():.3f}")
    if arguments.unknown:
        files = sorted(path for path in arguments.unknown.rglob("*") if path.suffix.lower() in IMAGE_EXTENSIONS)
        unknown = embed(network, run, pd.DataFrame({"path": files}), files, cache / f"unknown-{weights}.npy")
        print(f"\nknown: {len(test.rows)} test images; unknown: {len(unknown.rows)} images of {arguments.unknown.name}")
        train, val = (fitting.where((fitting.rows["split"] == part).to_numpy()) for part in ("train", "val"))
        probe, shrinkage = fit_probe(network, train, val, names)
        print(unknown_table(probe, shrinkage, fitting, test, unknown, names).round(3).to_string())
    if arguments.held_out:
        tables = held_out_tables(network, fitting, test, names)
        print(f"\nheld-out taxa, mean of {len(tables)} rotations")
        print((sum(tables[1:], tables[0]) / len(tables)).round(3).to_string())


if __name__ == "__main__":
    main()
