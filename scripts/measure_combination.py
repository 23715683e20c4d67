"""Whether leaf characters help the network: macro-F1 of the network alone, of characters alone, and of both.

    leafid evaluate RUN --on val
    python scripts/measure_combination.py RUN/evaluation/val/predictions.csv --images DATA_FOLDER

Nothing is mixed in leafid itself; this script only asks whether it would pay. Each image gets, for each taxon, the
network's probability and the mean log-likelihood of its measured leaves in the floras' ranges (0 for all taxa where no
leaf could be measured). They are added with a weight that is chosen on the other gatherings (five folds), so that no
image has a say in its own weight. On drawn herbaria this is the best that can be hoped for: the leaves are drawn from
the very ranges with which they are compared.
"""

import argparse
import csv
import sys
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.characters import compare, measure_file
from leafid.progress import progress_bar

WEIGHTS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)
FOLDS = 5
_COLUMN = "probability of "

Scores = NDArray[np.float64]


def main() -> int:
    """Measure the leaves, print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", type=Path, help="predictions.csv of an evaluation")
    parser.add_argument("--images", type=Path, required=True, help="the folder of the catalog: paths start there")
    parser.add_argument("--leaves", type=int, default=3, help="leaves of an image")
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
    right, helped = network.argmax(axis=1) == truth, both.argmax(axis=1) == truth
    print(f"\nMended by the characters: {(helped & ~right).sum()} images; spoilt: {(right & ~helped).sum()}.")
    return 0


def _log_likelihoods(path: Path, taxa: list[str], leaves: int) -> Scores:
    """Mean log-likelihood of an image's leaves for each taxon; zeros where none was measured."""
    found = []
    for leaf in measure_file(path, leaves=leaves).leaves:
        fits = {fit.taxon: fit for fit in compare(leaf.measured.characters)}
        if any(fit.fits for fit in fits.values()):
            found.append([np.log(max(fits[taxon].likelihood, 1e-9)) if taxon in fits else 0.0 for taxon in taxa])
    return np.asarray(np.mean(found, axis=0)) if found else np.zeros(len(taxa))


def _combined(
    network: Scores, floras: Scores, truth: NDArray[np.int64], fold: NDArray[np.int64]
) -> tuple[Scores, list[float]]:
    """Both together, each fold with the weight that has the best log-likelihood of the truth on the others."""
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
    """Mean F1 over the taxa that occur."""
    scores = []
    for label in np.unique(truth):
        hits = ((truth == label) & (predicted == label)).sum()
        scores.append(2 * hits / ((truth == label).sum() + (predicted == label).sum()))
    return float(np.mean(scores))


if __name__ == "__main__":
    sys.exit(main())
