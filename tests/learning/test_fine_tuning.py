"""Training and validation steps, in a complete run."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch.nn.functional import cross_entropy

from leafid.bundle import read_bundle
from leafid.jobs import Job
from leafid.learning import train
from leafid.learning.data.samples import collate
from leafid.learning.models.network import load_network
from leafid.learning.run_samples import split_samples


@pytest.mark.parametrize("mix", ["none", "both"])
def test_val_is_never_mixed(make_job: Callable[..., Job], tmp_path: Path, mix: str) -> None:
    """The val loss in ``metrics.csv`` is that of the bundle's network on unmixed images."""
    job = make_job(mix=mix, max_epochs=1, ema_epochs=0, label_smoothing=0)
    run = train(job, run=tmp_path / "run")
    reported = pd.read_csv(run.folder / "metrics.csv")["val_loss"].iloc[-1]
    samples = split_samples(run, "val", drawn=None)
    batch = collate([samples[number] for number in range(len(samples))])
    with torch.inference_mode():
        logits = load_network(read_bundle(run.bundle_folder))(batch.bags).logits
    assert float(cross_entropy(logits, batch.labels)) == pytest.approx(reported, rel=1e-3)
