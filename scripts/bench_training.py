"""Does training wait for its data? Images per second of a whole training, and of bare steps on one batch in memory.

The job is trained for three epochs in a temporary folder, as `leafid train` does it: views read and augmented in worker
processes, averaged weights, logs. The rate of its last epoch (``images_per_s`` of metrics.csv: training steps without
validation) is divided by the rate of the bare loop: forward, backward and optimiser step, over and over on one batch of
the same job, in the same process. 1.0 means that data and everything else cost nothing.

    leafid draw data/demo/drawn --sheets 288 --seed 1 && leafid collect configs/demo.yaml
    python scripts/bench_training.py configs/demo.yaml # small views, the fastest network: hard on data
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
from leafid.learning.backbones import network_spec
from leafid.learning.devices import choose_device, lightning_precision
from leafid.learning.network import build_network
from leafid.learning.recipe import Recipe, optimiser
from leafid.learning.run_images import samples_of
from leafid.learning.samples import Batch, training_loader
from leafid.learning.taxon_loss import TaxonLoss

EPOCHS = 3
WARM_UP_S, MEASURED_S = 5.0, 30.0


def bare_rate(job: Job, run: Run) -> float:
    """Return images per second of forward, backward and step alone."""
    device = choose_device(job.training.device)
    samples = samples_of(run, "train", drawn=job.training.views_per_step)
    loader = training_loader(
        samples, batch_size=job.training.batch_size, balance="none", seed=job.seed, workers=0, pin=False
    )
    batch = next(iter(loader))
    assert isinstance(batch, Batch)
    batch = batch.to(device)
    network = build_network(network_spec(job.model), len(run.info.taxonomy)).to(device).train()
    recipe = Recipe.of(job, steps_per_epoch=len(loader))
    loss_of = TaxonLoss.of(job.training, run.info.taxonomy, samples.labels).to(device)
    steps, _ = optimiser(network, recipe)
    mixed = "mixed" in lightning_precision(job.training, device)
    done, started = 0, time.perf_counter()
    while (seconds := time.perf_counter() - started) < MEASURED_S or not done:
        if seconds < WARM_UP_S:
            done, begun = 0, time.perf_counter()
        steps.zero_grad()
        with torch.autocast(device.type, torch.bfloat16, enabled=mixed):
            loss = loss_of(network(batch.bags).logits.float(), batch.labels)
        loss.backward()
        steps.step()
        loss.item()  # waits for a GPU
        done += len(batch.labels)
    return done / (time.perf_counter() - begun)


def main() -> None:
    """Train, step barely, and print both rates with their ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job", type=Path)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    job = with_settings(
        load_job(options.job, options.overrides), {"training.mode": "fine-tune", "training.max_epochs": EPOCHS}
    )
    with tempfile.TemporaryDirectory() as folder:
        run = train(job, run=Path(folder) / "run")
        whole = float(pd.read_csv(run.folder / "metrics.csv")["images_per_s"].iloc[-1])
        bare = bare_rate(job, run)
    figures = {
        "backbone": job.model.backbone,
        "view px": job.sheets.size,
        "device": run.info.device,
        "training images/s": round(whole, 1),
        "bare steps images/s": round(bare, 1),
        "ratio": round(whole / bare, 3),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
