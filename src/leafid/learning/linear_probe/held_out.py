"""Predictions of images by probes that were not fitted to them, and what they choose: shrinkage and temperature.

The probe is fitted in closed form, so it can be fitted again without each fold in turn. A fine-tuned network cannot.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.folds import NOT_FITTED, min_training_images
from leafid.learning.linear_probe.lda import ShrunkLda, rotate
from leafid.learning.models.network import Network, head_logits
from leafid.learning.temperature import fit_temperature

SHRINKAGES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9)
"""Grid of shrinkages: the share of the covariance that is replaced by a multiple of the identity."""

SAME_HEAD_TOLERANCE = 0.01
"""Largest relative distance between the head of a network and a refitted probe that count as the same."""

HeldOut = tuple[ShrunkLda, LabelledEmbeddings]
"""A discriminant analysis, and images that it was not fitted to."""


class HeldOutLogits(NamedTuple):
    """Logits of held-out images at one shrinkage.

    Attributes:
        shrinkage: of the covariance.
        scatter: of images around the true means of their taxa, see ``ShrunkLda.head``.
        logits: (M, T), at temperature 1.
        labels: (M,).
        known: (M,), whether the analysis was fitted to images of the same taxon.
    """

    shrinkage: float
    scatter: float
    logits: NDArray[np.float64]
    labels: NDArray[np.int64]
    known: NDArray[np.bool_]

    @property
    def of_known_taxa(self) -> "HeldOutLogits":
        """Those of images of known taxa; all, if there are none."""
        if not self.known.any():
            return self
        kept = (self.logits[self.known], self.labels[self.known], self.known[self.known])
        return HeldOutLogits(self.shrinkage, self.scatter, *kept)


class Choice(NamedTuple):
    """The logits of the chosen shrinkage, and their temperature."""

    held_out: HeldOutLogits
    temperature: float


def choose(held_out: Iterable[HeldOut]) -> Choice:
    """Return the shrinkage and temperature with the lowest negative log-likelihood of held-out images."""
    candidates = []
    for logits in held_out_logits(held_out, SHRINKAGES):
        known = logits.of_known_taxa
        # The lower limit is 1: discriminant analysis of few images is never too little confident.
        temperature, loss = fit_temperature(known.logits, known.labels, lowest=1.0)
        candidates.append((loss, Choice(known, temperature)))
    return min(candidates, key=lambda candidate: candidate[0])[1]


def held_out_logits(held_out: Iterable[HeldOut], shrinkages: Sequence[float]) -> list[HeldOutLogits]:
    """Return the logits of held-out images at each shrinkage, in their order."""
    labels, sizes, is_known = [], [], []
    logits: list[list[NDArray[np.float64]]] = [[] for _ in shrinkages]
    scatters: list[list[NDArray[np.float64]]] = [[] for _ in shrinkages]
    for lda, images in held_out:
        labels.append(images.labels)
        is_known.append(lda.known[images.labels])
        known = images.subset(is_known[-1])
        sizes.append(np.broadcast_to(np.maximum(lda.sizes, 1), (len(images), len(lda.sizes))))
        for index, shrinkage in enumerate(shrinkages):
            logits[index].append(lda.head(shrinkage).logits(images.embeddings))
            scatters[index].append(lda.scatter(known, shrinkage))
    found = []
    for shrinkage, by_lda, scatter_by_lda in zip(shrinkages, logits, scatters, strict=True):
        of_images = np.concatenate(scatter_by_lda)
        scatter = float(of_images.mean()) if len(of_images) else 0.0
        corrected = np.concatenate(by_lda) + 0.5 * scatter / np.concatenate(sizes)
        found.append(HeldOutLogits(shrinkage, scatter, corrected, np.concatenate(labels), np.concatenate(is_known)))
    return found


def leave_out_folds(
    images: LabelledEmbeddings,
    taxa: int,
    *,
    balanced: bool,
    copies: LabelledEmbeddings | None,
    folds: NDArray[np.int64],
    tested: NDArray[np.bool_] | None = None,
) -> Iterator[HeldOut]:
    """Yield each fold with the discriminant analysis of the others, in the order of the folds.

    Args:
        images: N images.
        taxa: T.
        balanced: see ``ShrunkLda``.
        copies: augmented copies of the images (C N); they are left out with their originals.
        folds: (N,).
        tested: (N,), the images that are held out; None: all. Folds without any are not left out.
    """
    features = images.embeddings.shape[1]
    images, copies = rotate(images, copies)
    tested = np.ones(len(images), dtype=bool) if tested is None else tested
    for fold in np.unique(folds[tested]):
        kept = folds != fold
        kept_copies = copies and copies.subset(np.tile(kept, len(copies) // len(images)))
        lda = ShrunkLda(images.subset(kept), taxa, balanced=balanced, copies=kept_copies, features=features)
        yield lda, images.subset(~kept & tested)


def out_of_fold_logits(
    network: Network,
    images: LabelledEmbeddings,
    copies: LabelledEmbeddings | None,
    folds: NDArray[np.int64],
    *,
    shrinkage: float,
    balanced: bool,
) -> NDArray[np.float64] | None:
    """Return logits (N, T), each image predicted by a probe fitted to the other folds, at the network's temperature.

    Args:
        network: its head is compared with a refitted probe.
        images: N images, train and val.
        copies: augmented copies of those that the head was fitted to, from ``augmented_copy_embeddings``.
        folds: (N,), fold of each image. The head was not fitted to images of fold ``NOT_FITTED``: it predicts them
            itself.
        shrinkage: of the network's probe.
        balanced: see ``fit_probe_head``.

    Returns:
        The logits. None where the head of the network is not the probe of its training images (it was fine-tuned), and
        where a fold leaves too few images for a fit.
    """
    fitted, taxa = folds != NOT_FITTED, network.taxa
    if min_training_images(folds) <= taxa:
        return None
    train = images.subset(fitted)
    lda = ShrunkLda(train, taxa, balanced=balanced, copies=copies)
    probe = lda.head(shrinkage)
    head = network.last_linear.weight.detach().cpu().double().numpy()
    temperature = np.linalg.norm(probe.weight) / np.linalg.norm(head)
    if np.linalg.norm(probe.weight / temperature - head) > SAME_HEAD_TOLERANCE * np.linalg.norm(head):
        return None
    held_out = leave_out_folds(train, taxa, balanced=balanced, copies=copies, folds=folds[fitted])
    (predicted,) = held_out_logits(held_out, (shrinkage,))
    logits = np.asarray(head_logits(network, images.embeddings), dtype=np.float64)
    in_order = np.argsort(folds[fitted], kind="stable")
    logits[np.flatnonzero(fitted)[in_order]] = predicted.logits / temperature
    return logits
