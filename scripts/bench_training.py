"""Measure whether training waits for its data: images/s of whole training, divided by images/s of bare steps.

Training runs for a few epochs in a temporary folder, as `leafid train` does: workers read and augment views, weights
are averaged, logs are written. Its rate is ``images_per_s`` of metrics.csv (training steps without validation), over
all epochs but the first. The bare loop, in the same process, holds the batches of one epoch in memory and runs only
forward, backward and optimiser step. It runs before and after training, since the speed of a machine changes, and the
mean counts. A ratio of 1.0 means that data and everything else cost nothing.

    leafid synthesize data/demo/drawn --sheets 288 --seed 1 && leafid collect configs/demo.yaml
    python scripts/bench_training.py configs/demo.yaml # small views and the fastest network: the data must keep up
    python scripts/bench_training.py configs/demo.yaml --set sheets.size=224 --set model.backbone=mobilenet_v2
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import pandas as pd
import torch

from leafid.jobs import Job, load_job, with_settings
from leafid.learning import Run, train
from leafid.learning.data.samples import Batch, EpochSampler, training_loader
from leafid.learning.devices import choose_device, lightning_precision
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.malloc_tuning import malloc_tuning_applies, reset_malloc, tune_malloc
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule, build_optimizer
from leafid.learning.models.backbones import network_spec
from leafid.learning.models.network import build_network
from leafid.learning.run_samples import split_samples

EPOCHS = 4
MIN_SECONDS = 20.0
"""The bare loop repeats its batches for this long, after one step to warm up."""


def training_batches(job: Job, run: Run) -> list[Batch]:
    """Return the batches of the last epoch, as training draws them."""
    samples = split_samples(run, "train", drawn=job.training.views_per_step)
    settings = job.training
    loader = training_loader(
        samples, batch_size=settings.batch_size, balance=settings.balance, seed=job.seed, workers=2, pin=False
    )
    assert isinstance(loader.sampler, EpochSampler)
    loader.sampler.set_epoch(EPOCHS - 1)
    device = choose_device(settings.device)
    batches = [batch.to(device) for batch in loader if isinstance(batch, Batch)]
    return batches[1:]  # training does not count the first step of an epoch either


def bare_rate(job: Job, run: Run, batches: list[Batch]) -> float:
    """Return images/s of forward, backward and optimiser step alone."""
    device = choose_device(job.training.device)
    network = build_network(network_spec(job.model), len(run.info.taxonomy)).to(device).train()
    loss_of = HierarchicalLoss.of(job.training, run.info.taxonomy, [0]).to(device)
    optimizer, _ = build_optimizer(network, OptimizerSchedule.of(job, steps_per_epoch=len(batches)))
    mixed = "mixed" in lightning_precision(job.training, device)

    def step(batch: Batch) -> int:
        optimizer.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            loss = loss_of(network(batch.bags).logits.float(), batch.labels)
        loss.backward()
        optimizer.step()
        loss.item()  # waits for a GPU
        return len(batch.labels)

    if malloc_tuning_applies(job, device):
        tune_malloc()  # as training does
    step(batches[0])
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < MIN_SECONDS:
        done += sum(step(batch) for batch in batches)
    rate = done / (time.perf_counter() - started)
    reset_malloc()
    return rate


def main() -> None:
    """Run bare steps, train, run bare steps again, and print the rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    settings = {"training.mode": "fine-tune", "training.max_epochs": EPOCHS, "model.weights": "none"}
    job = with_settings(load_job(options.job, options.overrides), settings)
    with tempfile.TemporaryDirectory() as folder:
        # One epoch creates the folder of the run and prepares missing views.
        first = train(with_settings(job, {"training.max_epochs": 1}), run=Path(folder) / "first")
        batches = training_batches(job, first)
        before = bare_rate(job, first, batches)
        run = train(job, run=Path(folder) / "run")
        rates = pd.read_csv(run.folder / "metrics.csv")["images_per_s"].iloc[1:]
        after = bare_rate(job, first, batches)
    whole, bare = len(rates) / (1 / rates).sum(), (before + after) / 2
    figures = {
        "backbone": job.model.backbone,
        "view px": job.sheets.size,
        "device": run.info.device,
        "training images/s": round(whole, 1),
        "images/s by epoch": rates.round(1).tolist(),
        "bare steps images/s": round(bare, 1),
        "bare steps before, after": [round(before, 1), round(after, 1)],
        "ratio": round(whole / bare, 3),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
