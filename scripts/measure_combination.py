"""Measure whether leaf characters help the network: macro-F1 of the network, of characters, and of both combined.

    leafid train JOB --set training.refit=false --out RUN && leafid evaluate RUN --on val
    python scripts/measure_combination.py RUN/evaluation/val/predictions.csv --images DATA_FOLDER

leafid itself combines nothing; this script measures whether it would help. For each image and taxon it takes the
network's log-probability and the mean log-likelihood of the measured leaves in the floras' ranges (0 for all taxa if no
leaf could be measured). It adds them with a weight chosen on the other gatherings (five folds), so that no image
influences its own weight. Synthetic herbaria give an upper bound: their leaves are drawn from the same ranges.
"""

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from leafid.characters import compare, measure_file
from leafid.progress import progress_bar

WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
FOLDS = 5
_COLUMN = "probability of "

Scores = NDArray[np.float64]


def main() -> int:
    """Measure the leaves and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, help="predictions.csv of an evaluation")
    parser.add_argument("--images", type=Path, required=True, help="folder of the catalog, where its paths start")
    parser.add_argument("--leaves", type=int, default=3, help="most leaves of an image")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    with arguments.predictions.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened))
    taxa = [name.removeprefix(_COLUMN) for name in rows[0] if name.startswith(_COLUMN)]
    network = np.log([[max(float(row[_COLUMN + taxon]), 1e-6) for taxon in taxa] for row in rows])
    floras = np.zeros_like(network)
    with progress_bar("Measuring") as on_progress:
        for number, row in enumerate(rows):
            floras[number] = _log_likelihoods(arguments.images / row["path"], taxa, arguments.leaves)
            on_progress(number + 1, len(rows))
    truth = np.array([taxa.index(row["scientificName"]) for row in rows])
    gatherings = sorted({row["gathering_id"] for row in rows})
    fold = np.array([gatherings.index(row["gathering_id"]) % FOLDS for row in rows])
    measured = (floras != 0).any(axis=1)
    both, weights = _combined(network, floras, truth, fold)
    print("| images | network | characters alone | both | weights of the folds |\n|---:|---:|---:|---:|---|")
    alone = macro_f1(truth[measured], floras[measured].argmax(axis=1))
    print(
        f"| {len(rows)} | {macro_f1(truth, network.argmax(axis=1)):.3f} "
        f"| {alone:.3f} (of the {measured.sum()} with a measured leaf) "
        f"| {macro_f1(truth, both.argmax(axis=1)):.3f} | {', '.join(f'{weight:g}' for weight in weights)} |"
    )
    right, corrected = network.argmax(axis=1) == truth, both.argmax(axis=1) == truth
    print(f"\nCorrected by the characters: {(corrected & ~right).sum()} images; spoilt: {(right & ~corrected).sum()}.")
    return 0


def _log_likelihoods(path: Path, taxa: list[str], leaves: int) -> Scores:
    """Return the mean log-likelihood of an image's leaves for each taxon (T,); zeros if none was measured."""
    found = []
    for leaf in measure_file(path, leaves=leaves).leaves:
        fits = {fit.taxon: fit for fit in compare(leaf.characters)}
        if any(fit.fits for fit in fits.values()):
            found.append([np.log(max(fits[taxon].likelihood, 1e-9)) if taxon in fits else 0.0 for taxon in taxa])
    return np.asarray(np.mean(found, axis=0)) if found else np.zeros(len(taxa))


def _combined(
    network: Scores, floras: Scores, truth: NDArray[np.int64], fold: NDArray[np.int64]
) -> tuple[Scores, list[float]]:
    """Return the sum (N, T), each fold with the weight of the highest log-likelihood on the others, and the weights."""
    both, weights = np.zeros_like(network), []
    for number in range(FOLDS):
        others, own = fold != number, fold == number
        losses = [_loss(network[others] + weight * floras[others], truth[others]) for weight in WEIGHTS]
        weights.append(WEIGHTS[int(np.argmin(losses))])
        both[own] = network[own] + weights[-1] * floras[own]
    return both, weights


def _loss(logits: Scores, truth: NDArray[np.int64]) -> float:
    shifted = logits - logits.max(axis=1, keepdims=True)
    normal = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return float(-normal[np.arange(len(truth)), truth].mean())


def macro_f1(truth: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return the mean F1 over the taxa that occur in truth."""
    return float(f1_score(truth, predicted, labels=np.unique(truth), average="macro", zero_division=0))


if __name__ == "__main__":
    sys.exit(main())
