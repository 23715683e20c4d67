"""Training: a job and its catalog become a run, and the run a bundle."""

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
from leafid.files import sha256_of, write_text
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
from leafid.learning.fine_tuning.lightning_compat import interruptible, quiet, readable_errors
from leafid.learning.fine_tuning.lightning_module import FineTuning
from leafid.learning.fine_tuning.malloc_tuning import MallocTuning, steps_are_uniform
from leafid.learning.fine_tuning.optimizer import OptimizerSchedule
from leafid.learning.fine_tuning.trainer import build_trainer
from leafid.learning.linear_probe.fit import fit_linear_probe
from leafid.learning.model_card import model_card
from leafid.learning.models.backbones import network_spec
from leafid.learning.models.network import Network, build_network
from leafid.learning.models.pretrained_weights import start_network
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
    differences,
    git_commit,
    package_versions,
)
from leafid.learning.run_samples import split_samples

log = logging.getLogger(__name__)

MAY_CHANGE = ("training.device", "training.devices", "training.nodes", "training.workers", "output")
"""Settings that may differ when a run is resumed: they decide where the work is done, not what comes out."""

WAIT_FOR_FIRST_S = 1800
"""How long a process waits for the first one, which reads the catalog and compares all images with each other."""


def train(job: Job, *, run: Path, resume: bool = False, on_epoch: OnEpoch | None = None) -> Run:
    """Train the network of a job on its catalog and write the bundle.

    Args:
        job: the job; its catalog must have been collected.
        run: the run folder.
        resume: go on after the last complete epoch of the run that is there. A finished run stays as it is.
        on_epoch: called after each epoch of fine-tuning with its number and macro-F1 on val.

    Raises:
        CatalogError: there is no catalog, or it has mistakes.
        SplitError: the split leaks a gathering, or leaves nothing to train or to validate on.
        RunError: the folder holds another run, a run that cannot be resumed, or images cannot be read.
        UsageError: the device is not there, or the images of a step cannot be shared equally by several.
        WeightsError: pretrained weights are missing or do not fit.
    """
    device = choose_device(job.training.device)
    process = DistributedRank.of(job.training)
    if not process.is_first:
        _accompany(job, run, device, process)
    this = _take_up(job, run, device) if resume else _begin(job, run, device)
    if this.info.state == "finished" and (this.bundle_folder / BUNDLE_INFO).is_file():
        log.warning("The run %s is finished; there is nothing to resume.", run)
        return this
    with interruptible(), quiet():
        if job.training.mode == "probe":
            trained = _probed(job, this, device)
        else:
            trained = _fine_tuned(job, this, device, process, on_epoch)
    _finish(job, this, trained)
    return this


@dataclass(frozen=True)
class _Trained:
    """The network that is kept: its tensors, the epoch they are of (0: the probe), its score, and all steps taken."""

    tensors: dict[str, Tensor]
    best_epoch: int
    val_macro_f1: float
    steps: int


def _accompany(job: Job, folder: Path, device: torch.device, process: DistributedRank) -> NoReturn:
    """Train in a process that is not the first one: with it, by the run that it has made, writing nothing; then end."""
    deadline = time.monotonic() + WAIT_FOR_FIRST_S
    while not Run.is_there(folder):
        if time.monotonic() > deadline:
            raise RunError(
                f"Process {process.rank} waited {WAIT_FOR_FIRST_S / 60:.0f} minutes for the run {folder}. "
                f"Do all machines see the same folders?"
            )
        time.sleep(0.2)
    this = Run.open(folder)
    if job.training.mode == "fine-tune":
        steps, complete = _so_far(job, this)
        if not complete:
            with interruptible(), quiet():
                _fit(job, this, device, process, resumed_steps=steps)
    raise SystemExit(0)


def _so_far(job: Job, this: Run) -> tuple[int | None, bool]:
    """Return the steps up to the last checkpoint (None: there is none), and whether training had come to its end."""
    last = this.checkpoints / LAST
    if not last.is_file():
        return None, False
    checkpoint = read_checkpoint(last)
    return int(checkpoint["global_step"]), is_complete(checkpoint, job.training.max_epochs)


def _begin(job: Job, folder: Path, device: torch.device) -> Run:
    """Make the run folder; ``run.json`` comes last, so that a folder with it has the job and the split."""
    if (folder / "checkpoints" / LAST).exists():
        raise RunError(
            f"{folder} already holds a training. Go on with it by --resume, or choose another folder by --out."
        )
    if folder.exists() and not Run.is_there(folder) and any(folder.iterdir()):
        raise RunError(f"{folder} is not empty and is no run of leafid. Choose another folder by --out.")
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
    curated.left_out.to_csv(folder / LEFT_OUT, index=False, lineterminator="\n")
    write_conflicts(curated.conflicts, folder / CONFLICTS)
    write_text(folder / INFO, info.model_dump_json(indent=2) + "\n")
    return Run(folder, job, info)


def _take_up(job: Job, folder: Path, device: torch.device) -> Run:
    """Open a run to go on with it, by the same job."""
    this = Run.open(folder)
    changed = differences(this.job, job, ignored=MAY_CHANGE)
    if changed:
        listed = "\n".join(f"  {change}" for change in changed)
        raise RunError(
            f"The job is not the one with which the run {folder} began:\n{listed}\n"
            f"Give it the same settings, or start another run by --out."
        )
    remove_partial(this.checkpoints)
    if this.info.state != "finished":
        this.record(resumed=this.info.resumed + 1, device=str(device))
    return this


def _probed(job: Job, this: Run, device: torch.device) -> _Trained:
    """Fit the head to the frozen network."""
    network = _start(job, this)
    score = fit_linear_probe(this, network, device)
    if score is None:
        taxa = len(this.info.taxonomy)
        raise RunError(f"A probe needs more training images than there are taxa ({taxa}). Collect more images.")
    return _Trained(network.state_dict(), 0, score, 0)


def _fine_tuned(
    job: Job, this: Run, device: torch.device, process: DistributedRank, on_epoch: OnEpoch | None
) -> _Trained:
    """Train all layers, from the start or on from the last checkpoint."""
    steps, complete = _so_far(job, this)
    if not complete:
        _fit(job, this, device, process, resumed_steps=steps, on_epoch=on_epoch)
    checkpoint = read_checkpoint(this.checkpoints / LAST)
    state = checkpoint["callbacks"][BestAndLast.__name__]
    best = read_checkpoint(this.checkpoints / BEST)
    return _Trained(network_state(best), state["best_epoch"] + 1, state["best"][0], checkpoint["global_step"])


def _fit(
    job: Job,
    this: Run,
    device: torch.device,
    process: DistributedRank,
    *,
    resumed_steps: int | None,
    on_epoch: OnEpoch | None = None,
) -> None:
    """Fine-tune from the start, or on from the last checkpoint."""
    training, seed = job.training, job.seed
    seed_everything(seed, workers=True, verbose=False)
    score_before: float | None = None
    if resumed_steps is None:
        network = _start(job, this, record=process.is_first)
        if job.model.weights != "none" and process.is_first:  # the others get its weights from it
            score_before = fit_linear_probe(this, network, device)
    else:  # its weights come from the checkpoint
        network = build_network(network_spec(job.model), len(this.info.taxonomy))
    train_samples = split_samples(this, "train", drawn=training.views_per_step)
    val_samples = split_samples(this, "val", drawn=None)
    workers, pin = worker_count(training.workers), device.type == "cuda"
    train_loader = training_loader(
        train_samples,
        batch_size=training.batch_size,
        balance=training.balance,
        seed=seed,
        workers=workers,
        pin=pin,
        process=process,
    )
    val_loader = validation_loader(
        val_samples, batch_size=training.batch_size, workers=workers, pin=pin, process=process
    )
    schedule = OptimizerSchedule.of(job, steps_per_epoch=len(train_loader))
    loss = HierarchicalLoss.of(training, this.info.taxonomy, train_samples.labels)
    module = FineTuning(network, schedule, loss, mix=training.mix, seed=seed)
    callbacks: list[Callback] = [
        # First, so that the others see the metrics and save the weights of the average.
        *([EMAWeightAveraging(decay=schedule.ema_decay)] if schedule.ema_decay else []),
        EarlyStopping("val_macro_f1", mode="max", patience=training.patience),
        EpochReport(this.folder / METRICS, this.folder / PLOT, score_before, on_epoch),
        BestAndLast(this.checkpoints, score_before),
        *([MallocTuning()] if steps_are_uniform(job, device) else []),
    ]
    trainer = build_trainer(job, this, device, callbacks, resumed_steps or 0)
    last = this.checkpoints / LAST if resumed_steps is not None else None
    with readable_errors():
        trainer.fit(module, train_loader, val_loader, ckpt_path=last, weights_only=True)


def _start(job: Job, this: Run, *, record: bool = True) -> Network:
    """Build the network from which training starts."""
    network, unused = start_network(job.model, len(this.info.taxonomy))
    if record:
        this.record(weights_not_used=tuple(unused))
    return network


def _finish(job: Job, this: Run, trained: _Trained) -> None:
    """Write the bundle, and close the record."""
    split = this.split
    by_part = split.groupby("split")
    info = BundleInfo(
        name=job.name,
        taxonomy=this.info.taxonomy,
        preprocessing=job.sheets,
        network=network_spec(job.model),
        decision=Decision(min_probability=job.trust.min_probability),
        provenance=Provenance(
            job=job.model_dump(mode="json"),
            created=datetime.now(UTC),
            seed=job.seed,
            catalog_sha256=this.info.catalog_sha256,
            git_commit=this.info.git_commit,
            versions=this.info.versions,
            images={str(part): len(rows) for part, rows in by_part},
            gatherings={str(part): int(rows["gathering_id"].nunique()) for part, rows in by_part},
            best_epoch=trained.best_epoch,
            val_macro_f1=trained.val_macro_f1,
        ),
        weights_sha256="",
    )
    write_bundle(this.bundle_folder, info, trained.tensors, model_card(info, split))
    this.record(
        state="finished",
        ended=datetime.now(UTC),
        steps=trained.steps,
        best_epoch=trained.best_epoch,
        val_macro_f1=trained.val_macro_f1,
    )
