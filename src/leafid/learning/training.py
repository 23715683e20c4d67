"""Training: a job and its catalog become a run, and the run a bundle."""

import logging
import shlex
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from lightning.pytorch import Trainer, seed_everything
from lightning.pytorch.callbacks import Callback, EarlyStopping, RichProgressBar
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger

from leafid.bundle import INFO as BUNDLE_INFO
from leafid.bundle import BundleInfo, Decision, Provenance, write_bundle
from leafid.curation import training_split, write_conflicts, write_split
from leafid.errors import RunError
from leafid.files import sha256_of, write_text
from leafid.jobs import Job, dump_job
from leafid.learning.backbones import network_spec
from leafid.learning.checkpoints import (
    BEST,
    LAST,
    BestAndLast,
    DurableCheckpoints,
    is_complete,
    network_state,
    read_checkpoint,
    remove_partial,
)
from leafid.learning.devices import choose_device, lightning_precision, worker_count
from leafid.learning.fine_tuning import FineTuning
from leafid.learning.model_card import model_card
from leafid.learning.network import Network, build_network
from leafid.learning.preparing import fill_store, view_store
from leafid.learning.pretrained import start_network
from leafid.learning.recipe import Recipe
from leafid.learning.reports import EpochReport
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
from leafid.learning.samples import Samples, training_loader, validation_loader

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

MAY_CHANGE = ("training.device", "training.workers", "output")
"""Settings that may differ when a run is resumed: they decide where the work is done, not what comes out."""


def train(job: Job, *, run: Path, resume: bool = False) -> Run:
    """Fine-tune the network of a job on its catalog and write the bundle.

    Args:
        job: the job; its catalog must have been collected.
        run: the run folder.
        resume: go on after the last complete epoch of the run that is there. A finished run stays as it is.

    Raises:
        CatalogError: there is no catalog, or it has mistakes.
        SplitError: the split leaks a gathering, or leaves nothing to train or to validate on.
        RunError: the folder holds another run, a run that cannot be resumed, or images cannot be read.
        UsageError: the device is not there.
        WeightsError: pretrained weights are missing or do not fit.
    """
    device = choose_device(job.training.device)
    this = _take_up(job, run, device) if resume else _begin(job, run, device)
    if this.info.state == "finished" and (this.bundle_folder / BUNDLE_INFO).is_file():
        log.warning("The run %s is finished; there is nothing to resume.", run)
        return this
    checkpoint = read_checkpoint(this.checkpoints / LAST) if (this.checkpoints / LAST).is_file() else None
    if checkpoint is None or not is_complete(checkpoint, job.training.max_epochs):
        with _interruptible(), _quiet():
            _fit(job, this, device, resumed_steps=None if checkpoint is None else checkpoint["global_step"])
    _finish(job, this)
    return this


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


def _fit(job: Job, this: Run, device: torch.device, *, resumed_steps: int | None) -> None:
    """Train from the start, or on from the last checkpoint."""
    training, split, seed = job.training, this.split, job.seed
    seed_everything(seed, workers=True, verbose=False)
    network = _network(job, this, resumed=resumed_steps is not None)
    train_samples = _samples(job, this, split[split["split"] == "train"], augmented=True)
    val_samples = _samples(job, this, split[split["split"] == "val"], augmented=False)
    workers, pin = worker_count(training.workers), device.type == "cuda"
    train_loader = training_loader(
        train_samples, batch_size=training.batch_size, balance=training.balance, seed=seed, workers=workers, pin=pin
    )
    val_loader = validation_loader(val_samples, batch_size=training.batch_size, workers=workers, pin=pin)
    recipe = Recipe.of(job, steps_per_epoch=len(train_loader))
    module = FineTuning(network, recipe, training, train_samples.labels, seed)
    trainer = _trainer(job, this, device, resumed_steps or 0)
    last = this.checkpoints / LAST if resumed_steps is not None else None
    try:
        trainer.fit(module, train_loader, val_loader, ckpt_path=last, weights_only=True)
    except RunError as error:
        # torch wraps an error of a worker process into its traceback; the last line is the message.
        raise RunError(str(error).strip().splitlines()[-1].removeprefix("leafid.errors.RunError: ")) from None
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise RunError(
            "A process that reads images was stopped from outside, perhaps for want of memory. Go on with --resume; "
            "fewer such processes: --set training.workers=1"
        ) from None


def _trainer(job: Job, this: Run, device: torch.device, resumed_steps: int) -> Trainer:
    training = job.training
    callbacks: list[Callback] = [
        EarlyStopping("val_macro_f1", mode="max", patience=training.patience),
        EpochReport(this.folder / METRICS, this.folder / PLOT),
        BestAndLast(this.checkpoints),
    ]
    terminal = sys.stderr.isatty()
    if terminal:
        callbacks.append(RichProgressBar(leave=False, console_kwargs={"stderr": True}))
    return Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=1,
        precision=lightning_precision(training, device),  # type: ignore[arg-type]
        max_epochs=training.max_epochs,
        gradient_clip_val=training.gradient_clip,
        # Where an operation has no deterministic form on a GPU, torch warns and goes on.
        deterministic="warn" if training.deterministic else False,
        benchmark=not training.deterministic,
        callbacks=callbacks,
        plugins=[DurableCheckpoints()],
        logger=[
            TensorBoardLogger(this.logs, name="tensorboard", version="", purge_step=resumed_steps or None),
            CSVLogger(this.logs, name="csv", version=f"start_{this.info.resumed}"),
        ],
        log_every_n_steps=10,
        default_root_dir=this.folder,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        enable_model_summary=False,
        enable_progress_bar=terminal,
    )


def _network(job: Job, this: Run, *, resumed: bool) -> Network:
    """Build the network; a resumed one gets its weights from the checkpoint, so that it needs no pretrained ones."""
    taxa = len(this.info.taxonomy)
    if resumed:
        return build_network(network_spec(job.model), taxa)
    network, unused = start_network(job.model, taxa)
    this.record(weights_not_used=tuple(unused))
    return network


def _samples(job: Job, this: Run, rows: "pd.DataFrame", *, augmented: bool) -> Samples:
    """Prepare the views of one part of the split, and make samples of them."""
    strength = job.training.augmentation if augmented else "none"
    store = view_store(job, strength)
    ids = list(rows["image_id"])
    fill_store(store, "train" if augmented else "val", ids, this.image_paths(rows), job=job)
    labels = this.info.taxonomy.labels(list(rows["scientificName"]))
    views: Literal["one", "all"] = "one" if augmented else "all"
    return Samples(store, ids, labels, size=job.sheets.size, views=views, augmentation=strength)


def _finish(job: Job, this: Run) -> None:
    """Write the bundle from the best epoch, and close the record."""
    last, best = read_checkpoint(this.checkpoints / LAST), read_checkpoint(this.checkpoints / BEST)
    state = last["callbacks"][BestAndLast.__name__]
    split = this.split
    network = build_network(network_spec(job.model), len(this.info.taxonomy))
    network.load_state_dict(network_state(best), strict=True)
    by_part = split.groupby("split")
    info = BundleInfo(
        name=job.name,
        taxonomy=this.info.taxonomy,
        preprocessing=job.sheets,
        network=network.spec,
        decision=Decision(min_score=job.trust.min_score),
        provenance=Provenance(
            job=job.model_dump(mode="json"),
            created=datetime.now(UTC),
            seed=job.seed,
            catalog_sha256=this.info.catalog_sha256,
            git_commit=this.info.git_commit,
            versions=this.info.versions,
            images={str(part): len(rows) for part, rows in by_part},
            gatherings={str(part): int(rows["gathering_id"].nunique()) for part, rows in by_part},
            best_epoch=state["best_epoch"] + 1,
            val_macro_f1=state["best_score"],
        ),
        weights_sha256="",
    )
    write_bundle(this.bundle_folder, info, network.state_dict(), model_card(info, split))
    this.record(
        state="finished",
        ended=datetime.now(UTC),
        steps=last["global_step"],
        best_epoch=state["best_epoch"] + 1,
        val_macro_f1=state["best_score"],
    )


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C through as what it is: Lightning turns it into an exit with code 1 and ignores it from then on."""
    import signal

    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


CHATTER = (
    ".*treespec.*",  # a deprecation inside Lightning
    ".*does not have many workers.*",  # the job says how many
    ".*smaller than the logging interval.*",  # small sets are common here
    ".*Experiment logs directory.*",
)
"""Warnings of Lightning that ask nothing of the user."""


@contextmanager
def _quiet(patterns: Sequence[str] = CHATTER) -> Iterator[None]:
    """Hold back what Lightning says about itself."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            for pattern in patterns:
                warnings.filterwarnings("ignore", message=pattern)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
