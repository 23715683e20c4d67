"""Fine-tuning begins at the loss of the probe; a loss that is not finite ends it."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from leafid.bundle import read_bundle
from leafid.catalog import write_catalog
from leafid.errors import RunError, WeightsError
from leafid.jobs import Job
from leafid.learning import Bags, build_network, load_network, train
from leafid.learning.data.samples import collate
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.lightning_module import FineTuningModule
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule
from leafid.learning.models.backbones import network_spec
from leafid.learning.run_samples import split_samples

from .conftest import MakeJob, drawn_ellipse

TAXA, PER_TAXON = 4, 8
TRAIN = TAXA * PER_TAXON


@pytest.fixture(scope="module")
def look_alikes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw taxa whose leaves differ in their mean width but overlap, so that no probe is sure of them."""
    folder, random = tmp_path_factory.mktemp("look-alikes"), np.random.default_rng(0)
    rows = []
    for number in range(TRAIN + 2 * TAXA):
        label = number % TAXA
        drawn_ellipse(4 + 4 * label + random.normal(0, 3) ** 2 / 3, random).save(folder / f"{number}.png")
        rows.append(
            {
                "image_id": f"{number:016x}",
                "path": f"{number}.png",
                "scientificName": f"Viola {'abcd'[label]}lba",
                "gathering_id": f"gathering {number}",
                "split": "train" if number < TRAIN else "val",
            }
        )
    write_catalog(pd.DataFrame(rows), folder / "catalog.csv")
    return folder


@pytest.fixture(scope="module")
def foreign_weights(make_job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Weights whose batch norm has the statistics of other images than the task's, like those of ImageNet."""
    torch.manual_seed(0)
    network = build_network(network_spec(make_job().model), taxa=2)
    with torch.no_grad():
        for _ in range(20):
            network(Bags.of_single_views(torch.randint(0, 256, (16, 3, 32, 32), dtype=torch.uint8)))
    path = tmp_path_factory.mktemp("foreign") / "weights.pth"
    torch.save(network.state_dict(), path)
    return str(path)


@pytest.mark.parametrize("precision", ["32", "bf16"])
def test_the_first_step_has_the_loss_of_the_probe(
    foreign_weights: str, look_alikes: Path, make_job: MakeJob, tmp_path: Path, precision: str
) -> None:
    """One step sees every training image once, so ``train_loss`` is the loss of the first step on this batch."""

    def job(**settings: object) -> Job:
        made = make_job(model=model, augmentation="none", balance="none", **settings)
        return made.model_copy(update={"output": made.output.model_copy(update={"data": look_alikes})})

    model = {"weights": foreign_weights, "dropout": 0.5, "scales": [1.0, 0.5]}
    run = train(job(max_epochs=1, batch_size=TRAIN, precision=precision), run=tmp_path / "run")
    first_loss = pd.read_csv(run.folder / "metrics.csv")["train_loss"].iloc[0]

    probe = train(job(mode="probe"), run=tmp_path / "probe")
    samples = split_samples(probe, "train", drawn=None)
    batch = collate([samples[number] for number in range(TRAIN)])
    with torch.inference_mode():
        logits = load_network(read_bundle(probe.bundle_folder))(batch.bags).logits
    probe_loss = float(cross_entropy(logits, batch.labels))
    assert 0.05 < probe_loss < 1  # neither certain nor by chance (1.39)
    assert probe_loss / 2 < first_loss < probe_loss * 2


@pytest.mark.parametrize(("weights", "frozen"), [("none", False), ("weights.pth", True)])
def test_batch_norm_is_frozen_for_pretrained_weights_only(make_job: MakeJob, weights: str, frozen: bool) -> None:
    job = make_job(model={"weights": weights})
    network = build_network(network_spec(job.model), taxa=2)
    module = FineTuningModule(
        network,
        OptimizerSchedule.of(job, steps_per_epoch=1),
        HierarchicalLoss(torch.ones(2), label_smoothing=0.0),
        mix="none",
        seed=0,
        trained=torch.ones(2, dtype=torch.bool),
    )
    module.eval()
    module.train()  # as after validation
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    assert norms and all(norm.training is not frozen for norm in norms)
    assert all(norm.weight.requires_grad for norm in norms)
    assert network.head.training


def test_pooling_and_head_calculate_in_float32_under_autocast(make_job: MakeJob) -> None:
    torch.manual_seed(0)
    network = build_network(network_spec(make_job().model), taxa=2).eval()
    bags = Bags.of_single_views(torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8))
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = network(bags)
        assert network.logits_of_views(bags.pixels[0]).dtype == torch.float32
    assert output.embeddings.dtype == output.logits.dtype == torch.float32
    assert torch.equal(output.logits, network.head(output.embeddings))


def test_a_loss_that_is_not_finite_ends_the_run_without_a_bundle(make_job: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no longer a finite number.*learning_rate \(1e\+30\).*Lower it") as caught:
        train(make_job(learning_rate=1e30), run=tmp_path / "run")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run" / "bundle").exists()
    assert not list((tmp_path / "run").rglob("*.ckpt"))


def test_weights_with_nan_end_the_run(foreign_weights: str, make_job: MakeJob, tmp_path: Path) -> None:
    tensors = torch.load(foreign_weights, weights_only=True)
    name = next(name for name in tensors if name.startswith("backbone.") and name.endswith(".weight"))
    tensors[name][0] = torch.nan
    torch.save(tensors, tmp_path / "nan.pth")
    with pytest.raises(WeightsError, match=r"nan\.pth has values that are not numbers"):
        train(make_job(model={"weights": str(tmp_path / "nan.pth")}, mode="probe"), run=tmp_path / "run")
    assert not (tmp_path / "run" / "bundle").exists()
