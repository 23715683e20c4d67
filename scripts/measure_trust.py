"""Compare ways to tell the unknown, on the real network with all its views.

Known are the test images of a run; unknown are the images of a folder, and then, three times over, four of the job's
own taxa that were held out. The probe is fitted again without them, in closed form and without augmented copies; a
fine-tuned network has seen them, so that only a probe's run says something about held-out taxa. Limits rest on train
and val, each image judged without its own fold, as `leafid train` fits them.

    python scripts/measure_trust.py runs/bench-remp --unknown ../shared/sheets/unknown_species --held-out
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
from leafid.images import IMAGE_ENDINGS
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
    predict_split,
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
class Seen:
    """Images: their rows (N), and the embeddings (N, F) that a network has of them."""

    rows: pd.DataFrame
    features: NDArray[np.float32]

    def where(self, chosen: NDArray[np.bool_]) -> Seen:
        """Return some of the images."""
        return Seen(self.rows[chosen].reset_index(drop=True), self.features[chosen])

    def labels(self, names: Sequence[str]) -> NDArray[np.int64]:
        """Return the labels (N,) of the images among these names."""
        return np.array([names.index(name) for name in self.rows["scientificName"]], dtype=np.int64)


def seen(network: Network, run: Run, rows: pd.DataFrame, files: list[Path], cache: Path) -> Seen:
    """Ask a network about images, once; those that cannot be read are left out."""
    if not cache.is_file():
        answers = predict_files(network, files, run.job.sheets, device=choose_device("auto"))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, answers.embeddings)
    features = np.load(cache)
    return Seen(rows.reset_index(drop=True), features).where(~np.isnan(features).any(axis=1))


def fitted_to(network: Network, train: Seen, val: Seen, names: Sequence[str]) -> tuple[Network, float]:
    """Return a network whose head is the probe of these images, and its shrinkage; its backbone is not used."""
    parts = [LabelledEmbeddings(part.features, part.labels(names)) for part in (train, val)]
    probe = fit_probe_head(parts[0], parts[1], len(names), balanced=True)
    other = build_network(network.spec, len(names)).eval()
    probe.load_into(other)
    return other, probe.shrinkage


def logits_of(network: Network, images: Seen) -> NDArray[np.float32]:
    """Return the logits (N, T) that the head gives."""
    with torch.inference_mode():
        return np.asarray(network.last_linear(torch.from_numpy(images.features)).numpy(), dtype=np.float32)


def unknown_table(
    network: Network, shrinkage: float, every: Seen, known: Seen, unknown: Seen, names: Sequence[str]
) -> pd.DataFrame:
    """Compare the scores: AUROC, and what the limits accept that accept 95 % of the test, or of train and val."""
    labels, gatherings = every.labels(names), list(every.rows["gathering_id"])
    folds = blocked_folds(labels, gatherings)
    there, is_train = has_others_outside_fold(labels, folds), (every.rows["split"] == "train").to_numpy()
    logits = out_of_fold_logits(
        network, LabelledEmbeddings(every.features, labels), is_train, None, folds, shrinkage=shrinkage, balanced=True
    )
    if logits is None:
        raise SystemExit("Too few images for a probe without a fold.")
    training = TrainingFeatures.of(every.features, labels)
    rows = {}
    for score in get_args(OodScore):
        of_known, of_unknown = (
            ood_scores(score, logits_of(network, one), one.features, training) for one in (known, unknown)
        )
        fitting = out_of_fold_ood_scores(score, logits, every.features, labels, folds)[there]
        limit = acceptance_threshold(
            fitting, [one for one, is_there in zip(gatherings, there, strict=True) if is_there], ACCEPTED
        )
        rows[score] = {
            "AUROC": auroc(of_known, of_unknown),
            "unknown accepted at 95 % of known": (of_unknown <= np.quantile(of_known, ACCEPTED)).mean(),
            "unknown accepted, fitted limit": (of_unknown <= limit).mean(),
            "known accepted, fitted limit": (of_known <= limit).mean(),
        }
    return pd.DataFrame(rows).T


def auroc(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    """Return the probability that an unknown image has a higher OOD score than a known one."""
    from sklearn.metrics import roc_auc_score

    truth = np.concatenate([np.zeros(len(known)), np.ones(len(unknown))])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


def held_out_tables(network: Network, every: Seen, test: Seen, names: Sequence[str]) -> list[pd.DataFrame]:
    """Hold four taxa out, three times: a probe is fitted to the others."""
    tables = []
    for rotation in range(ROTATIONS):
        out = {names[(rotation * 5 + place) % len(names)] for place in range(HELD_OUT)}
        kept = [name for name in names if name not in out]
        known = every.where(~every.rows["scientificName"].isin(out).to_numpy())
        train, val = (known.where((known.rows["split"] == part).to_numpy()) for part in ("train", "val"))
        other, shrinkage = fitted_to(network, train, val, kept)
        strange = test.rows["scientificName"].isin(out).to_numpy()
        tables.append(unknown_table(other, shrinkage, known, test.where(~strange), test.where(strange), kept))
        print(f"\nheld out: {', '.join(sorted(out))}")
        print(tables[-1].round(3).to_string())
    return tables


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a finished run of a probe")
    parser.add_argument("--unknown", type=Path, help="folder with images of other species")
    parser.add_argument("--held-out", action="store_true", help="also hold taxa out")
    parser.add_argument("--cache", type=Path, default=Path("runs/measure-trust"), help="folder for features")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    bundle = read_bundle(run.bundle_folder)
    names, network, split = bundle.info.taxonomy.names, load_network(bundle), run.split
    cache, weights = arguments.cache / run.job.name, bundle.info.weights_sha256[:12]
    parts = [predict_split(run, part, network, device=choose_device("auto")).embeddings for part in ("train", "val")]
    rows = pd.concat([split[split["split"] == part] for part in ("train", "val")])
    order = np.argsort(rows.index, kind="stable")
    every = Seen(rows.iloc[order].reset_index(drop=True), np.concatenate(parts)[order])
    rows = split[split["split"] == "test"]
    test = seen(network, run, rows, run.image_paths(rows), cache / f"test-{weights}.npy")
    right = logits_of(network, test).argmax(axis=1) == test.labels(names)
    print(f"{bundle.info.identifier}: accuracy on test {right.mean():.3f}")
    if arguments.unknown:
        files = sorted(path for path in arguments.unknown.rglob("*") if path.suffix.lower() in IMAGE_ENDINGS)
        strange = seen(network, run, pd.DataFrame({"path": files}), files, cache / f"unknown-{weights}.npy")
        print(f"\nknown: {len(test.rows)} test images; unknown: {len(strange.rows)} images of {arguments.unknown.name}")
        train, val = (every.where((every.rows["split"] == part).to_numpy()) for part in ("train", "val"))
        probe, shrinkage = fitted_to(network, train, val, names)
        print(unknown_table(probe, shrinkage, every, test, strange, names).round(3).to_string())
    if arguments.held_out:
        tables = held_out_tables(network, every, test, names)
        print(f"\nheld-out taxa, mean of {len(tables)} rotations")
        print((sum(tables[1:], tables[0]) / len(tables)).round(3).to_string())


if __name__ == "__main__":
    main()
