"""Optimizer and learning rate schedule of fine-tuning.

Learning rates are graded from the first layers to the head (discriminative fine-tuning: Howard & Ruder 2018, "Universal
language model fine-tuning for text classification", ACL). The head starts as a linear probe, so that a random head does
not distort the pretrained features (Kumar et al. 2022, "Fine-tuning can distort pretrained features and underperform
out-of-distribution", ICLR). A learning rate depends on the step alone, so that a resumed run is identical to an
uninterrupted one.
"""

import math
from collections.abc import Callable, Sequence
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
    """Number of steps and learning rates, derived from the job.

    Attributes:
        steps_per_epoch: batches in an epoch.
        epochs: at most.
        warmup_epochs: epochs of linear warm-up.
        learning_rate: peak learning rate of the head.
        first_layer_lr_mult: learning rate of the first layers, as a multiple of the head's.
        weight_decay: of AdamW.
        random_weights: whether training starts from random weights.
        ema_decay: decay of the moving average of the weights; 0: no average.
    """

    steps_per_epoch: int
    epochs: int
    warmup_epochs: float
    learning_rate: float
    first_layer_lr_mult: float
    weight_decay: float
    random_weights: bool
    ema_decay: float

    @classmethod
    def of(cls, job: Job, steps_per_epoch: int) -> "OptimizerSchedule":
        """Derive the schedule of a job; with random weights all layers have the same learning rate."""
        training, random = job.training, job.model.weights == "none"
        return cls(
            steps_per_epoch=steps_per_epoch,
            epochs=training.max_epochs,
            warmup_epochs=training.warmup_epochs,
            learning_rate=training.learning_rate,
            first_layer_lr_mult=1.0 if random else training.first_layer_lr_mult,
            weight_decay=training.weight_decay,
            random_weights=random,
            ema_decay=max(0.0, 1 - 1 / max(1.0, training.ema_epochs * steps_per_epoch)),
        )

    def lr_at(self, step: int, depth: float) -> float:
        """Return the learning rate at a step, from 0; ``depth`` is 0 for the first layers and 1 for the head."""
        steps = self.epochs * self.steps_per_epoch
        warmup = min(self.warmup_epochs * self.steps_per_epoch, steps / 2)
        multiple: float = self.first_layer_lr_mult ** (1 - depth)
        return self.learning_rate * multiple * _warmup_cosine(step, steps, warmup)

    def batch_norm_momentum(self, step: int) -> float:
        """Return the momentum of batch norm: the weight of a step in its running statistics.

        With random weights, the initial statistics (mean 0, variance 1) are arbitrary and would distort validation for
        the first hundred steps. The first steps are therefore averaged with equal weights.
        """
        return max(BATCH_NORM_MOMENTUM, 1 / (step + 1)) if self.random_weights else BATCH_NORM_MOMENTUM


def build_optimizer(network: Network, schedule: OptimizerSchedule) -> tuple[AdamW, LambdaLR]:
    """Return AdamW with one group of parameters per block and kind, and the schedule of their learning rates.

    Biases and the parameters of normalisation have no weight decay.
    """
    groups: list[dict[str, object]] = []
    rates: list[Callable[[int], float]] = []
    found = network.blocks()
    parts = [(f"block {number}", list(block.parameters()), number / len(found)) for number, block in enumerate(found)]
    in_blocks = {id(parameter) for _, parameters, _ in parts for parameter in parameters}
    # A transformer's position embeddings and class token belong to no block; they come before the first.
    tokens = [parameter for parameter in network.backbone.parameters() if id(parameter) not in in_blocks]
    for group in _groups("tokens", tokens, weight_decay=0.0):
        groups.append(group)
        rates.append(partial(schedule.lr_at, depth=0.0))
    parts += [(name, list(getattr(network, name).parameters()), 1.0) for name in ("pooling", "head")]
    for name, parameters, depth in parts:
        for group in _groups(name, parameters, schedule.weight_decay):
            groups.append(group)
            rates.append(partial(schedule.lr_at, depth=depth))
    # LambdaLR multiplies the group's learning rate: with 1, the functions return learning rates.
    optimizer = AdamW(groups, lr=1.0)
    return optimizer, LambdaLR(optimizer, rates)


def _groups(name: str, of_part: Sequence[nn.Parameter], weight_decay: float) -> list[dict[str, object]]:
    """Return parameter groups with and without weight decay; biases and norms have one dimension."""
    weights = [parameter for parameter in of_part if parameter.ndim > 1]
    biases = [parameter for parameter in of_part if parameter.ndim <= 1]
    return [
        {"params": parameters, "weight_decay": decay, "name": f"{name}, {kind}"}
        for parameters, decay, kind in ((weights, weight_decay, "weights"), (biases, 0.0, "biases and norms"))
        if parameters
    ]


def _warmup_cosine(step: int, steps: int, warmup: float) -> float:
    """Return a factor that rises linearly to 1 over ``warmup`` steps, then falls along a cosine to 0 at ``steps``."""
    if step < warmup:
        return (step + 1) / (warmup + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warmup) / max(1.0, steps - warmup))))
