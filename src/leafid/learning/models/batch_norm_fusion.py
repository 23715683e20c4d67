"""Fuse batch norm into convolutions for inference.

In eval mode, batch norm multiplies each channel by a constant and adds another. Merged into the weights of the
convolution before it, it takes no time. Logits change by rounding only.
"""

import copy

import torch
from torch import fx, nn

from leafid.learning.models.network import Network


def fuse_batch_norm(network: Network, device: torch.device) -> Network:
    """Copy a network to a device, in eval mode and with batch norm fused into its convolutions.

    The copy gives the outputs of the network in eval mode, up to rounding. Its blocks differ from those of the network:
    heat maps need the network itself.
    """
    fused = copy.deepcopy(network).eval()
    fused.backbone = _fused(fused.backbone)
    return fused.to(memory_format=torch.channels_last).to(device)


def _fused(backbone: nn.Module) -> nn.Module:
    """Fuse batch norm; a backbone that torch.fx cannot trace, such as some of timm's, is returned unchanged."""
    from torch.fx.experimental.optimization import fuse  # imported here, because other engines do not need it

    try:
        graph = fx.symbolic_trace(backbone)
    except (TypeError, RuntimeError, ValueError):  # torch.fx raises these at control flow that depends on data
        return backbone
    return fuse(graph, inplace=True, no_trace=True)
