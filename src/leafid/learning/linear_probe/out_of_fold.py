"""What the network would have said of an image had neither it nor its fold been trained on.

A probe is fitted in closed form, so that it can be fitted again without each fold in turn. A network that was
fine-tuned cannot.
"""

import numpy as np
from numpy.typing import NDArray

from leafid.learning.linear_probe.folds import fewest_training_images
from leafid.learning.linear_probe.probe import (
    LabelledEmbeddings,
    LinearHead,
    ShrunkLda,
    concatenated,
    excluding,
    subset,
)
from leafid.learning.models.network import Network

SAME_HEAD = 0.01
"""Largest distance, relative to its length, between a head and the probe of which it is taken to be one."""


def out_of_fold_logits(
    network: Network,
    every: LabelledEmbeddings,
    is_train: NDArray[np.bool_],
    copies: LabelledEmbeddings | None,
    folds: NDArray[np.int64],
    *,
    shrinkage: float,
    balanced: bool,
) -> NDArray[np.float64] | None:
    """Return logits (N, T) of each image by a probe that was fitted to all other folds, at the scale of the network's.

    None where the head of the network is not the probe of its training images, and where a fold leaves too few images
    to fit one to.

    Args:
        network: its head is compared.
        every: the images that are divided into folds.
        is_train: (N,), those that the head was fitted to.
        copies: of these, from ``augmented_copy_embeddings``; a fold goes without the copies of its images.
        folds: (N,), the fold of each image.
        shrinkage: of the network's probe.
        balanced: see ``fit_probe_head``.
    """
    embeddings, labels = every
    train = subset(every, is_train)
    if min(len(train[1]), fewest_training_images(folds)) <= network.taxa:
        return None
    probe = ShrunkLda(*concatenated(train, copies), network.taxa, balanced=balanced).head(shrinkage)
    head = network.last_linear.weight.detach().cpu().double().numpy()
    scale = np.linalg.norm(probe.weight) / np.linalg.norm(head)
    if np.linalg.norm(probe.weight / scale - head) > SAME_HEAD * np.linalg.norm(head):
        return None
    logits = np.empty((len(labels), network.taxa))
    for fold in np.unique(folds):
        mine = folds == fold
        rest = excluding(train, copies, mine[is_train])
        others = ShrunkLda(*concatenated(rest, subset(every, ~mine & ~is_train)), network.taxa, balanced=balanced)
        logits[mine] = others.head(shrinkage).logits(embeddings[mine]) / scale
    return logits


def lda_head(embeddings: NDArray[np.float32], labels: NDArray[np.int64], taxa: int, *, shrinkage: float) -> LinearHead:
    """Return the probe of some images, all taxa being equally probable.

    Args:
        embeddings: (N, F).
        labels: (N,); two images or more of one taxon among them.
        taxa: T. A taxon without an image is never the answer.
        shrinkage: of the covariance.
    """
    return ShrunkLda(embeddings, labels, taxa, balanced=True).head(shrinkage)
