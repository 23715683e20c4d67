"""Resumed runs end like uninterrupted ones; what cannot be resumed is refused."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from leafid.bundle import read_bundle
from leafid.errors import RunError
from leafid.jobs import dump_job
from leafid.learning import Run, train

from .conftest import MakeJob


def test_a_killed_and_resumed_run_ends_like_an_uninterrupted_one(
    trained: Run, make_job: MakeJob, tmp_path: Path
) -> None:
    job, run = tmp_path / "leaves.yaml", tmp_path / "run"
    # Two workers instead of none: their number must not matter.
    job.write_text(dump_job(make_job(workers=2)), encoding="utf-8")
    command = [sys.executable, "-c", "from leafid.cli import main; main()", "train", str(job), "--out", str(run)]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not (run / "checkpoints" / "last.ckpt").is_file():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    killed = Run.open(run)
    assert killed.info.state == "training"
    assert not killed.bundle_folder.exists()

    resumed = train(make_job(), run=run, resume=True)

    assert resumed.info.state == "finished"
    assert resumed.info.resumed == 1
    assert resumed.info.steps == trained.info.steps
    metrics, uninterrupted = (pd.read_csv(folder / "metrics.csv") for folder in (run, trained.folder))
    assert list(metrics["epoch"]) == [1, 2, 3, 4, 5]
    torch.testing.assert_close(torch.tensor(metrics["val_loss"]), torch.tensor(uninterrupted["val_loss"]))
    before, now = read_bundle(trained.folder).tensors(), read_bundle(run).tensors()
    for name in before:
        torch.testing.assert_close(now[name], before[name], msg=name)


def test_a_partly_written_checkpoint_is_not_loaded(make_job: MakeJob, tmp_path: Path) -> None:
    run = train(make_job(max_epochs=1), run=tmp_path / "run")
    _back_to_training(run)
    whole = run.checkpoints / "last.ckpt"
    # After a kill while writing: a part under a temporary name, and the intact checkpoint of the epoch before.
    partial = run.checkpoints / ".last.ckpt.123.partial"
    partial.write_bytes(whole.read_bytes()[:1000])
    again = train(make_job(max_epochs=1), run=run.folder, resume=True)
    assert again.info.steps == 3
    assert not partial.exists()
    # After a disk failure: a truncated checkpoint.
    _back_to_training(run)
    whole.write_bytes(whole.read_bytes()[:-2000])
    with pytest.raises(RunError, match=r"last\.ckpt is damaged"):
        train(make_job(max_epochs=1), run=run.folder, resume=True)


def test_killed_between_the_last_epoch_and_the_bundle(trained: Run, make_job: MakeJob, tmp_path: Path) -> None:
    shutil.copytree(trained.folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "bundle")
    run = Run.open(tmp_path / "run")
    _back_to_training(run)
    resumed = train(make_job(), run=run.folder, resume=True)
    assert resumed.info.steps == trained.info.steps
    assert read_bundle(run.folder).info.weights_sha256 == read_bundle(trained.folder).info.weights_sha256


def test_early_stopping_stays_in_force(make_job: MakeJob, tmp_path: Path) -> None:
    job = make_job(learning_rate=1e-12, augmentation="none", max_epochs=9, patience=1)
    run = train(job, run=tmp_path / "run")
    stopped_at = run.info.steps
    _back_to_training(run)
    assert train(job, run=run.folder, resume=True).info.steps == stopped_at


def test_killed_before_the_first_epoch_was_complete(trained: Run, make_job: MakeJob, tmp_path: Path) -> None:
    for name in ("run.json", "job.yaml", "split.csv"):
        shutil.copy(trained.folder / name, tmp_path / name)
    _back_to_training(Run.open(tmp_path))
    resumed = train(make_job(), run=tmp_path, resume=True)
    assert resumed.info.steps == trained.info.steps


def test_a_finished_run_is_not_changed(trained: Run, make_job: MakeJob, caplog: pytest.LogCaptureFixture) -> None:
    before = {path: path.read_bytes() for path in trained.folder.rglob("*") if path.is_file()}
    again = train(make_job(), run=trained.folder, resume=True)
    assert again.info == trained.info
    assert "nothing to resume" in caplog.text
    assert {path: path.read_bytes() for path in trained.folder.rglob("*") if path.is_file()} == before


def test_another_job_is_refused_and_its_differences_are_listed(trained: Run, make_job: MakeJob) -> None:
    job = make_job(learning_rate=1e-4, workers=1).model_copy(update={"seed": 9})
    with pytest.raises(RunError) as caught:
        train(job, run=trained.folder, resume=True)
    assert "training.learning_rate: 0.001 in the run, 0.0001 now" in str(caught.value)
    assert "seed: 7 in the run, 9 now" in str(caught.value)
    assert "workers" not in str(caught.value)


def test_nothing_to_resume(make_job: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="does not exist"):
        train(make_job(), run=tmp_path / "nowhere", resume=True)


def _back_to_training(run: Run) -> None:
    run.record(state="training", ended=None, steps=None, best_epoch=None, val_macro_f1=None)
