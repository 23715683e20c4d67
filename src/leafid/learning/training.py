"""Training: from a job and its catalog to a run with a bundle."""

import logging
import shlex
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import torch
from lightning.pytorch import seed_everything
from lightning.pytorch.callbacks import Callback, EarlyStopping, EMAWeightAveraging
from torch import Tensor

from leafid.bundle import INFO as BUNDLE_INFO
from leafid.bundle import BundleInfo, Decision, Provenance, write_bundle
from leafid.curation import training_split, write_conflicts, write_split
from leafid.errors import RunError
from leafid.files import exclusive_lock, sha256_of, write_text
from leafid.jobs import Job, dump_job
from leafid.learning.data.samples import training_loader, validation_loader
from leafid.learning.devices import choose_device, worker_count
from leafid.learning.distributed import DistributedRank
from leafid.learning.fine_tuning.checkpoints import (
    BEST,
    LAST,
    BestAndLast,
    is_complete,
    network_state,
    read_checkpoint,
    remove_partial,
)
from leafid.learning.fine_tuning.epoch_report import EpochReport, OnEpoch
from leafid.learning.fine_tuning.hierarchical_loss import HierarchicalLoss
from leafid.learning.fine_tuning.lightning_compat import keyboard_interrupts, quiet_lightning, reraise_worker_errors
from leafid.learning.fine_tuning.lightning_module import FineTuningModule
from leafid.learning.fine_tuning.malloc_tuning import MallocTuning, malloc_tuning_applies
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule
from leafid.learning.fine_tuning.trainer import build_trainer
from leafid.learning.linear_probe.probe import fit_linear_probe
from leafid.learning.model_card import model_card
from leafid.learning.models.backbones import network_spec
from leafid.learning.models.network import Network, build_network
from leafid.learning.models.pretrained_weights import initialize_network
from leafid.learning.recipe import resolve_recipe
from leafid.learning.run import (
    CONFLICTS,
    INFO,
    JOB,
    LEFT_OUT,
    METRICS,
    PLOT,
    SPLIT,
    Run,
    RunInfo,
    git_commit,
    job_differences,
    package_versions,
)
from leafid.learning.run_samples import split_samples
from leafid.tables import write_frame

log = logging.getLogger(__name__)

SETTINGS_FREE_TO_CHANGE = ("training.device", "training.devices", "training.nodes", "training.workers", "output")
"""Settings that may differ when a run is resumed: they do not change the result."""

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
        UsageError: this machine does not have the device, or the batch cannot be divided equally among devices.
        WeightsError: pretrained weights are missing or do not fit.
    """
    job = resolve_recipe(job)
    device = choose_device(job.training.device)
    rank = DistributedRank.of(job.training)
    if not rank.is_first:
        _train_in_other_rank(job, run, device, rank)
    busy = f"{run} is being written by another training. Wait for it, or choose another folder with --out."
    with exclusive_lock(run.with_name(f".{run.name}.lock"), busy):
        return _train(job, run, device, rank, resume=resume, on_epoch=on_epoch)


def _train(
    job: Job, run: Path, device: torch.device, rank: DistributedRank, *, resume: bool, on_epoch: OnEpoch | None
) -> Run:
    """Train in the process that writes the run."""
    opened = _resume_run(job, run, device) if resume else _create_run(job, run, device)
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
    """The best network: its tensors, its epoch (0: the probe), its macro-F1 on val, and the number of all steps."""

    tensors: dict[str, Tensor]
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


def _create_run(job: Job, folder: Path, device: torch.device) -> Run:
    """Write the run folder; ``run.json`` is written last, so that a folder with it has the job and the split."""
    if Run.exists(folder) and Run.open(folder).info.state == "finished":
        raise RunError(
            f"{folder} is a finished run, and its bundle and evaluations would be lost. Choose another folder with "
            f"--out, or delete it first."
        )
    if (folder / "checkpoints" / LAST).exists():
        raise RunError(
            f"{folder} already has a training. Continue it with --resume, or choose another folder with --out."
        )
    if folder.exists() and not Run.exists(folder) and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty and is not a run of leafid. Choose another folder with --out.")
    curated = training_split(job)
    for warning in curated.warnings:
        log.warning("%s", warning)
    info = RunInfo(
        state="training",
        command=shlex.join(sys.argv),
        started=datetime.now(UTC),
        device=str(device),
        git_commit=git_commit(),
        versions=package_versions(),
        catalog=job.catalog_path.absolute(),
        catalog_sha256=sha256_of(job.catalog_path),
        taxonomy=curated.taxonomy,
    )
    write_text(folder / JOB, dump_job(job))
    write_split(folder / SPLIT, curated.split)
    write_frame(curated.left_out, folder / LEFT_OUT)
    write_conflicts(curated.conflicts, folder / CONFLICTS)
    write_text(folder / INFO, info.model_dump_json(indent=2) + "\n")
    return Run(folder, job, info)


def _resume_run(job: Job, folder: Path, device: torch.device) -> Run:
    """Open a run to continue it with the same job."""
    run = Run.open(folder)
    changed = job_differences(run.job, job, ignored=SETTINGS_FREE_TO_CHANGE)
    if changed:
        listed = "\n".join(f"  {change}" for change in changed)
        raise RunError(
            f"The job differs from the one that the run {folder} was started with:\n{listed}\n"
            f"Use the same settings, or start another run with --out."
        )
    remove_partial(run.checkpoints)
    if run.info.state != "finished":
        run.record(resumed=run.info.resumed + 1, device=str(device))
    return run


def _train_probe(job: Job, run: Run, device: torch.device) -> _TrainedNetwork:
    """Fit the head to the frozen network."""
    network = _initial_network(job, run)
    score = fit_linear_probe(run, network, device)
    if score is None:
        taxa = len(run.info.taxonomy)
        raise RunError(f"A probe needs more training images than there are taxa ({taxa}). Collect more images.")
    return _TrainedNetwork(network.state_dict(), 0, score, 0)


def _fine_tune(
    job: Job, run: Run, device: torch.device, rank: DistributedRank, on_epoch: OnEpoch | None
) -> _TrainedNetwork:
    """Train all layers, from the start or from the last checkpoint."""
    steps, complete = _completed_steps(job, run)
    if not complete:
        _fit(job, run, device, rank, resumed_steps=steps, on_epoch=on_epoch)
    checkpoint = read_checkpoint(run.checkpoints / LAST)
    state = checkpoint["callbacks"][BestAndLast.__name__]
    best = read_checkpoint(run.checkpoints / BEST)
    return _TrainedNetwork(network_state(best), state["best_epoch"] + 1, state["best"][0], checkpoint["global_step"])


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
    training, seed = job.training, job.seed
    seed_everything(seed, workers=True, verbose=False)
    score_before: float | None = None
    if resumed_steps is None:
        network = _initial_network(job, run, record=rank.is_first)
        if job.model.weights != "none" and rank.is_first:  # rank 0 sends its weights to the others
            score_before = fit_linear_probe(run, network, device)
    else:  # the checkpoint has the weights
        network = build_network(network_spec(job.model), len(run.info.taxonomy))
    train_samples = split_samples(run, "train", drawn=training.views_per_step)
    val_samples = split_samples(run, "val", drawn=None)
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
    loss = HierarchicalLoss.of(training, run.info.taxonomy, train_samples.labels)
    module = FineTuningModule(network, schedule, loss, mix=training.mix, seed=seed)
    callbacks: list[Callback] = [
        # EMA comes first, so that the others see its metrics and save its weights.
        *([EMAWeightAveraging(decay=schedule.ema_decay)] if schedule.ema_decay else []),
        EarlyStopping("val_macro_f1", mode="max", patience=training.patience),
        EpochReport(run.folder / METRICS, run.folder / PLOT, score_before, on_epoch),
        BestAndLast(run.checkpoints, score_before),
        *([MallocTuning()] if malloc_tuning_applies(job, device) else []),
    ]
    trainer = build_trainer(job, run, device, callbacks, resumed_steps or 0)
    last = run.checkpoints / LAST if resumed_steps is not None else None
    with reraise_worker_errors():
        trainer.fit(module, train_loader, val_loader, ckpt_path=last, weights_only=True)


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
            best_epoch=trained.best_epoch,
            val_macro_f1=trained.val_macro_f1,
        ),
        weights_sha256="",
    )
    write_bundle(run.bundle_folder, info, trained.tensors, model_card(info, split))
    run.record(
        state="finished",
        ended=datetime.now(UTC),
        steps=trained.steps,
        best_epoch=trained.best_epoch,
        val_macro_f1=trained.val_macro_f1,
    )
