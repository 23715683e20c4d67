"""Learning curve: performance of linear probes on other folds, by the number of training gatherings of each taxon."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.progress import OnProgress
from leafid.trust.metric_schemas import LearningCurvePoint

if TYPE_CHECKING:
    from leafid.learning import Run

MIN_GATHERINGS = 2
"""Gatherings of each taxon at the first point; each next point has twice as many."""

DRAWS = 3
"""Random draws of gatherings at each point; within a draw, smaller subsets are contained in larger ones."""


def run_learning_curve(
    run: "Run", *, device: str = "auto", on_progress: OnProgress | None = None
) -> tuple[LearningCurvePoint, ...]:
    """Return the learning curve of a linear probe over train and val; empty after fine-tuning.

    A fine-tuned network would have to be trained again for each point. Augmented copies, which the run's own probe may
    use too, are left out.
    """
    from leafid.bundle import read_bundle
    from leafid.learning import choose_device, load_network, train_val_embeddings, train_val_rows

    if run.info.probe is None or run.job.training.mode != "probe":
        return ()
    network = load_network(read_bundle(run.bundle_folder))
    images = train_val_embeddings(run, network, device=choose_device(device))
    return learning_curve(
        images.embeddings,
        images.labels,
        list(train_val_rows(run)["gathering_id"]),
        len(run.info.taxonomy),
        shrinkage=run.info.probe.shrinkage,
        seed=run.job.seed,
        on_progress=on_progress,
    )


def learning_curve(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    gatherings: Sequence[str],
    taxa: int,
    *,
    shrinkage: float,
    seed: int = 0,
    on_progress: OnProgress | None = None,
) -> tuple[LearningCurvePoint, ...]:
    """Fit probes to nested subsets of the gatherings, and predict every image by a probe of the other folds.

    Args:
        features: (N, F).
        labels: (N,), in the order of the split.
        gatherings: of the N images.
        taxa: T.
        shrinkage: of the probe's covariance.
        seed: of the draws.
        on_progress: called with (probes fitted, probes in total).
    """
    from leafid.learning import blocked_folds

    folds = blocked_folds(labels, gatherings)
    orders = [_random_order(labels, gatherings, np.random.default_rng((seed, draw))) for draw in range(DRAWS)]
    available = max(
        len(np.unique(orders[0][(labels == label) & (folds != fold)]))
        for label in np.unique(labels)
        for fold in np.unique(folds)
    )
    sizes = _sizes(available)
    points = []
    for number, size in enumerate(sizes):
        scores, images = [], []
        for draw in range(DRAWS):
            subsets = {int(fold): _subset(orders[draw], labels, folds != fold, size) for fold in np.unique(folds)}
            scores.append(_macro_f1(features, labels, folds, subsets, taxa, shrinkage))
            images.append(np.mean([subset.sum() for subset in subsets.values()]))
            if on_progress:
                on_progress(number * DRAWS + draw + 1, len(sizes) * DRAWS)
        points.append(
            LearningCurvePoint(
                gatherings=size,
                images=round(float(np.mean(images))),
                macro_f1=float(np.mean(scores)),
                macro_f1_std=float(np.std(scores)),
                draws=DRAWS,
            )
        )
    return tuple(points)


def _macro_f1(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    subsets: dict[int, NDArray[np.bool_]],
    taxa: int,
    shrinkage: float,
) -> float:
    """Return the macro-F1 over all images, each predicted by the probe fitted to the subset of its fold."""
    from sklearn.metrics import f1_score

    from leafid.learning import lda_head

    predicted = np.empty(len(labels), dtype=np.int64)
    for fold, train in subsets.items():
        held_out = folds == fold
        probe = lda_head(features[train], labels[train], taxa, shrinkage=shrinkage)
        predicted[held_out] = probe.logits(features[held_out]).argmax(axis=1)
    return float(f1_score(labels, predicted, average="macro", zero_division=0))


def _random_order(
    labels: NDArray[np.int64], gatherings: Sequence[str], random: np.random.Generator
) -> NDArray[np.int64]:
    """Return the position of each image's gathering in a random order of the gatherings of its taxon: (N,), from 0."""
    units = np.asarray(gatherings, dtype=str)
    order = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        of_taxon = np.flatnonzero(labels == label)
        permuted = random.permutation(np.unique(units[of_taxon]))
        positions = {str(unit): position for position, unit in enumerate(permuted)}
        order[of_taxon] = [positions[unit] for unit in units[of_taxon].tolist()]
    return order


def _subset(
    order: NDArray[np.int64], labels: NDArray[np.int64], available: NDArray[np.bool_], size: int
) -> NDArray[np.bool_]:
    """Return the images (N,) of the first ``size`` available gatherings of each taxon."""
    subset = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        of_taxon = available & (labels == label)
        subset |= of_taxon & np.isin(order, np.unique(order[of_taxon])[:size])
    return subset


def _sizes(available: int) -> list[int]:
    """Return the numbers of gatherings, doubling up to all that are available."""
    sizes = []
    size = MIN_GATHERINGS
    while 1.4 * size < available:  # a point closer to the last one adds nothing, and its label would overlap
        sizes.append(size)
        size *= 2
    return [*sizes, available]
