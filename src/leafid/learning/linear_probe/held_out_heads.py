"""Heads through which fine-tuning looks at the features: solved in closed form, each without a part of the images.

A head is nearly perfect on the images that it was solved for, however little their features tell about others. Trained
with it, a network only learns its images by heart, and val becomes worse with every epoch (docs/results.md). So each
image is seen through a head that was solved for other gatherings (cross-fitting). The loss is then that of new images,
and its gradient makes the features better for them.

Bertinetto et al. 2019, Meta-learning with differentiable closed-form solvers, ICLR, differentiate through the solution
in every step; here heads stay the same for an epoch, and are solved anew for the features at its end.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear

from leafid.learning.linear_probe.embeddings import LabelledEmbeddings
from leafid.learning.linear_probe.folds import FOLDS, blocked_folds, has_others_outside_fold, min_training_images
from leafid.learning.linear_probe.held_out import choose
from leafid.learning.linear_probe.lda import LinearHead, ShrunkLda

ScaleOf = Callable[[NDArray[np.float64], NDArray[np.int64]], float]
"""From logits (N, T) of held-out images and their labels (N,) to the factor of the logits; see ``logit_scale``."""


class HeldOutHeads:
    """One head for each fold of the training images, solved for the other folds.

    An image whose taxon has no gathering in another fold is seen through the head of all images.

    Args:
        labels: (N,), of the training images, more than taxa.
        gatherings: of the N images; one gathering is in one fold.
        taxa: T.
        balanced: see ``ShrunkLda``.
        scale_of: gives the factor that suits the loss of the training.
    """

    def __init__(
        self,
        labels: NDArray[np.int64],
        gatherings: Sequence[str],
        taxa: int,
        *,
        balanced: bool,
        scale_of: ScaleOf,
    ) -> None:
        self.labels = labels
        self.taxa = taxa
        self.balanced = balanced
        self.scale = 1.0
        self._scale_of = scale_of
        folds = blocked_folds(labels, gatherings, FOLDS)
        if min_training_images(folds) <= taxa:
            folds = np.zeros(len(labels), dtype=np.int64)  # too few images to leave any out
        self._folds = folds
        self._head_of_image = np.where(has_others_outside_fold(labels, folds), folds, FOLDS)
        self._heads: list[tuple[Tensor, Tensor]] = []

    def solve(self, embeddings: NDArray[np.float32]) -> LinearHead:
        """Solve all heads for the features of the training images (N, F), in the order of the labels.

        Returns the head of all images, at the temperature of the likelihood.
        """
        images = LabelledEmbeddings(embeddings, self.labels)
        whole = ShrunkLda(images, self.taxa, balanced=self.balanced)
        without = {
            fold: ShrunkLda(images.subset(self._folds != fold), self.taxa, balanced=self.balanced)
            for fold in range(FOLDS)
            if (self._head_of_image == fold).any()
        }
        held_out = [(lda, images.subset(self._folds == fold)) for fold, lda in without.items()]
        chosen, temperature = choose(held_out or [(whole, images)])

        def solved(lda: ShrunkLda) -> LinearHead:
            return lda.head(chosen.shrinkage, scatter=chosen.scatter).scaled(1 / temperature)

        self.scale = self._scale_of(chosen.logits / temperature, chosen.labels)
        of_all = solved(whole)
        heads = [solved(without[fold]) if fold in without else of_all for fold in range(FOLDS + 1)]
        self._heads = [
            (torch.from_numpy(head.weight).float(), torch.from_numpy(head.bias).float())
            for head in (each.scaled(self.scale) for each in heads)
        ]
        return of_all

    def logits(self, embeddings: Tensor, indices: Tensor) -> Tensor:
        """Return the logits (N, T) of embeddings (N, F), float32, of the images with these indices (N,)."""
        numbers = torch.from_numpy(self._head_of_image).to(indices.device)[indices]
        logits = embeddings.new_empty(len(embeddings), self.taxa)
        # A solved head multiplies small differences of features by large weights: never in 16 bits.
        with torch.autocast(embeddings.device.type, enabled=False):
            for number in sorted(set(numbers.tolist())):
                weight, bias = (part.to(embeddings.device) for part in self._heads[number])
                mask = numbers == number
                logits[mask] = linear(embeddings[mask], weight, bias)
        return logits

    def state(self) -> list[tuple[Tensor, Tensor]]:
        """Return the solved heads for a checkpoint: weights (T, F) and biases (T,)."""
        return self._heads

    def restore(self, state: list[tuple[Tensor, Tensor]]) -> None:
        """Take the heads of a checkpoint."""
        self._heads = state
