"""What the network would have said of an image had neither it nor its fold been trained on.

A probe is fitted in closed form, so that it can be fitted again without each fold in turn. A network that was
fine-tuned cannot.
"""

import numpy as np
from numpy.typing import NDArray

from leafid.learning.folds import left_without_largest
from leafid.learning.network import Network
from leafid.learning.probing import Discriminants, Embedded, LinearHead, only, together, without

SAME_HEAD = 0.01
"""Largest distance, relative to its length, between a head and the probe of which it is taken to be one."""


def logits_out_of_fold(
    network: Network,
    every: Embedded,
    is_train: NDArray[np.bool_],
    copies: Embedded | None,
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
        copies: of these, from ``copies_for``; a fold goes without the copies of its images.
        folds: (N,), the fold of each image.
        shrinkage: of the network's probe.
        balanced: see ``fit_probe``.
    """
    embeddings, labels = every
    train = only(every, is_train)
    if min(len(train[1]), left_without_largest(folds)) <= network.taxa:
        return None
    probe = Discriminants(*together(train, copies), network.taxa, balanced=balanced).under(shrinkage)
    head = network.last_linear.weight.detach().cpu().double().numpy()
    scale = np.linalg.norm(probe.weight) / np.linalg.norm(head)
    if np.linalg.norm(probe.weight / scale - head) > SAME_HEAD * np.linalg.norm(head):
        return None
    logits = np.empty((len(labels), network.taxa))
    for fold in np.unique(folds):
        mine = folds == fold
        rest = without(train, copies, mine[is_train])
        others = Discriminants(*together(rest, only(every, ~mine & ~is_train)), network.taxa, balanced=balanced)
        logits[mine] = others.under(shrinkage).logits(embeddings[mine]) / scale
    return logits


def discriminant(
    embeddings: NDArray[np.float32], labels: NDArray[np.int64], taxa: int, *, shrinkage: float
) -> LinearHead:
    """Return the probe of some images, all taxa being equally probable.

    Args:
        embeddings: (N, F).
        labels: (N,); two images or more of one taxon among them.
        taxa: T. A taxon without an image is never the answer.
        shrinkage: of the covariance.
    """
    return Discriminants(embeddings, labels, taxa, balanced=True).under(shrinkage)
