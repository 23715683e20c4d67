"""Compare OOD scores: how well do they tell unknown taxa from known ones, and what do fitted limits accept?

All scores see the same probe, fitted as by `leafid train` to train and val, but without augmented copies. A fine-tuned
network has seen the taxa that are left out, so use the run of a probe. Limits are fitted as by `leafid train`.

--left-out      each taxon in turn is left out of train and val; known images are train and val out of fold. No test
                image is used: this table may choose the default of `trust.ood_score`.
--look-alikes   four taxa in each of three rotations are left out; known and unknown images are test images.
--unknown       all taxa are known; unknown images are those of a folder, known ones are test images.

    python scripts/measure_ood_scores.py runs/bench-remp --left-out --look-alikes --unknown ../shared/photos/field
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leafid.bundle import Calibration, read_bundle
from leafid.images import IMAGE_EXTENSIONS
from leafid.jobs import OodScore
from leafid.learning import (
    LabelledEmbeddings,
    Network,
    Run,
    choose_device,
    has_others_outside_fold,
    held_out_folds,
    load_network,
    predict_files,
    series_stretches,
    train_val_embeddings,
    train_val_rows,
)
from leafid.learning.linear_probe.held_out import choose, held_out_logits, leave_out_folds
from leafid.learning.linear_probe.lda import ShrunkLda
from leafid.trust.calibrate import OOD_BLOCKS
from leafid.trust.calibration import CalibrationSet
from leafid.trust.nuisance import nuisance_directions
from leafid.trust.ood import (
    acceptance_threshold,
    combined_scores,
    fit_ood_detector,
    ood_scores,
    part_scores,
    parts_of,
)
from leafid.trust.training_features import TrainingFeatures, l2_normalise

HELD_OUT, ROTATIONS, ACCEPTED = 4, 3, 0.95
VIM_AXES = 0.5
"""Share of the principal axes of the training images that span the subspace of ViM."""


Scores = dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Embedded:
    """Rows of images (N) with their embeddings (N, F); ``nuisance`` (F, K): directions that distances leave out."""

    rows: pd.DataFrame
    features: NDArray[np.float32]
    nuisance: NDArray[np.float32] | None = None

    def where(self, mask: NDArray[np.bool_]) -> Embedded:
        """Return the images that a mask (N,) selects."""
        return replace(self, rows=self.rows[mask].reset_index(drop=True), features=self.features[mask])

    def of_taxa(self, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return the mask (N,) of the images of these taxa."""
        return np.asarray(self.rows["scientificName"].isin(names), dtype=bool)


class Fitted:
    """A probe of known taxa, and for each score the limit that accepts 95 % of their images out of fold.

    Attributes:
        known: scores (N,) of the images out of fold.
        limits: of the scores.
    """

    def __init__(self, images: Embedded) -> None:
        names = sorted(set(images.rows["scientificName"]))
        labels = np.array([names.index(name) for name in images.rows["scientificName"]], dtype=np.int64)
        gatherings = np.asarray(images.rows["gathering_id"], dtype=str)
        domains = list(images.rows["domain"])
        folds = held_out_folds(labels, gatherings.tolist(), domains)
        ood_folds = held_out_folds(labels, gatherings.tolist(), domains, blocks=OOD_BLOCKS)
        labelled = LabelledEmbeddings(images.features, labels)
        left_out = partial(leave_out_folds, labelled, len(names), balanced=True, copies=None, folds=folds)
        chosen, temperature = choose(left_out())
        lda = ShrunkLda(labelled, len(names), balanced=True)
        self.head = lda.head(chosen.shrinkage, scatter=chosen.scatter).scaled(1 / temperature)
        self.training = TrainingFeatures.of(images.features, labels, images.nuisance)
        (held_out,) = held_out_logits(left_out(), (chosen.shrinkage,))
        logits = np.empty_like(held_out.logits)
        logits[np.argsort(folds, kind="stable")] = held_out.logits / temperature
        usable = has_others_outside_fold(labels, folds)
        known = CalibrationSet(logits[usable], labels[usable], gatherings[usable].tolist(), "train and val")
        stretches = series_stretches(labels[usable], ood_folds[usable], gatherings[usable].tolist())
        outside = np.empty(len(labels))
        singles = {score: np.empty(len(labels)) for score in get_args(OodScore) if score != "combined"}
        for fold in np.unique(ood_folds):
            left = ood_folds == fold
            others = TrainingFeatures.of(images.features[~left], labels[~left], images.nuisance)
            outside[left] = distance_to_subspace(images.features[left], others)
            for score, values in singles.items():
                values[left] = part_scores((score,), logits[left], images.features[left], others)[score]
        self.detectors, self.known = {}, {}
        for score in get_args(OodScore):
            parts = {part: singles[part][usable] for part in parts_of(score)}
            self.detectors[score] = fit_ood_detector(score, parts, known, ACCEPTED, stretches=stretches)
            self.known[str(score)] = combined_scores(self.detectors[score].parts, parts)
        self.limits = {str(score): detector.threshold for score, detector in self.detectors.items()}
        self.vim_factor = logits.max(axis=1).mean() / outside.mean()
        self.known["vim"] = (self.vim_factor * outside - log_sum_exp(logits))[usable]
        self.limits["vim"] = acceptance_threshold(self.known["vim"], known.gatherings, ACCEPTED, stretches=stretches)

    def scores(self, images: Embedded) -> Scores:
        """Return every score of images (N,)."""
        logits = self.head.logits(images.features)
        found = {
            str(score): ood_scores(detector, Calibration(), logits, images.features, self.training)
            for score, detector in self.detectors.items()
        }
        outside = distance_to_subspace(images.features, self.training)
        return found | {"vim": self.vim_factor * outside - log_sum_exp(logits)}


def distance_to_subspace(features: NDArray[np.float32], training: TrainingFeatures) -> NDArray[np.float64]:
    """Return the distance of images (N, F) to the first principal axes of the training images: (N,).

    Wang et al. 2022, ViM: Out-of-distribution with virtual-logit matching, CVPR. The factor of the virtual logit is
    fitted to images out of fold here.
    """
    fitted = training.gaussians
    centred = l2_normalise(features) - fitted.centre
    axes = fitted.axes[:, : int(VIM_AXES * fitted.axes.shape[1])]
    squared = (centred**2).sum(axis=1) - ((centred @ axes) ** 2).sum(axis=1)
    return np.asarray(np.sqrt(np.maximum(squared, 0)), dtype=np.float64)


def log_sum_exp(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the log of the sum of the exponentials of logits (N, T): (N,)."""
    return np.asarray(np.logaddexp.reduce(logits, axis=1))


def auroc(known: NDArray[np.float64], unknown: NDArray[np.float64]) -> float:
    """Return the probability that an unknown image has a higher OOD score than a known one."""
    from sklearn.metrics import roc_auc_score

    truth = np.concatenate([np.zeros(len(known)), np.ones(len(unknown))])
    return float(roc_auc_score(truth, np.concatenate([known, unknown])))


def table(
    fitted: Fitted, known: dict[str, NDArray[np.float64]], unknown: dict[str, NDArray[np.float64]]
) -> pd.DataFrame:
    """Return for each score the AUROC, and the shares accepted at two limits."""
    return pd.DataFrame(
        {
            score: {
                "AUROC": auroc(known[score], unknown[score]),
                "unknown accepted at 95 % of known": (unknown[score] <= np.quantile(known[score], ACCEPTED)).mean(),
                "unknown accepted, fitted limit": (unknown[score] <= limit).mean(),
                "known accepted, fitted limit": (known[score] <= limit).mean(),
            }
            for score, limit in fitted.limits.items()
        }
    ).T


def print_mean(title: str, tables: Sequence[pd.DataFrame]) -> None:
    """Print the mean of tables, with the lowest AUROC among them."""
    mean = sum(tables[1:], tables[0]) / len(tables)
    mean.insert(1, "lowest AUROC", pd.concat([one["AUROC"] for one in tables], axis=1).min(axis=1))
    print(f"\n{title}\n{mean.sort_values('AUROC', ascending=False).round(3).to_string()}", flush=True)


def left_out_tables(fitting: Embedded, names: Sequence[str]) -> list[pd.DataFrame]:
    """Leave each taxon out of train and val in turn; known images are the others out of fold."""
    tables = []
    for name in names:
        is_left_out = fitting.of_taxa([name])
        fitted = Fitted(fitting.where(~is_left_out))
        tables.append(table(fitted, fitted.known, fitted.scores(fitting.where(is_left_out))))
    return tables


def look_alike_tables(fitting: Embedded, test: Embedded, names: Sequence[str]) -> list[pd.DataFrame]:
    """Leave four taxa out in each of three rotations; known and unknown images are test images."""
    tables = []
    for rotation in range(ROTATIONS):
        left_out = [names[(rotation * 5 + index) % len(names)] for index in range(HELD_OUT)]
        fitted = Fitted(fitting.where(~fitting.of_taxa(left_out)))
        unknown = test.of_taxa(left_out)
        tables.append(table(fitted, fitted.scores(test.where(~unknown)), fitted.scores(test.where(unknown))))
    return tables


def backbone_digest(network: Network) -> str:
    """Hash all weights but those of the head, which embeddings do not depend on."""
    digest = hashlib.sha256()
    for name, value in network.state_dict().items():
        if not name.startswith("head."):
            digest.update(name.encode() + value.cpu().numpy().tobytes())
    return digest.hexdigest()[:12]


def embed(network: Network, run: Run, rows: pd.DataFrame, files: list[Path], cache: Path) -> Embedded:
    """Return the embeddings of images, cached in a file; images that cannot be read are left out."""
    if not cache.is_file():
        output = predict_files(network, files, run.job.sheets, device=choose_device("auto"))
        cache.parent.mkdir(parents=True, exist_ok=True)
        np.save(cache, output.embeddings)
    features = np.load(cache)
    return Embedded(rows.reset_index(drop=True), features).where(~np.isnan(features).any(axis=1))


def main() -> None:
    """Measure the scores and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="finished run of a probe")
    parser.add_argument("--left-out", action="store_true", help="leave out each taxon in turn, without test images")
    parser.add_argument("--look-alikes", action="store_true", help="leave out four taxa at once, on test images")
    parser.add_argument("--unknown", type=Path, nargs="+", default=[], help="folders with images of other species")
    parser.add_argument("--cache", type=Path, default=Path("runs/measure-ood-scores"), help="folder for embeddings")
    arguments = parser.parse_args()
    run = Run.open(arguments.run)
    bundle = read_bundle(run.bundle_folder)
    names, network, split = bundle.info.taxonomy.names, load_network(bundle), run.split
    cache = arguments.cache / f"{run.job.name}-{backbone_digest(network)}"
    rows, device = train_val_rows(run), choose_device("auto")
    features = train_val_embeddings(run, network, device=device).embeddings
    nuisance = nuisance_directions(run, network, rows, l2_normalise(features), device)
    fitting = Embedded(rows, features, nuisance)
    print(bundle.info.identifier)
    if arguments.left_out:
        print_mean("each taxon left out of train and val", left_out_tables(fitting, names))
    if not arguments.look_alikes and not arguments.unknown:
        return
    rows = split[split["split"] == "test"]
    test = embed(network, run, rows, run.image_paths(rows), cache / "test.npy")
    if arguments.look_alikes:
        print_mean(f"look-alikes, {ROTATIONS} rotations", look_alike_tables(fitting, test, names))
    fitted = Fitted(fitting)
    known = fitted.scores(test)
    for folder in arguments.unknown:
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_EXTENSIONS)
        unknown = embed(network, run, pd.DataFrame({"path": files}), files, cache / f"{folder.name}.npy")
        print_mean(f"{len(unknown.rows)} images of {folder.name}", [table(fitted, known, fitted.scores(unknown))])


if __name__ == "__main__":
    main()
