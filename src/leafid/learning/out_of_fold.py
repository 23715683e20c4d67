"""What the network would have said of an image had neither it nor its fold been trained on.

A probe is fitted in closed form, so that it can be fitted again without each fold in turn. A network that was
fine-tuned cannot.
"""

import numpy as np
from numpy.typing import NDArray

from leafid.learning.network import Network
from leafid.learning.probing import Discriminants

Embedded = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Embeddings (N, F) and labels (N,)."""

SAME_HEAD = 0.01
"""Largest distance, relative to its length, between a head and the probe of which it is taken to be one."""


def logits_out_of_fold(
    network: Network,
    train: Embedded,
    every: Embedded,
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
        train: what the head was fitted to.
        every: the images that are divided into folds; those of ``train`` among them.
        folds: (N,), the fold of each image.
        shrinkage: of the network's probe.
        balanced: see ``fit_probe``.
    """
    embeddings, labels = every
    if min(len(train[1]), *(int((folds != fold).sum()) for fold in np.unique(folds))) <= network.taxa:
        return None
    weight, _ = Discriminants(*train, network.taxa, balanced=balanced).under(shrinkage)
    head = network.last_linear.weight.detach().cpu().double().numpy()
    scale = np.linalg.norm(weight) / np.linalg.norm(head)
    if np.linalg.norm(weight / scale - head) > SAME_HEAD * np.linalg.norm(head):
        return None
    logits = np.empty((len(labels), network.taxa))
    for fold in np.unique(folds):
        mine = folds == fold
        weight, bias = Discriminants(embeddings[~mine], labels[~mine], network.taxa, balanced=balanced).under(shrinkage)
        logits[mine] = (embeddings[mine] @ weight.T + bias) / scale
    return logits
