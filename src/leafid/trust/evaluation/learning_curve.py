"""Would more sheets help? Probes fitted to fewer and fewer gatherings, each judged on folds it has not seen."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from leafid.progress import OnProgress
from leafid.trust.metric_types import CurvePoint

if TYPE_CHECKING:
    from leafid.learning import Run

FEWEST = 2
"""Gatherings of each taxon to begin with; the next point has twice as many."""

DRAWS = 3
"""How often gatherings are drawn; a draw of fewer is part of the draw of more."""


def run_learning_curve(
    run: "Run", *, device: str = "auto", on_progress: OnProgress | None = None
) -> tuple[CurvePoint, ...]:
    """Return the learning curve of a probe's run over train and val; nothing after fine-tuning.

    A fine-tuned network has seen all its images; it would have to be trained again for each point. Augmented copies,
    from which the run's own probe may have learnt, too, have no part.
    """
    from leafid.bundle import read_bundle
    from leafid.learning import choose_device, load_network, predict_split

    if run.info.probe is None or run.job.training.mode != "probe":
        return ()
    network = load_network(read_bundle(run.bundle_folder))
    split, where = run.split, choose_device(device)
    features = [predict_split(run, part, network, device=where).embeddings for part in ("train", "val")]
    rows = [split[split["split"] == part] for part in ("train", "val")]
    order = np.argsort(np.concatenate([part.index for part in rows]), kind="stable")
    names = np.concatenate([part["scientificName"].to_numpy(dtype=str) for part in rows])[order]
    gatherings = np.concatenate([part["gathering_id"].to_numpy(dtype=str) for part in rows])[order].tolist()
    return learning_curve(
        np.concatenate(features)[order],
        np.array(run.info.taxonomy.labels(names.tolist()), dtype=np.int64),
        gatherings,
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
) -> tuple[CurvePoint, ...]:
    """Fit probes to nested parts of the gatherings, and judge every image by those of the other folds.

    Args:
        features: (N, F).
        labels: (N,), in the order of the series.
        gatherings: of the N images.
        taxa: T.
        shrinkage: of the probe.
        seed: of the draws.
        on_progress: called with (probes fitted, probes in all).
    """
    from leafid.learning import blocked_folds

    folds = blocked_folds(labels, gatherings)
    turns = [_turns(labels, gatherings, np.random.default_rng((seed, draw))) for draw in range(DRAWS)]
    most = max(
        len(np.unique(turns[0][(labels == label) & (folds != fold)]))
        for label in np.unique(labels)
        for fold in np.unique(folds)
    )
    sizes = _sizes(most)
    points = []
    for number, size in enumerate(sizes):
        scores, images = [], []
        for draw in range(DRAWS):
            chosen = {int(fold): _first(turns[draw], labels, folds != fold, size) for fold in np.unique(folds)}
            scores.append(_judged(features, labels, folds, chosen, taxa, shrinkage))
            images.append(np.mean([one.sum() for one in chosen.values()]))
            if on_progress:
                on_progress(number * DRAWS + draw + 1, len(sizes) * DRAWS)
        points.append(
            CurvePoint(
                gatherings=size,
                images=round(float(np.mean(images))),
                macro_f1=float(np.mean(scores)),
                spread=float(np.std(scores)),
                draws=DRAWS,
            )
        )
    return tuple(points)


def _judged(
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    folds: NDArray[np.int64],
    chosen: dict[int, NDArray[np.bool_]],
    taxa: int,
    shrinkage: float,
) -> float:
    """Macro-F1 over all images, each by the probe of what was chosen for its fold."""
    from sklearn.metrics import f1_score

    from leafid.learning import lda_head

    predicted = np.empty(len(labels), dtype=np.int64)
    for fold, train in chosen.items():
        mine = folds == fold
        probe = lda_head(features[train], labels[train], taxa, shrinkage=shrinkage)
        predicted[mine] = probe.logits(features[mine]).argmax(axis=1)
    return float(f1_score(labels, predicted, average="macro", zero_division=0))


def _turns(labels: NDArray[np.int64], gatherings: Sequence[str], random: np.random.Generator) -> NDArray[np.int64]:
    """Say in which turn the gathering of each image is drawn (N,), counted from 0 in each taxon."""
    names = np.asarray(gatherings, dtype=str)
    turns = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        mine = np.flatnonzero(labels == label)
        units = np.unique(names[mine])
        order = {str(unit): number for number, unit in enumerate(random.permutation(units))}
        turns[mine] = [order[name] for name in names[mine].tolist()]
    return turns


def _first(
    turns: NDArray[np.int64], labels: NDArray[np.int64], rest: NDArray[np.bool_], size: int
) -> NDArray[np.bool_]:
    """Choose (N,) of each taxon the first gatherings among the rest."""
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        mine = rest & (labels == label)
        chosen |= mine & np.isin(turns, np.unique(turns[mine])[:size])
    return chosen


def _sizes(most: int) -> list[int]:
    sizes = []
    size = FEWEST
    while 1.4 * size < most:  # nearer points say the same, and their names lie over each other
        sizes.append(size)
        size *= 2
    return [*sizes, most]
