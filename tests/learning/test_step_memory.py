"""The memory of a training step, and its division into parts where it is more than there is."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from leafid.jobs import Job
from leafid.learning import Network, Run, build_network
from leafid.learning.data.samples import training_loader, validation_loader
from leafid.learning.distributed import SINGLE_PROCESS
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.lightning_module import FineTuningModule
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule
from leafid.learning.fine_tuning.trainer import build_trainer
from leafid.learning.models.backbones import network_spec
from leafid.learning.run_samples import split_samples
from leafid.learning.step_memory import available_bytes, bytes_per_image, kept_bytes_per_pixel, parts_of_step

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
    assert parts_of_step(make_job(), network, CPU, SINGLE_PROCESS) == 1
    assert not caplog.text
    assert parts_of_step(large_job(make_job), network, CPU, SINGLE_PROCESS) == 1  # batch norm is trained
    assert "training.batch_size (4096; about" in caplog.text
    assert "training.views_per_step (2)" in caplog.text
    assert "training.scales_per_step: one" in caplog.text


def large_job(make_job: MakeJob) -> Job:
    """Make a job whose steps need terabytes."""
    job = make_job(batch_size=4096, views_per_step=2, model={"scales": [1.0, 4.0]})
    sheets = job.sheets.model_copy(update={"size": 1024, "views": job.sheets.views.model_copy(update={"tiles": 4})})
    return job.model_copy(update={"sheets": sheets})


def test_a_step_that_needs_more_memory_than_there_is_is_divided(
    network: Network, make_job: MakeJob, caplog: pytest.LogCaptureFixture
) -> None:
    free = available_bytes(CPU)
    if free is None:
        pytest.skip("the free memory of this machine is not known")
    caplog.set_level("INFO")
    job = large_job(make_job)
    sheets = job.sheets.model_copy(update={"size": 224})
    job = job.model_copy(
        update={"sheets": sheets, "model": job.model.model_copy(update={"weights": Path("imagenet.pth")})}
    )
    parts = parts_of_step(job, network, CPU, SINGLE_PROCESS)
    assert parts > 1 and 4096 % parts == 0
    assert 4096 // parts * bytes_per_image(job, network, CPU) < free
    assert f"in {parts} parts of {4096 // parts} images" in caplog.text


def test_a_step_in_parts_changes_the_weights_as_a_whole_one(trained: Run, make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job()
    run = Run.open(shutil.copytree(trained.folder, tmp_path / "run"))

    def fitted(parts: int) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        network = build_network(network_spec(job.model), taxa=2)
        network.head[0] = torch.nn.Dropout(0.0)
        schedule = replace(OptimizerSchedule.of(job, steps_per_epoch=3), random_weights=False, epochs=1)
        samples, val = (split_samples(run, split, drawn=1) for split in ("train", "val"))
        loss = HierarchicalLoss.of(job.training, run.info.taxonomy, samples.labels)
        module = FineTuningModule(
            network, schedule, loss, mix="none", seed=0, trained=torch.ones(2, dtype=torch.bool), parts=parts
        )
        loader = training_loader(samples, batch_size=8, balance="none", seed=0, workers=0, pin=False, parts=parts)
        val_loader = validation_loader(val, batch_size=8, workers=0, pin=False)
        trainer = build_trainer(job, run, CPU, [], 0, parts=parts)
        trainer.fit_loop.max_epochs = 1
        trainer.fit(module, loader, val_loader)
        assert trainer.global_step == 3
        return network.state_dict()

    whole, divided = fitted(1), fitted(4)
    for name, value in whole.items():
        assert torch.allclose(value, divided[name], atol=2e-5), name


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
