"""Training: from a job and its catalog to a run with a bundle."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging
from torch import Tensor

from leafid.bundle import INFO as BUNDLE_INFO
from leafid.bundle import BundleInfo, Decision, Provenance, write_bundle
from leafid.errors import RunError
from leafid.files import exclusive_lock
from leafid.jobs import Job
from leafid.learning.data.samples import training_loader, validation_loader
from leafid.learning.devices import choose_device, worker_count
from leafid.learning.distributed import DistributedRank
from leafid.learning.fine_tuning.checkpoints import (
    BEST,
    LAST,
    START,
    StartBestAndLast,
    is_complete,
    network_state,
    read_checkpoint,
)
from leafid.learning.fine_tuning.epoch_report import EpochReport, OnEpoch
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.lightning_compat import keyboard_interrupts, quiet_lightning, reraise_worker_errors
from leafid.learning.fine_tuning.lightning_module import FineTuningModule
from leafid.learning.fine_tuning.logit_scale import logit_scale
from leafid.learning.fine_tuning.malloc_tuning import MallocTuning, malloc_tuning_applies
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule
from leafid.learning.fine_tuning.trainer import build_trainer
from leafid.learning.kept_network import choose_kept_network
from leafid.learning.linear_probe.probe import fit_linear_probe, has_probe
from leafid.learning.model_card import model_card
from leafid.learning.models.backbones import network_spec
from leafid.learning.models.network import Network, build_network
from leafid.learning.models.pretrained_weights import initialize_network
from leafid.learning.recipe import resolve_recipe
from leafid.learning.run import (
    METRICS,
    PLOT,
    Run,
)
from leafid.learning.run_samples import split_samples
from leafid.learning.run_start import check_run_folder, create_run, resume_run
from leafid.learning.step_memory import warn_of_memory
from leafid.statements import TrainedOn
from leafid.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

WAIT_FOR_RANK_0_S = 1800
"""How long the other processes wait for rank 0, which reads the catalog and compares all images with each other."""


def train(job: Job, *, run: Path, resume: bool = False, on_epoch: OnEpoch | None = None) -> Run:
    """Train the network of a job on its catalog and write the bundle.

    Args:
        job: the job; its catalog must have been collected.
        run: the run folder.
        resume: continue the existing run after its last complete epoch. A finished run is not changed.
        on_epoch: called after each epoch of fine-tuning with its number and macro-F1 on val.

    Raises:
        CatalogError: the catalog is missing or has mistakes.
        SplitError: the split leaks a gathering, or train or val has no image.
        RunError: the folder has another run, the run cannot be resumed, or images cannot be read.
        OutputError: the folder cannot be written, has files of somebody else, or another training writes it.
        UsageError: this machine does not have the device, or the batch cannot be divided equally among devices.
        WeightsError: pretrained weights are missing or do not fit.
    """
    rank = DistributedRank.of(job.training)
    if rank.is_first:
        check_run_folder(run)
    job = resolve_recipe(job)
    device = choose_device(job.training.device)
    if not rank.is_first:
        _train_in_other_rank(job, run, device, rank)
    busy = f"{run} is being written by another training. Wait for it, or choose another folder with --out."
    with exclusive_lock(run.with_name(f".{run.name}.lock"), busy):
        return _train(job, run, device, rank, resume=resume, on_epoch=on_epoch)


def _train(
    job: Job, run: Path, device: torch.device, rank: DistributedRank, *, resume: bool, on_epoch: OnEpoch | None
) -> Run:
    """Train in the process that writes the run."""
    opened = resume_run(job, run, device) if resume else create_run(job, run, device)
    if opened.info.state == "finished" and (opened.bundle_folder / BUNDLE_INFO).is_file():
        log.warning("The run %s is finished; there is nothing to resume.", run)
        return opened
    with keyboard_interrupts(), quiet_lightning():
        if job.training.mode == "probe":
            trained = _train_probe(job, opened, device)
        else:
            trained = _fine_tune(job, opened, device, rank, on_epoch)
    _finish_run(job, opened, trained)
    return opened


@dataclass(frozen=True)
class _TrainedNetwork:
    """The network to keep: its tensors, the epoch behind them (0: none), its macro-F1 on val, and all steps taken."""

    tensors: Mapping[str, Tensor]
    best_epoch: int
    val_macro_f1: float
    steps: int


def _train_in_other_rank(job: Job, folder: Path, device: torch.device, rank: DistributedRank) -> NoReturn:
    """Train together with rank 0, on the run that it creates; write nothing, then end the process."""
    deadline = time.monotonic() + WAIT_FOR_RANK_0_S
    while not Run.exists(folder):
        if time.monotonic() > deadline:
            raise RunError(
                f"Process {rank.rank} waited {WAIT_FOR_RANK_0_S / 60:.0f} minutes for the run {folder}. "
                f"Check that all machines see the same folders."
            )
        time.sleep(0.2)
    run = Run.open(folder)
    if job.training.mode == "fine-tune":
        steps, complete = _completed_steps(job, run)
        if not complete:
            with keyboard_interrupts(), quiet_lightning():
                _fit(job, run, device, rank, resumed_steps=steps)
    raise SystemExit(0)


def _completed_steps(job: Job, run: Run) -> tuple[int | None, bool]:
    """Return the number of steps of the last checkpoint (None: no checkpoint), and whether training had ended."""
    last = run.checkpoints / LAST
    if not last.is_file():  # killed before the end of the first epoch
        return None, False
    checkpoint = read_checkpoint(last)
    return int(checkpoint["global_step"]), is_complete(checkpoint, job.training.max_epochs)


def _train_probe(job: Job, run: Run, device: torch.device) -> _TrainedNetwork:
    """Fit the head to the frozen network."""
    network = _initial_network(job, run)
    if not has_probe(run):
        taxa = len(run.info.taxonomy)
        raise RunError(f"A probe needs more training images than there are taxa ({taxa}). Collect more images.")
    score = fit_linear_probe(run, network, device).val_macro_f1
    run.record(kept="probe")
    return _TrainedNetwork(network.state_dict(), 0, score, 0)


def _fine_tune(
    job: Job, run: Run, device: torch.device, rank: DistributedRank, on_epoch: OnEpoch | None
) -> _TrainedNetwork:
    """Train all layers, from the start or from the last checkpoint, and choose the network to keep."""
    steps, complete = _completed_steps(job, run)
    if not complete:
        _fit(job, run, device, rank, resumed_steps=steps, on_epoch=on_epoch)
    checkpoint = read_checkpoint(run.checkpoints / LAST)
    state = checkpoint["callbacks"][StartBestAndLast.__name__]
    best = network_state(read_checkpoint(run.checkpoints / BEST))
    epoch, total = state["best_epoch"] + 1, checkpoint["global_step"]
    if not has_probe(run):
        run.record(kept="fine-tuned")
        return _TrainedNetwork(best, epoch, state["best_macro_f1"], total)
    start = network_state(read_checkpoint(run.checkpoints / START))
    kept = choose_kept_network(run, start, best, device)
    return _TrainedNetwork(kept.tensors, 0 if kept.name == "probe" else epoch, kept.val_macro_f1, total)


def _fit(
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
        network = _initial_network(job, run, record=rank.is_first)
    else:  # the checkpoint has the weights
        network = build_network(network_spec(job.model), taxa)
    network.draws_one_scale = training.scales_per_step == "one"
    if rank.is_first:
        warn_of_memory(job, network, device)
    train_samples = split_samples(run, "train", drawn=training.views_per_step)
    val_samples = split_samples(run, "val", drawn=None)
    loss = HierarchicalLoss.of(training, run.info.taxonomy, train_samples.labels)
    nll_before: float | None = None
    if has_probe(run):
        network.remove_dropout()
        if resumed_steps is None and rank.is_first:  # rank 0 sends its weights to the others
            nll_before = _start_from_probe(job, run, network, loss, device)
    workers, pin = worker_count(training.workers), device.type == "cuda"
    train_loader = training_loader(
        train_samples,
        batch_size=training.batch_size,
        balance=training.balance,
        seed=seed,
        workers=workers,
        pin=pin,
        rank=rank,
    )
    val_loader = validation_loader(val_samples, batch_size=training.batch_size, workers=workers, pin=pin, rank=rank)
    schedule = OptimizerSchedule.of(job, steps_per_epoch=len(train_loader))
    trained = torch.bincount(torch.tensor(train_samples.labels), minlength=taxa) > 0
    module = FineTuningModule(network, schedule, loss, mix=training.mix, seed=seed, trained=trained)
    callbacks: list[Callback] = [
        # EMA comes first, so that the others see its metrics and save its weights.
        *([EMAWeightAveraging(decay=schedule.ema_decay)] if schedule.ema_decay else []),
        EarlyStopping("val_nll", mode="min", min_delta=1e-3, patience=training.patience),
        EpochReport(run.folder / METRICS, run.folder / PLOT, nll_before, on_epoch),
        StartBestAndLast(run.checkpoints, saves_start=has_probe(run)),
        *([MallocTuning()] if malloc_tuning_applies(job, device) else []),
    ]
    trainer = build_trainer(job, run, device, callbacks, resumed_steps or 0)
    last = run.checkpoints / LAST if resumed_steps is not None else None
    with reraise_worker_errors():
        trainer.fit(module, train_loader, val_loader, ckpt_path=last, weights_only=True)


def _start_from_probe(job: Job, run: Run, network: Network, loss: HierarchicalLoss, device: torch.device) -> float:
    """Load the probe into the network at the scale of logits that suits the loss; return its calibrated NLL on val."""
    probe = fit_linear_probe(run, network, device)
    scale = logit_scale(probe.held_out_logits, probe.held_out_labels, loss, job.training.mix, seed=job.seed)
    replace(probe, head=probe.head.scaled(scale)).load_into(network)
    run.record(logit_scale=scale)
    return probe.val_nll


def _initial_network(job: Job, run: Run, *, record: bool = True) -> Network:
    """Build the network that training starts from, and record which of its weights were not used."""
    network, unused = initialize_network(job.model, len(run.info.taxonomy))
    if record:
        run.record(weights_not_used=tuple(unused))
    return network


def _finish_run(job: Job, run: Run, trained: _TrainedNetwork) -> None:
    """Write the bundle, then mark the run as finished."""
    split = run.split
    by_part = split.groupby("split")
    seen = TrainedOn.of_images(split[split["split"] != "test"])
    info = BundleInfo(
        name=job.name,
        taxonomy=run.info.taxonomy,
        preprocessing=job.sheets,
        network=network_spec(job.model),
        decision=Decision(min_probability=job.trust.min_probability),
        provenance=Provenance(
            job=job.model_dump(mode="json"),
            created=datetime.now(UTC),
            seed=job.seed,
            catalog_sha256=run.info.catalog_sha256,
            git_commit=run.info.git_commit,
            versions=run.info.versions,
            images={str(part): len(rows) for part, rows in by_part},
            gatherings={str(part): int(rows["gathering_id"].nunique()) for part, rows in by_part},
            domains=seen.domains,
            institutions=seen.institutions,
            training_gatherings=_gatherings_by_taxon(split, run.info.taxonomy),
            best_epoch=trained.best_epoch,
            val_macro_f1=trained.val_macro_f1,
        ),
        weights_sha256="",
    )
    write_bundle(run.bundle_folder, info, dict(trained.tensors), model_card(info, split))
    run.record(
        state="finished",
        ended=datetime.now(UTC),
        steps=trained.steps,
        best_epoch=trained.best_epoch,
        val_macro_f1=trained.val_macro_f1,
    )


def _gatherings_by_taxon(split: "pd.DataFrame", taxonomy: Taxonomy) -> tuple[int, ...]:
    """Count the training gatherings of each taxon, in label order."""
    counts = split[split["split"] == "train"].groupby("scientificName")["gathering_id"].nunique()
    return tuple(int(counts.get(name, 0)) for name in taxonomy.names)
