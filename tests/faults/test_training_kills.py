"""Training that is killed at random moments and continued ends with every epoch once and a whole bundle."""

import csv
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from leafid.bundle import read_bundle
from leafid.errors import ExitCode
from tests.faults.commands import LEAFID, MOST_SECONDS
from tests.faults.figures import LONG, SEED, figures_of
from tests.faults.image_seeds import drawn

KILLS = 10
EPOCHS = 4
SHEETS = 24
JOB = f"""
name: violas
recipe: none
seed: 3
sources: [{{kind: folder, path: sheets}}]
curation: {{split: {{val: 0.25, test: 0.25}}}}
sheets: {{size: 32}}
model: {{backbone: shufflenet_v2_x1_0, weights: none}}
training: {{max_epochs: {EPOCHS}, batch_size: 8, augmentation: light, workers: 0, device: cpu}}
"""

pytestmark = [
    pytest.mark.skipif(not LONG, reason="imports torch many times; tests/learning/test_resuming.py kills a run once"),
    pytest.mark.timeout(4 * 3600),
]


def test_killed_training_can_be_continued(tmp_path: Path) -> None:
    figures = figures_of("kills: train")
    for number in range(SHEETS):
        path = tmp_path / "sheets" / ("Viola alba" if number % 2 else "Viola biflora") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn(number).save(path)
    (tmp_path / "job.yaml").write_text(JOB)
    subprocess.run([str(LEAFID), "collect", "job.yaml"], cwd=tmp_path, check=True, capture_output=True)
    chance = random.Random(f"training {SEED}")
    kills = rounds_done = 0
    while kills < KILLS:
        run = tmp_path / f"run {rounds_done}"
        for _ in range(min(chance.choice((1, 2, 3)), KILLS - kills)):
            delay, number = chance.random() * 25, chance.choice((signal.SIGKILL, signal.SIGTERM))
            code, messages = _train(tmp_path, run, kill_after=delay, number=number)
            figures.add_message(messages)
            assert code in (-number, ExitCode.OK), messages
            kills += 1
        code, messages = _train(tmp_path, run)
        figures.add_message(messages)
        assert code == ExitCode.OK or "is finished" in messages, messages
        with (run / "metrics.csv").open(newline="") as opened:
            epochs = [row["epoch"] for row in csv.DictReader(opened)]
        figures.add_records(epochs, [str(epoch + 1) for epoch in range(EPOCHS)])
        assert read_bundle(run).info.provenance.best_epoch in range(1, EPOCHS + 1)
        rounds_done += 1
    figures.check()


def _train(
    folder: Path, run: Path, *, kill_after: float | None = None, number: signal.Signals = signal.SIGKILL
) -> tuple[int, str]:
    """Start or continue training and perhaps kill it; return exit code and messages."""
    resume = ["--resume"] if (run / "run.json").exists() else []
    with subprocess.Popen(
        [str(LEAFID), "train", "job.yaml", "--out", str(run), *resume],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    ) as process:
        if kill_after is not None:
            end = time.monotonic() + kill_after
            while process.poll() is None and time.monotonic() < end:
                time.sleep(0.02)
            process.send_signal(number)
        messages, _ = process.communicate(timeout=MOST_SECONDS)
    return process.returncode, messages
