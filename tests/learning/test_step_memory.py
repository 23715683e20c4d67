"""The memory of a training step, and the warning before it is more than there is."""

import pytest
import torch

from leafid.learning import Network, build_network
from leafid.learning.models.backbones import network_spec
from leafid.learning.step_memory import available_bytes, bytes_per_image, kept_bytes_per_pixel, warn_of_memory

from .conftest import MakeJob

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def network(make_job: MakeJob) -> Network:
    """A small network."""
    return build_network(network_spec(make_job().model), taxa=2)


def test_a_step_that_needs_more_memory_than_there_is_warns_and_names_what_to_lower(
    network: Network, make_job: MakeJob, caplog: pytest.LogCaptureFixture
) -> None:
    if available_bytes(CPU) is None:
        pytest.skip("the free memory of this machine is not known")
    warn_of_memory(make_job(), network, CPU)
    assert not caplog.text
    job = make_job(batch_size=4096, views_per_step=2, model={"scales": [1.0, 4.0]})
    sheets = job.sheets.model_copy(update={"size": 1024, "views": job.sheets.views.model_copy(update={"tiles": 4})})
    warn_of_memory(job.model_copy(update={"sheets": sheets}), network, CPU)
    assert "training.batch_size (4096; about" in caplog.text
    assert "training.views_per_step (2)" in caplog.text
    assert "training.scales_per_step: one" in caplog.text


def test_memory_grows_with_views_scales_and_area(network: Network, make_job: MakeJob) -> None:
    one = bytes_per_image(make_job(), network, CPU)
    two_scales: dict[str, object] = {"scales": [1.0, 0.5]}
    assert bytes_per_image(make_job(model=two_scales), network, CPU) == pytest.approx(1.25 * one, rel=1e-6)
    assert bytes_per_image(make_job(model=two_scales, scales_per_step="one"), network, CPU) == one


def test_the_network_is_not_changed(network: Network) -> None:
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert kept_bytes_per_pixel(network, 64) > 4 * 24 / 4  # at least the first map: 24 channels at half the side
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
