"""The recipe of fine-tuning: which parameters learn at which rate, and how the rates change from step to step.

All layers learn, with rates graded from the image to the head (discriminative rates: Howard & Ruder 2018, "Universal
language model fine-tuning for text classification", ACL), starting from a head that already fits the frozen features,
so that its first errors do not spoil them (Kumar et al. 2022, "Fine-tuning can distort pretrained features and
underperform out-of-distribution", ICLR). A rate is a function of the step alone, so that an interrupted run resumes
exactly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from leafid.jobs import Job
from leafid.learning.models.backbones import BATCH_NORM_MOMENTUM
from leafid.learning.models.network import Network


@dataclass(frozen=True)
class OptimizerSchedule:
    """How long training lasts and how fast it learns; derived from the job and the number of steps in an epoch."""

    steps_per_epoch: int
    epochs: int
    warmup_epochs: float
    rate: float
    first_layer_lr_mult: float
    weight_decay: float
    from_random: bool
    ema_decay: float

    @classmethod
    def of(cls, job: Job, steps_per_epoch: int) -> "OptimizerSchedule":
        """Derive the recipe; a network with random weights learns as a whole at one rate."""
        training, random = job.training, job.model.weights == "none"
        return cls(
            steps_per_epoch=steps_per_epoch,
            epochs=training.max_epochs,
            warmup_epochs=training.warmup_epochs,
            rate=training.learning_rate,
            first_layer_lr_mult=1.0 if random else training.first_layer_lr_mult,
            weight_decay=training.weight_decay,
            from_random=random,
            ema_decay=max(0.0, 1 - 1 / max(1.0, training.ema_epochs * steps_per_epoch)),
        )

    def lr_at(self, step: int, depth: float) -> float:
        """Return the learning rate at a step, counted from 0; ``depth`` runs from 0 at the image to 1 at the head."""
        steps = self.epochs * self.steps_per_epoch
        warmup = min(self.warmup_epochs * self.steps_per_epoch, steps / 2)
        share: float = self.first_layer_lr_mult ** (1 - depth)
        return self.rate * share * _rise_and_fall(step, steps, warmup)

    def batch_norm_momentum(self, step: int) -> float:
        """Return the share of a step in the running statistics of batch norm.

        Random weights come with statistics that mean nothing (mean 0, variance 1). The first steps are averaged evenly
        instead of being mixed into those, which would otherwise spoil validation for the first hundred steps.
        """
        return max(BATCH_NORM_MOMENTUM, 1 / (step + 1)) if self.from_random else BATCH_NORM_MOMENTUM


def build_optimizer(network: Network, schedule: OptimizerSchedule) -> tuple[AdamW, LambdaLR]:
    """Make AdamW with one group of parameters per block and kind, and the schedule of their rates.

    Biases and the parameters of normalisation do not decay.
    """
    groups: list[dict[str, object]] = []
    rates: list[Callable[[int], float]] = []
    found = network.blocks()
    parts = [(f"block {number}", block, number / len(found)) for number, block in enumerate(found)]
    for name, part, depth in [*parts, ("pooling", network.pooling, 1.0), ("head", network.head, 1.0)]:
        for group in _groups(name, part, schedule.weight_decay):
            groups.append(group)
            rates.append(partial(schedule.lr_at, depth=depth))
    # LambdaLR multiplies the rate of the group: 1, so that the functions give the rates themselves.
    optimizer = AdamW(groups, lr=1.0)
    return optimizer, LambdaLR(optimizer, rates)


def _groups(name: str, block: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Part a block's parameters into those that decay and those that do not (biases and norms have one dimension)."""
    decaying = [parameter for parameter in block.parameters() if parameter.ndim > 1]
    plain = [parameter for parameter in block.parameters() if parameter.ndim <= 1]
    parted = ((decaying, weight_decay, "weights"), (plain, 0.0, "biases and norms"))
    return [
        {"params": parameters, "weight_decay": decay, "name": f"{name}, {kind}"}
        for parameters, decay, kind in parted
        if parameters
    ]


def _rise_and_fall(step: int, steps: int, warmup: float) -> float:
    """Rise linearly over ``warmup`` steps to 1, then fall along half a cosine to 0 at ``steps``."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1.0, steps - warmup))))
