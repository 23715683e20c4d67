"""The scale of the logits of the heads through which fine-tuning looks.

A probe's logits have the scale that minimises the cross-entropy of unmixed images. Under label smoothing or mixup that
scale is too large: the first steps would shrink all logits instead of learning to distinguish taxa.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from torch import Tensor

from leafid.jobs import Mix
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.mixup import draw_share

SMALLEST_SCALE = 0.01
"""Limit of the scale; below it all taxa are almost equally likely."""

MIXED_DRAWS = 16
"""How often each held-out image is mixed with another one."""


def logit_scale(
    logits: NDArray[np.float64], labels: NDArray[np.int64], *, loss: HierarchicalLoss, mix: Mix, seed: int
) -> float:
    """Return the factor of the logits, at most 1, at which the training loss of held-out images is lowest.

    The logits of a mixed image are taken as those of its two images, averaged with their shares; this is exact for a
    linear network. The factor is at most 1, because a few images that are all classified correctly would drive it to
    infinity (certainty).

    Args:
        logits: (N, T), calibrated, of images that the head was not fitted to.
        labels: (N,).
        loss: of the training.
        mix: how training mixes images.
        seed: of the mixing.
    """
    images, answers = torch.from_numpy(logits), torch.from_numpy(labels)
    partners: Tensor | None = None
    shares: Tensor | None = None
    if mix != "none":
        images, answers = images.repeat(MIXED_DRAWS, 1), answers.repeat(MIXED_DRAWS)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            partners = torch.randperm(len(answers))
            shares = torch.tensor([draw_share(mix)[0] for _ in range(len(answers))], dtype=images.dtype)
        images = torch.lerp(images[partners], images, shares[:, None])

    def training_loss(log_scale: float) -> float:
        return float(loss(images * float(np.exp(log_scale)), answers, partners, shares))

    found = minimize_scalar(training_loss, bounds=(np.log(SMALLEST_SCALE), 0.0), method="bounded")
    # The search does not reach the ends of its range exactly.
    return 1.0 if training_loss(0.0) <= found.fun else float(np.exp(found.x))
