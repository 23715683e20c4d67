"""Own code in a job: a backbone, an augmentation and a loss, named as package.module:function."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from leafid.bundle import read_bundle
from leafid.errors import JobError, RunError, UsageError
from leafid.jobs import Job, load_job, own_code
from leafid.learning import build_network, load_network, train
from leafid.learning.data.augmentation import augment
from leafid.learning.models.backbones import network_spec
from leafid.learning.models.pretrained_weights import initialize_network

from .conftest import MakeJob

MODULE = """
import numpy as np
import torch
from torch import nn

def small():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=4), nn.BatchNorm2d(8), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
    )

def a_list():
    return [1]

def darker(view, random):
    return (view * random.uniform(0.4, 0.6)).astype(np.uint8)

def smaller(view, random):
    return view[::2]

def focal(logits, labels):
    chosen = torch.log_softmax(logits, 1)[torch.arange(len(labels)), labels]
    return -((1 - chosen.exp()) ** 2) * chosen

def one_number(logits, labels):
    return logits.mean()
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Write a module with a practitioner's functions, which can be imported during the test."""
    (tmp_path / "my_leaves.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(own_code, "_named_by_jobs", set())
    yield tmp_path / "my_leaves.py"
    sys.modules.pop("my_leaves", None)


@pytest.mark.filterwarnings("error::UserWarning:leafid")
def test_a_job_trains_with_own_backbone_augmentation_and_loss(
    make_job: MakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = make_job(
        model={"backbone": "my_leaves:small", "weights": "as-built"},
        max_epochs=1,
        augmentation="my_leaves:darker",
        loss="my_leaves:focal",
    )
    run = train(job, run=tmp_path / "run")
    bundle = read_bundle(run.folder)
    versions = bundle.info.provenance.versions
    assert all(versions[f"my_leaves:{name}"].startswith("sha256:") for name in ("small", "darker", "focal"))
    assert bundle.info.provenance.job["training"]["loss"] == "my_leaves:focal"
    assert load_network(bundle).taxa == 2
    # A stranger's bundle must not run code: no job of this process names it, and no variable.
    monkeypatch.setattr(own_code, "_named_by_jobs", set())
    with pytest.raises(UsageError, match=r"runs the code my_leaves:small.*LEAFID_OWN_CODE"):
        load_network(bundle)
    monkeypatch.setenv("LEAFID_OWN_CODE", "other:f, my_leaves:small")
    assert load_network(bundle).taxa == 2


def test_own_weights_are_those_of_the_function(make_job: MakeJob) -> None:
    model = make_job(model={"backbone": "my_leaves:small", "weights": "as-built"}).model
    network, unused = initialize_network(model, taxa=3)
    own = sys.modules["my_leaves"].small()
    assert torch.equal(network.backbone.get_parameter("0.weight"), own.get_parameter("0.weight"))
    assert unused == ["5.weight", "5.bias"]
    assert network.last_linear.in_features == 8


def test_own_augmentation_is_repeatable_and_keeps_the_side_that_the_network_sees(make_job: MakeJob) -> None:
    assert make_job(augmentation="my_leaves:darker").training.augmentation == "my_leaves:darker"
    view = np.full((37, 37, 3), 200, dtype=np.uint8)
    first = augment(view, "my_leaves:darker", 3)
    assert first.shape == augment(view, "light", 3).shape and 75 < first.mean() < 125
    assert (augment(view, "my_leaves:darker", 3) == first).all() and (
        augment(view, "my_leaves:darker", 4) != first
    ).any()
    make_job(augmentation="my_leaves:smaller")
    with pytest.raises(RunError, match=r"my_leaves:smaller returned ndarray of shape \(19, 37, 3\)"):
        augment(view, "my_leaves:smaller", 3)


def test_a_loss_that_returns_one_number_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(max_epochs=1, loss="my_leaves:one_number")
    with pytest.raises(RunError, match=r"training.loss: the function returned Tensor of shape \(\); it must return"):
        train(job, run=tmp_path / "run")


def test_a_function_that_returns_no_module_is_refused(make_job: MakeJob) -> None:
    with pytest.raises(UsageError, match="my_leaves:a_list returned list; it must return a module of PyTorch"):
        build_network(network_spec(make_job(model={"backbone": "my_leaves:a_list"}).model), taxa=2)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"training.augmentation": "my_leaves:lighter"},
            "names a function that my_leaves does not have; it has small",
        ),
        ({"training.loss": "no_such_module:f"}, "names a module that cannot be imported"),
        ({"training.loss": "hinge"}, "must be 'cross-entropy', or package.module:function"),
        ({"model.backbone": "my_leaves:small"}, "weights: imagenet: .* set weights: as-built"),
        ({"model.weights": "as-built"}, "weights: as-built is for your own backbone"),
        ({"training.loss": "my_leaves:focal", "training.label_smoothing": 0.1}, "belong to loss: cross-entropy"),
    ],
)
def test_mistakes_are_found_when_the_job_is_read(settings: dict[str, object], message: str, tmp_path: Path) -> None:
    text = "name: own\nsources: [{kind: folder, path: images}]\n"
    for section in {key.split(".")[0] for key in settings}:
        entries = [f"  {key.split('.')[1]}: {value}" for key, value in settings.items() if key.startswith(section)]
        text += "\n".join([f"{section}:", *entries, ""])
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(JobError, match=message):
        load_job(tmp_path / "job.yaml")


def test_jobs_without_own_code_import_nothing(make_job: MakeJob) -> None:
    assert isinstance(make_job(), Job) and "my_leaves" not in sys.modules
