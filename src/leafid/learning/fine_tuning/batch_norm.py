"""Freezing of batch norm, so that training begins with the features that the probe was fitted to.

In train mode, batch norm replaces its statistics by those of a batch. The features of pretrained weights then change so
much that the head of a probe is worse than chance. Frozen, it uses the statistics of the pretrained weights, as timm's
``freeze_batch_norm_2d`` does. Unlike there, its scales and shifts are still trained: they are few, they move with the
weights around them, and training them alone adapts a network well (Frankle, Schwab & Morcos 2021, "Training BatchNorm
and only BatchNorm", ICLR). They start at their pretrained values and do not change the first step.
"""

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


def use_running_statistics(network: nn.Module) -> None:
    """Put all batch norms of a network in eval mode; ``network.train()`` undoes it."""
    for module in network.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
