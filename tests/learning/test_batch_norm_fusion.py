"""Batch norm fusion: equal output, fewer operations, and the original network is not changed."""

import pytest
import torch
from torch import nn

from leafid.jobs import BACKBONES, ModelSettings
from leafid.learning import Bags, Network, build_network, fuse_batch_norm
from leafid.learning.models.backbones import network_spec

CPU = torch.device("cpu")


def trained(backbone: str, pooling: str = "average") -> Network:
    """A network in training mode, whose batch norm has seen images."""
    torch.manual_seed(0)
    network = build_network(network_spec(ModelSettings.model_validate({"backbone": backbone, "pooling": pooling})), 4)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return network.train()


def batch_norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize("backbone", BACKBONES)
def test_fused_output_equals_that_of_the_network(backbone: str) -> None:
    network, bags = trained(backbone), Bags.of_single_views(torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8))

    fused = fuse_batch_norm(network, CPU)

    with torch.inference_mode():
        output, expected = fused(bags).embeddings, network.eval()(bags).embeddings
    assert torch.allclose(output, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    assert batch_norms(fused) < batch_norms(network) or not batch_norms(network)


def test_a_truncated_network_is_fused() -> None:
    network, pixels = trained("mobilenet_v2", "covariance"), torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)

    fused = fuse_batch_norm(network, CPU)

    with torch.inference_mode():
        assert torch.allclose(fused.logits_of_views(pixels), network.eval().logits_of_views(pixels), atol=1e-4)
    assert batch_norms(fused) == 0


def test_the_original_network_is_not_changed() -> None:
    network = trained("mobilenet_v2")
    before = {name: value.clone() for name, value in network.state_dict().items()}

    fuse_batch_norm(network, CPU)

    assert network.training
    assert batch_norms(network) > 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_that_cannot_be_traced_is_not_fused() -> None:
    class ByBrightness(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels.mean(dim=(2, 3)) if pixels.mean() > 0 else -pixels.mean(dim=(2, 3))

    network = Network(ByBrightness(), 3, 4, network_spec(ModelSettings())).eval()
    pixels = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)

    assert torch.equal(fuse_batch_norm(network, CPU).logits_of_views(pixels), network.logits_of_views(pixels))
