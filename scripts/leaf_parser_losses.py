"""Losses of the two networks of the leaf parser."""

import torch
from torch import Tensor
from torch.nn import functional

Batch = dict[str, Tensor]


def peak_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Focal loss of heat maps (Law & Deng 2018, CornerNet), over the number of peaks."""
    likely = functional.logsigmoid(logits), functional.logsigmoid(-logits)
    chance = torch.sigmoid(logits)
    peaks = (targets > 0.99).float() * weights
    hit = peaks * likely[0] * (1 - chance) ** 2
    miss = (weights - peaks) * likely[1] * chance**2 * (1 - targets) ** 4
    return -(hit + miss).sum() / peaks.sum().clamp(min=1)


def mask_loss(logits: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Cross-entropy plus Dice over each map of the batch."""
    entropy = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    mean = (entropy * weights).sum() / weights.sum().clamp(min=1)
    chance = torch.sigmoid(logits) * weights
    overlap = (2 * (chance * targets).sum(dim=(2, 3)) + 20) / ((chance + targets * weights).sum(dim=(2, 3)) + 20)
    there = (weights.sum(dim=(2, 3)) > 0).float()
    return mean + 0.5 * ((1 - overlap) * there).sum() / there.sum().clamp(min=1)


def weighted(values: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean."""
    return (values * weights).sum() / weights.sum().clamp(min=1e-3)


def overview_losses(maps: Tensor, targets: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Parts of the loss of the overview network."""
    vectors = functional.smooth_l1_loss(maps[:, 3:8], targets[:, 3:8], beta=0.05, reduction="none")
    towards = functional.binary_cross_entropy_with_logits(maps[:, 8], targets[:, 8], reduction="none")
    return {
        "areas": mask_loss(maps[:, :2], targets[:, :2], weights[:, :2]),
        "centres": 0.3 * peak_loss(maps[:, 2], targets[:, 2], weights[:, 2]),
        "to_centre": 2 * weighted(vectors[:, :2], weights[:, 3:5]),
        "axes": weighted(vectors[:, 2:], weights[:, 5:8]),
        "towards": 0.5 * weighted(towards, weights[:, 8]),
    }


def leaf_losses(outputs: tuple[Tensor, ...], batch: Batch) -> dict[str, Tensor]:
    """Parts of the loss of the leaf network."""
    fine, coarse, rows, facts = (output.float() for output in outputs)
    weights = {name: batch[f"{name}_weight"] for name in ("fine", "coarse", "rows", "facts")}
    away = functional.smooth_l1_loss(coarse[:, 2], batch["coarse"][:, 2], beta=0.02, reduction="none")
    signal = functional.binary_cross_entropy_with_logits(rows, batch["rows"], reduction="none")
    on_peaks = weights["rows"] * torch.cat([1 + 3 * batch["rows"][:, :2], torch.ones_like(rows[:, 2:])], dim=1)
    known = functional.binary_cross_entropy_with_logits(facts, batch["facts"], reduction="none")
    return {
        "blade": mask_loss(fine[:, :1], batch["fine"][:, :1], weights["fine"][:, :1]),
        "midrib": 0.5 * mask_loss(fine[:, 1:2], batch["fine"][:, 1:2], weights["fine"][:, 1:2]),
        "secondary": 2 * mask_loss(fine[:, 2:3], batch["fine"][:, 2:3], weights["fine"][:, 2:3]),
        "petiole": 0.3 * mask_loss(fine[:, 3:], batch["fine"][:, 3:], weights["fine"][:, 3:]),
        "ends": 0.2 * peak_loss(coarse[:, :2], batch["coarse"][:, :2], weights["coarse"][:, :2]),
        "courses": 2 * weighted(away, weights["coarse"][:, 2]),
        "counts": 2 * weighted(signal[:, :2], on_peaks[:, :2]),
        "seen": 0.3 * weighted(signal[:, 2:], on_peaks[:, 2:]),
        "facts": 0.3 * weighted(known, weights["facts"]),
    }
