"""Fitting all layers: from the probe, or from random weights, to the checkpoints of the best and the last epoch."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging

from leafid.jobs import Job
from leafid.learning.data.samples import training_loader, validation_loader
from leafid.learning.devices import worker_count
from leafid.learning.distributed import DistributedRank
from leafid.learning.fine_tuning.checkpoints import LAST, StartBestAndLast, is_complete, read_checkpoint
from leafid.learning.fine_tuning.epoch_report import EpochReport, OnEpoch
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.lightning_compat import reraise_worker_errors
from leafid.learning.fine_tuning.lightning_module import FineTuningModule
from leafid.learning.fine_tuning.logit_scale import logit_scale
from leafid.learning.fine_tuning.malloc_tuning import MallocTuning, malloc_tuning_applies
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule
from leafid.learning.fine_tuning.trainer import build_trainer
from leafid.learning.linear_probe.held_out_heads import HeldOutHeads
from leafid.learning.linear_probe.probe import fit_linear_probe, has_probe, load_head
from leafid.learning.models.backbones import network_spec
from leafid.learning.models.network import Network, build_network
from leafid.learning.models.pretrained_weights import initialize_network
from leafid.learning.run import METRICS, PLOT, Run
from leafid.learning.run_samples import split_embeddings, split_samples
from leafid.learning.step_memory import parts_of_step


def completed_steps(job: Job, run: Run) -> tuple[int | None, bool]:
    """Return the number of steps of the last checkpoint (None: no checkpoint), and whether training had ended."""
    last = run.checkpoints / LAST
    if not last.is_file():  # killed before the end of the first epoch
        return None, False
    checkpoint = read_checkpoint(last)
    return int(checkpoint["global_step"]), is_complete(checkpoint, job.training.max_epochs)


def fit_all_layers(
    job: Job,
    run: Run,
    device: torch.device,
    rank: DistributedRank,
    *,
    resumed_steps: int | None,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Fine-tune from the start, or from the last checkpoint (``resumed_steps`` is not None)."""
    training, seed, taxa = job.training, job.seed, len(run.info.taxonomy)
    seed_everything(seed, workers=True, verbose=False)
    if resumed_steps is None:
        network = initial_network(job, run, record=rank.is_first)
    else:  # the checkpoint has the weights
        network = build_network(network_spec(job.model), taxa)
    network.draws_one_scale = training.scales_per_step == "one"
    parts = parts_of_step(job, network, device, rank)
    train_samples = split_samples(run, "train", drawn=training.views_per_step)
    val_samples = split_samples(run, "val", drawn=None)
    loss = HierarchicalLoss.of(training, run.info.taxonomy, train_samples.labels)
    nll_before: float | None = None
    heads: HeldOutHeads | None = None
    solve_heads: Callable[[Network], None] | None = None
    if has_probe(run):
        rows = run.split[run.split["split"] == "train"]
        heads = HeldOutHeads(
            np.asarray(train_samples.labels),
            list(rows["gathering_id"]),
            taxa,
            balanced=training.balance != "none",
            scale_of=partial(logit_scale, loss=loss, mix=training.mix, seed=seed),
        )
        if resumed_steps is None:  # a checkpoint has the heads
            if rank.is_first:  # rank 0 sends its weights to the others
                nll_before = fit_linear_probe(run, network, device).val_nll
            heads.solve(split_embeddings(run, "train", network, device=device).embeddings)
            if rank.is_first:
                run.record(logit_scale=heads.scale)
        solve_heads = _solver(heads, run, device)
    workers, pin = worker_count(training.workers), device.type == "cuda"
    train_loader = training_loader(
        train_samples,
        batch_size=training.batch_size,
        balance=training.balance,
        seed=seed,
        workers=workers,
        pin=pin,
        rank=rank,
        parts=parts,
    )
    val_loader = validation_loader(
        val_samples, batch_size=training.batch_size // parts, workers=workers, pin=pin, rank=rank
    )
    schedule = OptimizerSchedule.of(job, steps_per_epoch=len(train_loader) // parts)
    trained = torch.bincount(torch.tensor(train_samples.labels), minlength=taxa) > 0
    module = FineTuningModule(
        network,
        schedule,
        loss,
        mix=training.mix,
        seed=seed,
        trained=trained,
        parts=parts,
        heads=heads,
        solve_heads=solve_heads,
    )
    callbacks: list[Callback] = [
        # EMA comes first, so that the others see its metrics and save its weights.
        *([EMAWeightAveraging(decay=schedule.ema_decay)] if schedule.ema_decay else []),
        EarlyStopping("val_nll", mode="min", min_delta=1e-3, patience=training.patience),
        EpochReport(run.folder / METRICS, run.folder / PLOT, nll_before, on_epoch),
        StartBestAndLast(run.checkpoints, saves_start=has_probe(run)),
        *([MallocTuning()] if malloc_tuning_applies(job, device) else []),
    ]
    trainer = build_trainer(job, run, device, callbacks, resumed_steps or 0, parts=parts)
    last = run.checkpoints / LAST if resumed_steps is not None else None
    with reraise_worker_errors():
        trainer.fit(module, train_loader, val_loader, ckpt_path=last, weights_only=True)


def _solver(heads: HeldOutHeads, run: Run, device: torch.device) -> Callable[[Network], None]:
    """Return a function that solves the heads for the features of a network, and loads that of all images into it."""

    def solve(network: Network) -> None:
        embeddings = split_embeddings(run, "train", network, device=device, cached=False).embeddings
        load_head(heads.solve(embeddings), network)

    return solve


def initial_network(job: Job, run: Run, *, record: bool = True) -> Network:
    """Build the network that training starts from, and record which of its weights were not used."""
    network, unused = initialize_network(job.model, len(run.info.taxonomy))
    if record:
        run.record(weights_not_used=tuple(unused))
    return network
