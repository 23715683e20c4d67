"""The recipe of fine-tuning: which parameters learn at which rate, and how the rates change from step to step.

Head first, then all layers with rates graded from the image to the head (discriminative rates: Howard & Ruder 2018,
"Universal language model fine-tuning for text classification", ACL). A rate is a function of the step alone, so that an
interrupted run resumes exactly.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from leafid.jobs import Job
from leafid.learning.backbones import BATCH_NORM_MOMENTUM
from leafid.learning.network import Network

HEAD_WARMUP = 0.1
"""Share of the head's own epochs over which its rate rises."""


@dataclass(frozen=True)
class Recipe:
    """How long each phase lasts and how fast it learns; derived from the job and the number of steps in an epoch."""

    steps_per_epoch: int
    epochs: int
    head_epochs: int
    warmup_epochs: float
    rate: float
    head_rate: float
    first_layer_rate: float
    weight_decay: float
    from_random: bool

    @classmethod
    def of(cls, job: Job, steps_per_epoch: int) -> "Recipe":
        """Derive the recipe; a network with random weights learns as a whole from the start."""
        training, random = job.training, job.model.weights == "none"
        return cls(
            steps_per_epoch=steps_per_epoch,
            epochs=training.max_epochs,
            head_epochs=0 if random else min(training.head_epochs, training.max_epochs),
            warmup_epochs=training.warmup_epochs,
            rate=training.learning_rate,
            head_rate=training.head_learning_rate,
            first_layer_rate=1.0 if random else training.first_layer_rate,
            weight_decay=training.weight_decay,
            from_random=random,
        )

    @property
    def head_steps(self) -> int:
        """Steps in which only the head learns."""
        return self.head_epochs * self.steps_per_epoch

    def head_rate_at(self, step: int) -> float:
        """Return the head's learning rate at a step, counted from 0."""
        if step < self.head_steps:
            return self.head_rate * _rise_and_fall(step, self.head_steps, HEAD_WARMUP * self.head_steps)
        return self.rate * self._all_layers(step)

    def backbone_rate_at(self, step: int, depth: float) -> float:
        """Return a block's learning rate at a step; ``depth`` runs from 0 at the image to 1 at the head."""
        if step < self.head_steps:
            return 0.0
        share: float = self.first_layer_rate ** (1 - depth)
        return self.rate * share * self._all_layers(step)

    def batch_norm_momentum(self, step: int) -> float:
        """Return the share of a step in the running statistics of batch norm.

        Random weights come with statistics that mean nothing (mean 0, variance 1). The first steps are averaged evenly
        instead of being mixed into those, which would otherwise spoil validation for the first hundred steps.
        """
        return max(BATCH_NORM_MOMENTUM, 1 / (step + 1)) if self.from_random else BATCH_NORM_MOMENTUM

    def _all_layers(self, step: int) -> float:
        steps = (self.epochs - self.head_epochs) * self.steps_per_epoch
        return _rise_and_fall(step - self.head_steps, steps, min(self.warmup_epochs * self.steps_per_epoch, steps / 2))


def optimiser(network: Network, recipe: Recipe) -> tuple[AdamW, LambdaLR]:
    """Make AdamW with one group of parameters per block and kind, and the schedule of their rates.

    Biases and the parameters of normalisation do not decay.
    """
    groups: list[dict[str, object]] = []
    rates: list[Callable[[int], float]] = []
    found = network.blocks()
    for number, block in enumerate(found):
        depth = number / len(found)
        for group in _groups(f"block {number}", block, recipe.weight_decay):
            groups.append(group)
            rates.append(_backbone_rate(recipe, depth))
    for group in _groups("head", network.head, recipe.weight_decay):
        groups.append(group)
        rates.append(recipe.head_rate_at)
    # LambdaLR multiplies the rate of the group: 1, so that the functions give the rates themselves.
    optimizer = AdamW(groups, lr=1.0)
    return optimizer, LambdaLR(optimizer, rates)


def _backbone_rate(recipe: Recipe, depth: float) -> Callable[[int], float]:
    return lambda step: recipe.backbone_rate_at(step, depth)


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
