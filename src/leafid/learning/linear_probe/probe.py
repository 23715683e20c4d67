"""Fitting the linear probe, and its logits out of fold.

The probe is fitted in closed form, so it can be fitted again without each fold in turn. A fine-tuned network cannot.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from leafid.errors import RunError
from leafid.learning.fine_tuning.lightning_compat import reraise_worker_errors
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.folds import blocked_folds, min_training_images
from leafid.learning.linear_probe.lda import LinearHead, ShrunkLda
from leafid.learning.models.network import Network
from leafid.learning.run import LinearProbeInfo, Run
from leafid.learning.run_samples import (
    PARTS,
    augmented_copy_embeddings,
    split_embeddings,
    train_val_embeddings,
    train_val_rows,
)
from leafid.learning.temperature import fit_temperature

SHRINKAGES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
"""Grid of shrinkages: the share of the covariance that is replaced by a multiple of the identity."""

SAME_HEAD_TOLERANCE = 0.01
"""Largest relative distance between the head of a network and a refitted probe that count as the same."""


@dataclass(frozen=True)
class LinearProbe:
    """A linear head, and how it was chosen.

    Attributes:
        head: its weights and biases.
        shrinkage: the one of ``SHRINKAGES`` with the lowest negative log-likelihood on held-out images.
        val_macro_f1: macro-F1 on val.
        val_nll: negative log-likelihood of val after temperature scaling; images of unknown taxa do not count.
        held_out_logits: (M, T), at the temperature of the head, of the images that chose shrinkage and temperature:
            val, and train out of fold.
        held_out_labels: (M,), their labels.
    """

    head: LinearHead
    shrinkage: float
    val_macro_f1: float
    val_nll: float
    held_out_logits: NDArray[np.float64]
    held_out_labels: NDArray[np.int64]

    def load_into(self, network: Network) -> None:
        """Copy the head into a network."""
        load_head(self.head, network)


def load_head(head: LinearHead, network: Network) -> None:
    """Copy a head into a network."""
    with torch.no_grad():
        network.last_linear.weight.copy_(torch.from_numpy(head.weight))
        network.last_linear.bias.copy_(torch.from_numpy(head.bias))


def has_probe(run: Run) -> bool:
    """Return whether the network of a run starts as a probe: pretrained weights, and more training images than taxa."""
    return run.job.model.weights != "none" and int((run.split["split"] == "train").sum()) > len(run.info.taxonomy)


def fit_linear_probe(run: Run, network: Network, device: torch.device) -> LinearProbe:
    """Fit the probe of a run that has one (see ``has_probe``), load it into the network and record it.

    Raises:
        RunError: images cannot be read (all of them are listed), or the network's features are not finite.
    """
    started = time.monotonic()
    rows = run.split
    gatherings = list(rows.loc[rows["split"] == "train", "gathering_id"])
    with reraise_worker_errors():
        train, val = (split_embeddings(run, part, network, device=device) for part in ("train", "val"))
        copies = augmented_copy_embeddings(run, network, device=device)
    if not (np.isfinite(train.embeddings).all() and np.isfinite(val.embeddings).all()):
        raise RunError(
            f"The network gives features that are not finite numbers. Its weights ({run.job.model.weights}) are "
            "damaged, or belong to another kind of network: name others in model.weights."
        )
    probe = fit_probe_head(
        train,
        val,
        network.taxa,
        balanced=run.job.training.balance != "none",
        copies=copies,
        folds=blocked_folds(train.labels, gatherings),
    )
    probe.load_into(network)
    seconds = round(time.monotonic() - started, 1)
    run.record(probe=LinearProbeInfo(shrinkage=probe.shrinkage, val_macro_f1=probe.val_macro_f1, seconds=seconds))
    print(f"probe ({seconds:.0f} s): val macro-F1 {probe.val_macro_f1:.3f}", file=sys.stderr)
    return probe


def fit_probe_head(
    train: LabelledEmbeddings,
    val: LabelledEmbeddings,
    taxa: int,
    *,
    balanced: bool,
    copies: LabelledEmbeddings | None = None,
    folds: NDArray[np.int64] | None = None,
) -> LinearProbe:
    """Fit the head to train; choose shrinkage and temperature on val and on train out of fold.

    The temperature divides all logits, so that softmax gives calibrated probabilities; predictions do not change. Val
    alone is not enough to choose them where all of its images are classified correctly.

    Args:
        train: N images, more than taxa.
        val: at least one image.
        taxa: T. A taxon without a training image is never predicted.
        balanced: give all taxa the same prior; otherwise their frequency in train.
        copies: augmented copies of train from ``augmented_copy_embeddings``; the head is fitted to them, too.
        folds: (N,), fold of each image of train. Each fold is predicted by a head fitted to the other folds. None, or
            where the other folds have too few images: only val decides.
    """
    from sklearn.metrics import f1_score

    full = ShrunkLda(train.concatenate(copies), taxa, balanced=balanced)
    held_out = [(full, val)]
    if folds is not None and min_training_images(folds) > taxa:
        held_out += _held_out_folds(train, taxa, balanced=balanced, copies=copies, folds=folds)
    chosen = _choose(held_out)
    head = full.head(chosen.shrinkage).scaled(1 / chosen.temperature)
    val_logits = head.logits(val.embeddings)
    score = float(f1_score(val.labels, val_logits.argmax(axis=1), average="macro", zero_division=0))
    counted = full.known[val.labels]
    nll = fit_temperature(val_logits[counted], val.labels[counted])[1] if counted.any() else 0.0
    return LinearProbe(head, chosen.shrinkage, score, nll, chosen.logits / chosen.temperature, chosen.labels)


def refit_linear_probe(run: Run, network: Network, device: torch.device) -> None:
    """Fit the probe of a run again, to train and val together; load it into the network and record it.

    Nothing is done where a fold of train and val leaves too few images for a fit: calibration needs such folds.
    """
    images, rows = train_val_embeddings(run, network, device=device), train_val_rows(run)
    folds = blocked_folds(images.labels, list(rows["gathering_id"]))
    if run.info.probe is None or min_training_images(folds) <= network.taxa:
        return
    copies = augmented_copy_embeddings(run, network, device=device, parts=PARTS)
    balanced = run.job.training.balance != "none"
    head, shrinkage = refit_probe_head(images, network.taxa, balanced=balanced, copies=copies, folds=folds)
    load_head(head, network)
    run.record(probe=run.info.probe.model_copy(update={"shrinkage": shrinkage, "refitted": True}))


def refit_probe_head(
    images: LabelledEmbeddings,
    taxa: int,
    *,
    balanced: bool,
    copies: LabelledEmbeddings | None = None,
    folds: NDArray[np.int64],
) -> tuple[LinearHead, float]:
    """Fit the head to all images; choose shrinkage and temperature out of fold. Return the head and the shrinkage.

    Arguments as for ``fit_probe_head``; each fold leaves more images than taxa.
    """
    chosen = _choose(_held_out_folds(images, taxa, balanced=balanced, copies=copies, folds=folds))
    full = ShrunkLda(images.concatenate(copies), taxa, balanced=balanced)
    return full.head(chosen.shrinkage).scaled(1 / chosen.temperature), chosen.shrinkage


HeldOut = tuple[ShrunkLda, LabelledEmbeddings]
"""A discriminant analysis, and images that it was not fitted to."""


class _Choice(NamedTuple):
    """Shrinkage and temperature, and the logits (M, T) at temperature 1 and labels (M,) that chose them."""

    shrinkage: float
    temperature: float
    logits: NDArray[np.float64]
    labels: NDArray[np.int64]


def _choose(held_out: Sequence[HeldOut]) -> _Choice:
    """Return the shrinkage and temperature with the lowest negative log-likelihood of held-out images."""
    # A head cannot predict a taxon that it was not fitted to: such images are left out, unless no others exist.
    of_known_taxa = [(lda, images.subset(lda.known[images.labels])) for lda, images in held_out]
    if any(len(images) for _, images in of_known_taxa):
        held_out = of_known_taxa
    labels = np.concatenate([images.labels for _, images in held_out])
    candidates = []
    for shrinkage in SHRINKAGES:
        logits = np.concatenate([lda.head(shrinkage).logits(images.embeddings) for lda, images in held_out])
        # The lower limit is 1: discriminant analysis of few images is never too little confident.
        temperature, loss = fit_temperature(logits, labels, lowest=1.0)
        candidates.append((loss, _Choice(shrinkage, temperature, logits, labels)))
    return min(candidates, key=lambda candidate: candidate[0])[1]


def _held_out_folds(
    images: LabelledEmbeddings,
    taxa: int,
    *,
    balanced: bool,
    copies: LabelledEmbeddings | None,
    folds: NDArray[np.int64],
) -> list[HeldOut]:
    """Return each fold with the discriminant analysis of the others."""
    return [
        (ShrunkLda(_without(images, copies, folds == fold), taxa, balanced=balanced), images.subset(folds == fold))
        for fold in np.unique(folds)
    ]


def out_of_fold_logits(
    network: Network,
    images: LabelledEmbeddings,
    is_train: NDArray[np.bool_],
    copies: LabelledEmbeddings | None,
    folds: NDArray[np.int64],
    *,
    shrinkage: float,
    balanced: bool,
) -> NDArray[np.float64] | None:
    """Return logits (N, T), each image predicted by a probe fitted to the other folds, at the network's temperature.

    Args:
        network: its head is compared with a refitted probe.
        images: N images, train and val, divided into folds.
        is_train: (N,), the images that the head of the network was fitted to.
        copies: augmented copies of those, from ``augmented_copy_embeddings``; held out with their originals.
        folds: (N,), fold of each image.
        shrinkage: of the network's probe.
        balanced: see ``fit_probe_head``.

    Returns:
        The logits. None where the head of the network is not the probe of its training images (it was fine-tuned), and
        where a fold leaves too few images for a fit.
    """
    train, taxa = images.subset(is_train), network.taxa
    if min(len(train), min_training_images(folds)) <= taxa:
        return None
    probe = ShrunkLda(train.concatenate(copies), taxa, balanced=balanced).head(shrinkage)
    head = network.last_linear.weight.detach().cpu().double().numpy()
    temperature = np.linalg.norm(probe.weight) / np.linalg.norm(head)
    if np.linalg.norm(probe.weight / temperature - head) > SAME_HEAD_TOLERANCE * np.linalg.norm(head):
        return None
    logits = np.empty((len(images), taxa))
    for fold in np.unique(folds):
        held_out = folds == fold
        others = _without(train, copies, held_out[is_train]).concatenate(images.subset(~held_out & ~is_train))
        lda = ShrunkLda(others, taxa, balanced=balanced)
        logits[held_out] = lda.head(shrinkage).logits(images.embeddings[held_out]) / temperature
    return logits


def _without(
    images: LabelledEmbeddings, copies: LabelledEmbeddings | None, held_out: NDArray[np.bool_]
) -> LabelledEmbeddings:
    """Return images (N) and their copies (C N) without the held-out images (N,) and the copies of these."""
    kept = images.subset(~held_out)
    if copies is None:
        return kept
    return kept.concatenate(copies.subset(np.tile(~held_out, len(copies) // len(images))))
