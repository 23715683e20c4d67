"""Learning rates by depth and by step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leafid.bundle import NetworkSpec
from leafid.learning import Network, build_network
from leafid.learning.recipe import Recipe, optimiser

from .conftest import MakeJob

SPEC = NetworkSpec(backbone="mobilenet_v3_small", dropout=0.0, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
RECIPE = Recipe(
    steps_per_epoch=10,
    epochs=6,
    head_epochs=2,
    warmup_epochs=1,
    rate=1e-3,
    head_rate=1e-2,
    first_layer_rate=0.1,
    weight_decay=0.05,
    from_random=False,
)


@pytest.fixture(scope="module")
def network() -> Network:
    """A small network."""
    return build_network(SPEC, taxa=3)


def rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    return {group["name"]: group["lr"] for group in optimizer.param_groups}


def test_rates_rise_from_the_image_to_the_head(network: Network) -> None:
    optimizer, schedule = optimiser(network, RECIPE)
    at_start = rates(optimizer)
    assert at_start["head, weights"] > 0
    assert all(rate == 0 for name, rate in at_start.items() if name.startswith("block"))
    for _ in range(30):  # to the end of the warm-up
        optimizer.step()
        schedule.step()
    peak = rates(optimizer)
    blocks = [rate for name, rate in peak.items() if name.endswith(", weights") and name.startswith("block")]
    assert blocks == sorted(blocks)
    assert len(set(blocks)) == len(network.blocks())
    assert blocks[0] == pytest.approx(1e-4)
    assert blocks[-1] < peak["head, weights"] == pytest.approx(1e-3)


def test_every_parameter_is_in_one_group_and_only_weights_decay(network: Network) -> None:
    optimizer, _ = optimiser(network, RECIPE)
    grouped = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(map(id, grouped)) == sorted(map(id, network.parameters()))
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0.0)


@given(
    steps=st.integers(1, 50),
    epochs=st.integers(1, 30),
    head=st.integers(0, 30),
    warmup=st.floats(0, 40),
    step=st.floats(0, 1),
)
def test_rates_are_never_negative_nor_above_their_highest(
    steps: int, epochs: int, head: int, warmup: float, step: float
) -> None:
    recipe = Recipe(steps, epochs, min(head, epochs), warmup, 1e-3, 1e-2, 0.1, 0.0, from_random=False)
    at = int(step * steps * epochs)
    assert 0 <= recipe.head_rate_at(at) <= 1e-2
    assert 0 <= recipe.backbone_rate_at(at, 0.5) <= 1e-3


def test_random_weights_have_no_head_phase_and_one_rate(make_job: MakeJob) -> None:
    recipe = Recipe.of(make_job(model={"weights": "none"}, head_epochs=3), steps_per_epoch=10)
    assert recipe.head_epochs == 0
    assert recipe.backbone_rate_at(20, depth=0.0) == recipe.head_rate_at(20)
