"""The probe of a run: the first step of every training from pretrained weights, and all of it in mode ``probe``."""

import sys
import time

import numpy as np
import torch

from leafid.learning.devices import worker_count
from leafid.learning.fine_tuning.lightning_compat import readable_errors
from leafid.learning.linear_probe.folds import blocked_folds
from leafid.learning.linear_probe.probe import compute_embeddings, fit_probe_head
from leafid.learning.models.network import Network
from leafid.learning.run import LinearProbeInfo, Run
from leafid.learning.run_samples import augmented_copy_embeddings, split_samples


def fit_linear_probe(run: Run, network: Network, device: torch.device) -> float | None:
    """Give the network the best head for its features as they are, and record it; return macro-F1 on val.

    None, and the head stays random, where there are no more training images than taxa.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    started = time.monotonic()
    training = run.job.training
    train_samples, val_samples = split_samples(run, "train", drawn=None), split_samples(run, "val", drawn=None)
    if len(train_samples) <= network.taxa:
        return None
    workers = worker_count(training.workers)
    with readable_errors():
        train, val = (
            (compute_embeddings(network, samples, device=device, workers=workers), np.asarray(samples.labels))
            for samples in (train_samples, val_samples)
        )
        copies = augmented_copy_embeddings(run, network, device=device)
    rows = run.split
    probe = fit_probe_head(
        train,
        val,
        network.taxa,
        balanced=training.balance != "none",
        copies=copies,
        folds=blocked_folds(train[1], list(rows.loc[rows["split"] == "train", "gathering_id"])),
    )
    probe.load_into(network)
    seconds = round(time.monotonic() - started, 1)
    run.record(probe=LinearProbeInfo(shrinkage=probe.shrinkage, val_macro_f1=probe.val_macro_f1, seconds=seconds))
    print(f"probe ({seconds:.0f} s): val macro-F1 {probe.val_macro_f1:.3f}", file=sys.stderr)
    return probe.val_macro_f1
