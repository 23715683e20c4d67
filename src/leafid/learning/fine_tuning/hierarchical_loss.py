"""The loss of fine-tuning: cross-entropy at species and, optionally, at genus and family.

The probability of a genus is the sum of the probabilities of its species, so it needs no head of its own. The mean of
the cross-entropies at all ranks is the hierarchical cross-entropy of Bertinetto et al. 2020, "Making better mistakes:
leveraging class hierarchies with deep networks", CVPR, with equal weights of the ranks: a prediction in the wrong genus
costs more than one in the right genus.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from leafid.errors import RunError
from leafid.jobs import TrainingSettings, is_own_code, own_function
from leafid.taxonomy import Rank, Taxonomy

OwnLoss = Callable[[Tensor, Tensor], Tensor]
"""From logits (N, T) and labels (N,) to the loss of each image (N,)."""

log = logging.getLogger(__name__)


class HierarchicalLoss(nn.Module):
    """Mean cross-entropy of images at one rank or several, optionally weighted by the rarity of their taxa.

    Args:
        weights: (T,), the weight of an image of each taxon.
        label_smoothing: share of each label that is distributed over all names of its rank.
        groups: for each higher rank (T,), int64: the group (genus or family) of each taxon, from 0.
        own: takes the place of cross-entropy (``training.loss``).
    """

    weights: Tensor

    def __init__(
        self, weights: Tensor, *, label_smoothing: float, groups: Sequence[Tensor] = (), own: OwnLoss | None = None
    ) -> None:
        super().__init__()
        self.own = own
        self.label_smoothing = label_smoothing
        self.ranks = len(groups)
        # Not part of the state: job and taxonomy define them.
        self.register_buffer("weights", weights, persistent=False)
        for number, group in enumerate(groups):
            self.register_buffer(f"group_{number}", group, persistent=False)

    @classmethod
    def of(cls, training: TrainingSettings, taxonomy: Taxonomy, train_labels: Sequence[int]) -> Self:
        """Make the loss of a job.

        Args:
            training: the job's settings.
            taxonomy: the taxa in label order, with their genera and families.
            train_labels: labels of the training images, from which the weights derive.
        """
        taxa = len(taxonomy)
        weights = _inverse_frequency_weights(train_labels, taxa) if training.balance == "loss" else torch.ones(taxa)
        groups = []
        for rank in training.higher_ranks:
            group = _groups(taxonomy, Rank(rank))
            if 1 < len(set(group.tolist())) < taxa:
                groups.append(group)
            else:
                log.warning(
                    "training.higher_ranks: %s has no effect: all taxa have the same %s, or each has its own.",
                    rank,
                    rank,
                )
        own = own_function(training.loss) if is_own_code(training.loss) else None
        return cls(weights, label_smoothing=training.label_smoothing, groups=groups, own=own)

    def forward(
        self, logits: Tensor, labels: Tensor, partners: Tensor | None = None, shares: Tensor | None = None
    ) -> Tensor:
        """Return the mean loss of images.

        Args:
            logits: (N, T).
            labels: (N,), int64.
            partners: (N,), int64: the image that each was mixed with; None: no image was mixed.
            shares: (N,), 0..1: the share of an image, and the weight of its own label; the partner has the rest.
        """
        losses, weights = self._losses(logits, labels), self.weights[labels]
        if partners is None or shares is None:
            return (weights * losses).sum() / weights.sum()
        partner_labels = labels[partners]
        own_weights, partner_weights = shares * weights, (1 - shares) * self.weights[partner_labels]
        partner_losses = self._losses(logits, partner_labels)
        return (own_weights * losses + partner_weights * partner_losses).sum() / (own_weights + partner_weights).sum()

    def _losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of each image (N,), the mean over all ranks."""
        if self.own is not None:
            return self._own_losses(logits, labels)
        by_rank = [cross_entropy(logits, labels, reduction="none", label_smoothing=self.label_smoothing)]
        for number in range(self.ranks):
            group: Tensor = getattr(self, f"group_{number}")
            summed = group_log_probabilities(log_softmax(logits, dim=1), group)
            by_rank.append(cross_entropy(summed, group[labels], reduction="none", label_smoothing=self.label_smoothing))
        return torch.stack(by_rank).mean(dim=0)

    def _own_losses(self, logits: Tensor, labels: Tensor) -> Tensor:
        assert self.own is not None
        losses = self.own(logits, labels)
        if not isinstance(losses, Tensor) or losses.shape != labels.shape:
            shape = tuple(getattr(losses, "shape", ()))
            raise RunError(
                f"training.loss: the function returned {type(losses).__name__} of shape {shape}; it must return a "
                f"tensor with the loss of each of the {len(labels)} images, ({len(labels)},)."
            )
        return losses


def group_log_probabilities(log_probabilities: Tensor, group: Tensor) -> Tensor:
    """Return log-probabilities (N, G) of groups, given those (N, T) of taxa and the group (T,) of each taxon."""
    members = group == torch.arange(int(group.max()) + 1, device=group.device)[:, None]  # (G, T)
    return log_probabilities[:, None].masked_fill(~members, -torch.inf).logsumexp(dim=2)


def _groups(taxonomy: Taxonomy, rank: Rank) -> Tensor:
    """Return the group (T,) of each taxon at a rank; a taxon with an unknown name there is a group of its own."""
    names = [taxon.at(rank) or f" {label}" for label, taxon in enumerate(taxonomy.taxa)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return torch.tensor([numbers[name] for name in names])


def _inverse_frequency_weights(labels: Sequence[int], taxa: int) -> Tensor:
    """Return weights (T,) inverse to the number of training images of a taxon; their mean over the images is 1."""
    counts = torch.bincount(torch.tensor(labels), minlength=taxa).float()
    return len(labels) / (taxa * counts.clamp(min=1))
