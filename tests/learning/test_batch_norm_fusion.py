"""A frozen network answers as the network does, in fewer steps, and leaves the network alone."""

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
def test_answers_are_those_of_the_network(backbone: str) -> None:
    network, bags = trained(backbone), Bags.of_single_views(torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8))

    answering = fuse_batch_norm(network, CPU)

    with torch.inference_mode():
        ours, theirs = answering(bags).embeddings, network.eval()(bags).embeddings
    assert torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))
    assert batch_norms(answering) < batch_norms(network) or not batch_norms(network)


def test_a_network_cut_in_the_middle_is_folded_too() -> None:
    network, pixels = trained("mobilenet_v2", "second-order"), torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)

    answering = fuse_batch_norm(network, CPU)

    with torch.inference_mode():
        assert torch.allclose(answering.logits_of_views(pixels), network.eval().logits_of_views(pixels), atol=1e-4)
    assert batch_norms(answering) == 0


def test_the_network_itself_goes_on_learning() -> None:
    network = trained("mobilenet_v2")
    before = {name: value.clone() for name, value in network.state_dict().items()}

    fuse_batch_norm(network, CPU)

    assert network.training
    assert batch_norms(network) > 0
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_that_cannot_be_followed_answers_as_it_is() -> None:
    class ByBrightness(nn.Module):
        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            return pixels.mean(dim=(2, 3)) if pixels.mean() > 0 else -pixels.mean(dim=(2, 3))

    network = Network(ByBrightness(), 3, 4, network_spec(ModelSettings())).eval()
    pixels = torch.randint(0, 256, (2, 3, 8, 8), dtype=torch.uint8)

    assert torch.equal(fuse_batch_norm(network, CPU).logits_of_views(pixels), network.logits_of_views(pixels))
