"""Learning rates by depth and step."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leafid.bundle import NetworkSpec
from leafid.learning import Network, build_network
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule, build_optimizer

from .conftest import MakeJob

SPEC = NetworkSpec(backbone="mobilenet_v3_small", dropout=0.0, mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
SCHEDULE = OptimizerSchedule(
    steps_per_epoch=10,
    epochs=6,
    warmup_epochs=1,
    learning_rate=1e-3,
    first_layer_lr_mult=0.1,
    weight_decay=0.05,
    random_weights=False,
    ema_decay=0.0,
)


@pytest.fixture(scope="module")
def network() -> Network:
    """A small network."""
    return build_network(SPEC, taxa=3)


def rates(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    return {group["name"]: group["lr"] for group in optimizer.param_groups}


def test_learning_rates_rise_from_the_first_layers_to_the_head(network: Network) -> None:
    optimizer, schedule = build_optimizer(network, SCHEDULE)
    for _ in range(10):  # to the end of the warm-up
        optimizer.step()
        schedule.step()
    peak = rates(optimizer)
    blocks = [rate for name, rate in peak.items() if name.endswith(", weights") and name.startswith("block")]
    assert blocks == sorted(blocks)
    assert len(set(blocks)) == len(network.blocks())
    assert blocks[0] == pytest.approx(1e-4)
    assert blocks[-1] < peak["head, weights"] == pytest.approx(1e-3)


def test_every_parameter_is_in_one_group_and_only_weights_decay(network: Network) -> None:
    optimizer, _ = build_optimizer(network, SCHEDULE)
    grouped = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    assert sorted(map(id, grouped)) == sorted(map(id, network.parameters()))
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert group["weight_decay"] == (0.05 if parameter.ndim > 1 else 0.0)


@given(
    steps=st.integers(1, 50),
    epochs=st.integers(1, 30),
    warmup=st.floats(0, 40),
    step=st.floats(0, 1),
    depth=st.floats(0, 1),
)
def test_learning_rates_are_between_zero_and_the_peak(
    steps: int, epochs: int, warmup: float, step: float, depth: float
) -> None:
    schedule = OptimizerSchedule(steps, epochs, warmup, 1e-3, 0.1, 0.0, random_weights=False, ema_decay=0.0)
    at = int(step * steps * epochs)
    assert 0 <= schedule.lr_at(at, depth) <= schedule.lr_at(at, 1.0) <= 1e-3


def test_random_weights_have_one_learning_rate(make_job: MakeJob) -> None:
    schedule = OptimizerSchedule.of(make_job(model={"weights": "none"}), steps_per_epoch=10)
    assert schedule.lr_at(20, depth=0.0) == schedule.lr_at(20, depth=1.0) > 0


def test_the_decay_of_the_moving_average_follows_from_ema_epochs(make_job: MakeJob) -> None:
    decays = [OptimizerSchedule.of(make_job(ema_epochs=each), steps_per_epoch=10).ema_decay for each in (0, 1, 5)]
    assert decays == pytest.approx([0, 0.9, 0.98])
