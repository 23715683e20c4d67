"""The loss of fine-tuning: how wrong the logits are, at species and, if asked for, at genus and family, too.

The probability of a genus is the sum of those of its species, so no head of its own is needed. The mean of the errors
at all ranks is a hierarchical cross-entropy as of Bertinetto et al. 2020, "Making better mistakes: leveraging class
hierarchies with deep networks", CVPR, with other weights of the ranks: an answer in the wrong genus costs more than one
in the right.
"""

import logging
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from leafid.jobs import TrainingSettings
from leafid.taxonomy import Rank, Taxonomy

log = logging.getLogger(__name__)


class HierarchicalLoss(nn.Module):
    """Cross-entropy of images, weighed by the rarity of their taxa or not, at one rank or several.

    Args:
        weights: (T,), the weight of an image of each taxon.
        label_smoothing: share of each label that is spread over all names of its rank.
        groups: for each higher rank (T,), int64: the group to which each taxon belongs, from 0.
    """

    weights: Tensor

    def __init__(self, weights: Tensor, *, label_smoothing: float, groups: Sequence[Tensor] = ()) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.ranks = len(groups)
        # Not part of the state: they come from the job and the taxonomy.
        self.register_buffer("weights", weights, persistent=False)
        for number, group in enumerate(groups):
            self.register_buffer(f"group_{number}", group, persistent=False)

    @classmethod
    def of(cls, training: TrainingSettings, taxonomy: Taxonomy, train_labels: Sequence[int]) -> Self:
        """Make the loss that a job asks for.

        Args:
            training: the job's settings.
            taxonomy: the taxa in label order, with their genera and families.
            train_labels: labels of the training images, for weighing the errors.
        """
        taxa = len(taxonomy)
        weights = _by_rarity(train_labels, taxa) if training.balance == "loss" else torch.ones(taxa)
        groups = []
        for rank in training.higher_ranks:
            group = _groups(taxonomy, Rank(rank))
            if 1 < len(set(group.tolist())) < taxa:
                groups.append(group)
            else:
                log.warning("training.higher_ranks: %s changes nothing here, for it groups none of the taxa.", rank)
        return cls(weights, label_smoothing=training.label_smoothing, groups=groups)

    def forward(
        self, logits: Tensor, labels: Tensor, partners: Tensor | None = None, shares: Tensor | None = None
    ) -> Tensor:
        """Return the mean error of images.

        Args:
            logits: (N, T).
            labels: (N,), int64.
            partners: (N,), int64: the image with which each was mixed; None: none was.
            shares: (N,), 0..1: how much of a mixed image is its own and has its own label; the rest has the partner's.
        """
        errors, weights = self._errors(logits, labels), self.weights[labels]
        if partners is None or shares is None:
            return (weights * errors).sum() / weights.sum()
        others = labels[partners]
        mine, theirs = shares * weights, (1 - shares) * self.weights[others]
        return (mine * errors + theirs * self._errors(logits, others)).sum() / (mine + theirs).sum()

    def _errors(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the error of each image (N,), the mean of those at all ranks."""
        by_rank = [cross_entropy(logits, labels, reduction="none", label_smoothing=self.label_smoothing)]
        for number in range(self.ranks):
            group: Tensor = getattr(self, f"group_{number}")
            summed = group_log_probabilities(log_softmax(logits, dim=1), group)
            by_rank.append(cross_entropy(summed, group[labels], reduction="none", label_smoothing=self.label_smoothing))
        return torch.stack(by_rank).mean(dim=0)


def group_log_probabilities(log_probabilities: Tensor, group: Tensor) -> Tensor:
    """Return the logarithms (N, G) of the summed probabilities of the taxa (N, T) of each group."""
    members = group == torch.arange(int(group.max()) + 1, device=group.device)[:, None]  # (G, T)
    return log_probabilities[:, None].masked_fill(~members, -torch.inf).logsumexp(dim=2)


def _groups(taxonomy: Taxonomy, rank: Rank) -> Tensor:
    """Return the number (T,) of each taxon's group at a rank; a taxon whose name there is unknown is its own group."""
    names = [taxon.at(rank) or f" {label}" for label, taxon in taxonomy.each()]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return torch.tensor([numbers[name] for name in names])


def _by_rarity(labels: Sequence[int], taxa: int) -> Tensor:
    """Weigh each taxon by the inverse of its number of training images; their mean over the images is 1."""
    counts = torch.bincount(torch.tensor(labels), minlength=taxa).float()
    return len(labels) / (taxa * counts.clamp(min=1))
