"""The probe of a run: the first step of every training from pretrained weights, and all of it in mode ``probe``."""

import sys
import time

import numpy as np
import torch

from leafid.learning.devices import worker_count
from leafid.learning.folds import folds_of_series
from leafid.learning.lightning_manners import readable_errors
from leafid.learning.network import Network
from leafid.learning.probing import embeddings_of, fit_probe
from leafid.learning.run import ProbeInfo, Run
from leafid.learning.run_images import copies_for, samples_of


def take_probe_as_head(run: Run, network: Network, device: torch.device) -> float | None:
    """Give the network the best head for its features as they are, and record it; return macro-F1 on val.

    None, and the head stays random, where there are no more training images than taxa.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    started = time.monotonic()
    training = run.job.training
    train_samples, val_samples = samples_of(run, "train", drawn=None), samples_of(run, "val", drawn=None)
    if len(train_samples) <= network.taxa:
        return None
    workers = worker_count(training.workers)
    with readable_errors():
        train, val = (
            (embeddings_of(network, samples, device=device, workers=workers), np.asarray(samples.labels))
            for samples in (train_samples, val_samples)
        )
        copies = copies_for(run, network, device=device)
    rows = run.split
    probe = fit_probe(
        train,
        val,
        network.taxa,
        balanced=training.balance != "none",
        copies=copies,
        folds=folds_of_series(train[1], list(rows.loc[rows["split"] == "train", "gathering_id"])),
    )
    probe.put_into(network)
    seconds = round(time.monotonic() - started, 1)
    run.record(probe=ProbeInfo(shrinkage=probe.shrinkage, val_macro_f1=probe.val_macro_f1, seconds=seconds))
    print(f"probe ({seconds:.0f} s): val macro-F1 {probe.val_macro_f1:.3f}", file=sys.stderr)
    return probe.val_macro_f1
