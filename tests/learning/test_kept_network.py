"""The network that a fine-tuning ends with is the one with the highest likelihood on val."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from leafid.bundle import read_bundle
from leafid.catalog import write_catalog
from leafid.learning import Run, build_network, train
from leafid.learning.kept_network import (
    average_weights,
    choose_kept_network,
    cross_validated_nll,
    gathering_folds,
)
from leafid.learning.models.backbones import network_spec
from leafid.learning.run import LinearProbeInfo
from leafid.learning.temperature import fit_temperature

from .conftest import MakeJob, drawn_ellipse

CPU = torch.device("cpu")


def _copy(run: Run, folder: Path) -> Run:
    """Copy a run, as if it had started from a probe."""
    shutil.copytree(run.folder, folder)
    copied = Run.open(folder)
    copied.record(probe=LinearProbeInfo(shrinkage=0.1, val_macro_f1=0.0, seconds=0.0))
    return copied


def test_features_are_judged_by_a_head_that_is_solved_for_them(trained: Run, tmp_path: Path) -> None:
    """The head that a network brings does not count; of networks with equal features the probe is kept."""
    run, good = _copy(trained, tmp_path / "run"), read_bundle(trained.folder).tensors()
    kept = choose_kept_network(run, good, good | {"head.1.weight": -good["head.1.weight"]}, CPU)
    assert run.info.val_nll["probe"] == run.info.val_nll["fine-tuned"] == run.info.val_nll["averaged"]
    assert kept.name == "probe" and not run.info.fine_tuned
    assert run.info.probe is not None and run.info.probe.val_macro_f1 == kept.val_macro_f1 == 1


@pytest.mark.parametrize("refit", [True, False])
def test_networks_are_judged_as_they_are_shipped(make_job: MakeJob, tmp_path: Path, refit: bool) -> None:
    """Heads fitted to train and val are better than those of a small train, after fine-tuning as before it."""
    random, rows = np.random.default_rng(0), []
    for number in range(44):
        label, part = number % 4, "train" if number < 12 else "val"
        drawn_ellipse(4 + 4 * label + random.normal(0, 3) ** 2 / 3, random).save(tmp_path / f"{number}.png")
        rows.append((f"{number:016x}", f"{number}.png", f"Viola {'abcd'[label]}lba", f"g{number}", "specimen", part))
    columns = ["image_id", "path", "scientificName", "gathering_id", "domain", "split"]
    write_catalog(pd.DataFrame(rows, columns=columns), tmp_path / "catalog.csv")
    torch.manual_seed(0)
    weights = tmp_path / "weights.pth"
    torch.save(build_network(network_spec(make_job().model), taxa=4).state_dict(), weights)
    job = make_job(model={"weights": str(weights)}, max_epochs=1, learning_rate=1e-9, refit=refit)
    job = job.model_copy(update={"output": job.output.model_copy(update={"data": tmp_path})})
    info = train(job, run=tmp_path / "run").info
    assert abs(info.val_nll["fine-tuned"] - info.val_nll["probe"]) < 0.01  # the rate is too small to change anything
    assert info.val_nll["probe"] < 1.1 if refit else info.val_nll["probe"] > 1.1
    assert info.probe is not None and info.probe.refitted is refit


def test_averages_lie_between_start_and_end() -> None:
    start, tuned = (
        {"head.1.weight": torch.full((2, 3), value), "count": torch.tensor(int(value))} for value in (2.0, 4.0)
    )
    averaged = average_weights(start, tuned, 0.25)
    assert torch.equal(averaged["head.1.weight"], torch.full((2, 3), 2.5))
    assert averaged["count"] == 4


def test_gatherings_stay_in_one_fold() -> None:
    folds = gathering_folds(["b", "a", "b", "c", "a", "d", "e", "f"])
    assert folds[0] == folds[2] and folds[1] == folds[4]
    assert set(folds.tolist()) == {0, 1, 2, 3, 4}


def test_many_options_are_no_advantage() -> None:
    """Options that are all noise: the best of forty looks good on the images that chose it, and not on others."""
    random = np.random.default_rng(0)
    labels, folds = random.integers(0, 3, 40), np.arange(40) % 5
    options = [random.normal(0, 2, (40, 3)) for _ in range(40)]
    in_sample = min(fit_temperature(logits, labels)[1] for logits in options)
    cross_validated = cross_validated_nll(options, labels, folds)
    assert in_sample < np.log(3) < cross_validated + 0.02
    assert cross_validated_nll([3 * np.eye(3)[labels]], labels, folds) < 0.1
    assert np.isfinite(cross_validated_nll(options, labels, np.zeros(40, dtype=np.int64)))  # one gathering


def test_few_correct_answers_do_not_give_certainty() -> None:
    temperature, nll = fit_temperature(np.eye(3), np.arange(3))
    assert 0.25 <= temperature < 1
    assert nll > 0.1
