"""Fitting the linear probe: a head on the embeddings of the frozen network, in closed form."""

import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from leafid.errors import RunError
from leafid.learning.fine_tuning.lightning_compat import reraise_worker_errors
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.folds import held_out_folds, min_training_images
from leafid.learning.linear_probe.held_out import SHRINKAGES, HeldOut, choose, held_out_logits, leave_out_folds
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


@dataclass(frozen=True)
class LinearProbe:
    """A linear head, and how it was chosen.

    Attributes:
        head: its weights and biases.
        shrinkage: the one of ``held_out.SHRINKAGES`` with the lowest negative log-likelihood on held-out images.
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
    rows = run.split[run.split["split"] == "train"]
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
        folds=held_out_folds(train.labels, list(rows["gathering_id"]), list(rows["domain"])),
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

    full = ShrunkLda(train, taxa, balanced=balanced, copies=copies)
    held_out: Iterable[HeldOut] = [(full, val)]
    if folds is not None and min_training_images(folds) > taxa:
        held_out = chain(held_out, leave_out_folds(train, taxa, balanced=balanced, copies=copies, folds=folds))
    chosen, temperature = choose(held_out)
    head = full.head(chosen.shrinkage, scatter=chosen.scatter).scaled(1 / temperature)
    val_logits = head.logits(val.embeddings)
    score = float(f1_score(val.labels, val_logits.argmax(axis=1), average="macro", zero_division=0))
    counted = full.known[val.labels]
    nll = fit_temperature(val_logits[counted], val.labels[counted])[1] if counted.any() else 0.0
    return LinearProbe(head, chosen.shrinkage, score, nll, chosen.logits / temperature, chosen.labels)


class RefitImages(NamedTuple):
    """What a probe is refitted to.

    Attributes:
        images: train and val, in the order of ``train_val_rows``.
        copies: augmented copies of them; None: no copies.
        folds: (N,), fold of each image.
        is_val: (N,), whether an image belongs to val.
    """

    images: LabelledEmbeddings
    copies: LabelledEmbeddings | None
    folds: NDArray[np.int64]
    is_val: NDArray[np.bool_]


def refit_images(run: Run, network: Network, device: torch.device) -> RefitImages | None:
    """Return the images to which the probe of a run is fitted again at its end.

    None where it is not: ``training.refit`` is off, or a fold of train and val leaves too few images for a fit, and
    calibration needs such folds.
    """
    if run.info.probe is None or not run.job.training.refit:
        return None
    images, rows = train_val_embeddings(run, network, device=device), train_val_rows(run)
    folds = held_out_folds(images.labels, list(rows["gathering_id"]), list(rows["domain"]))
    if min_training_images(folds) <= network.taxa:
        return None
    copies = augmented_copy_embeddings(run, network, device=device, parts=PARTS)
    return RefitImages(images, copies, folds, np.asarray(rows["split"] == "val"))


def refit_linear_probe(run: Run, network: Network, device: torch.device, *, fine_tuned: bool = False) -> None:
    """Fit the head of a run again, to train and val together (see ``refit_images``); load it and record it.

    Fine-tuned features know the labels of train, so that val alone then chooses shrinkage and temperature.
    """
    found = refit_images(run, network, device)
    if run.info.probe is None or found is None:
        return
    head, shrinkage = refit_probe_head(
        found.images,
        network.taxa,
        balanced=run.job.training.balance != "none",
        copies=found.copies,
        folds=found.folds,
        choosing=found.is_val if fine_tuned else None,
    )
    load_head(head, network)
    run.record(probe=run.info.probe.model_copy(update={"shrinkage": shrinkage, "refitted": True}))


def refitted_val_logits(run: Run, network: Network, device: torch.device) -> list[NDArray[np.float64]]:
    """Return logits (V, T) of val at each of ``SHRINKAGES``, each fold by a probe fitted to all other train and val.

    So the refitted probe is judged by images that it was not fitted to. Empty where the probe is not refitted.
    """
    found = refit_images(run, network, device)
    if found is None:
        return []
    held_out = leave_out_folds(
        found.images,
        network.taxa,
        balanced=run.job.training.balance != "none",
        copies=found.copies,
        folds=found.folds,
        tested=found.is_val,
    )
    in_order = np.argsort(np.argsort(found.folds[found.is_val], kind="stable"))
    return [each.logits[in_order] for each in held_out_logits(held_out, SHRINKAGES)]


def refit_probe_head(
    images: LabelledEmbeddings,
    taxa: int,
    *,
    balanced: bool,
    copies: LabelledEmbeddings | None = None,
    folds: NDArray[np.int64],
    choosing: NDArray[np.bool_] | None = None,
) -> tuple[LinearHead, float]:
    """Fit the head to all images; choose shrinkage and temperature out of fold. Return the head and the shrinkage.

    Arguments as for ``fit_probe_head``; each fold leaves more images than taxa. ``choosing`` (N,) are the images that
    choose; None: all.
    """
    held_out = leave_out_folds(images, taxa, balanced=balanced, copies=copies, folds=folds, tested=choosing)
    chosen, temperature = choose(held_out)
    full = ShrunkLda(images, taxa, balanced=balanced, copies=copies)
    return full.head(chosen.shrinkage, scatter=chosen.scatter).scaled(1 / temperature), chosen.shrinkage
