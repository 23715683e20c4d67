"""Distributed training gives the result of a single process."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.bundle import read_bundle
from leafid.errors import UsageError
from leafid.jobs import dump_job
from leafid.learning import Run, train
from leafid.learning.data.samples import EpochSampler
from leafid.learning.distributed import DistributedRank

from .conftest import MakeJob


@given(
    labels=st.lists(st.integers(0, 4), min_size=1, max_size=60),
    world=st.integers(1, 4),
    share=st.integers(1, 5),
    balanced=st.booleans(),
)
def test_ranks_together_draw_the_batches_of_one_process(
    labels: list[int], world: int, share: int, balanced: bool
) -> None:
    batch = world * share

    def draws(rank: DistributedRank) -> list[int]:
        sampler = EpochSampler(labels, batch_size=batch, balanced=balanced, seed=3, rank=rank)
        drawn = [draw.seed for draw in sampler]
        assert len(drawn) == len(sampler)
        return drawn

    parts = [np.array(draws(DistributedRank(rank, world))).reshape(-1, share) for rank in range(world)]
    assert np.concatenate(parts, axis=1).ravel().tolist() == draws(DistributedRank(0, 1))


def test_the_rank_is_read_from_the_variables_of_launchers(make_job: MakeJob) -> None:
    training = make_job(devices=4, nodes=2, batch_size=8).training
    assert DistributedRank.of(training, {}) == DistributedRank(0, 8)
    assert DistributedRank.of(training, {"NODE_RANK": "1", "LOCAL_RANK": "2"}) == DistributedRank(6, 8)
    assert DistributedRank.of(training, {"RANK": "5", "LOCAL_RANK": "1"}) == DistributedRank(5, 8)
    assert DistributedRank.of(training, {"SLURM_PROCID": "7"}) == DistributedRank(7, 8)
    assert DistributedRank.of(make_job().training, {"RANK": "5"}) == DistributedRank(0, 1)
    with pytest.raises(UsageError, match="multiple of 3"):
        DistributedRank.of(make_job(devices=3, batch_size=8).training, {})


def test_two_processes_give_the_metrics_of_one(make_job: MakeJob, tmp_path: Path) -> None:
    pytest.importorskip("timm", reason="timm is an extra: pip install leafid[timm]")
    # Without batch norm and dropout, a step with two halves of a batch equals the step with the whole batch.
    model = {"backbone": "timm/convnext_atto", "dropout": 0.0}
    job = make_job(model=model, max_epochs=2, label_smoothing=0.0)
    alone = train(job, run=tmp_path / "alone")
    file = tmp_path / "leaves.yaml"
    file.write_text(dump_job(job), encoding="utf-8")
    script = tmp_path / "leafid_train.py"  # Lightning starts the other process by the name of the script
    script.write_text("from leafid.cli import main\n\nmain()\n")
    command = [sys.executable, str(script), "train", str(file), "--out", str(tmp_path / "together")]
    command += ["--set", "training.devices=2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    together = Run.open(tmp_path / "together")
    assert together.info.state == "finished" and together.info.steps == alone.info.steps
    one, two = (pd.read_csv(run.folder / "metrics.csv") for run in (alone, together))
    for column in ("train_loss", "val_loss", "val_accuracy", "val_macro_f1"):
        np.testing.assert_allclose(two[column], one[column], atol=2e-3, err_msg=column)
    assert read_bundle(together.folder).tensors().keys() == read_bundle(alone.folder).tensors().keys()
