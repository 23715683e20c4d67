"""Networks that only answer: nothing is learnt, so that what follows a convolution can become a part of it.

Batch norm with fixed statistics is a factor and a sum for each channel; put into the weights of the convolution before
it, it costs nothing (mobilenet_v2 on a CPU: 1.7 times as many views a second; logits differ by a millionth).
"""

import copy

import torch
from torch import fx, nn

from leafid.learning.models.network import Network


def fuse_batch_norm(network: Network, device: torch.device) -> Network:
    """Copy a network to a device, in eval mode and with its batch norm folded into its convolutions.

    The copy answers as the network does in eval mode, up to rounding. Its blocks are not those of the network: for heat
    maps, take the network itself.
    """
    answering = copy.deepcopy(network).eval()
    answering.backbone = _folded(answering.backbone)
    return answering.to(memory_format=torch.channels_last).to(device)


def _folded(backbone: nn.Module) -> nn.Module:
    """Fold batch norm; a network whose calculation cannot be followed, as some of timm's cannot, stays as it is."""
    from torch.fx.experimental.optimization import fuse  # the other engines start without it

    try:
        graph = fx.symbolic_trace(backbone)
    except (TypeError, RuntimeError, ValueError):  # what torch.fx raises where the way depends on the pixels
        return backbone
    return fuse(graph, inplace=True, no_trace=True)
