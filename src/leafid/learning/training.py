"""Training: from a job and its catalog to a run with a bundle."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import Tensor

from leafid.bundle import INFO as BUNDLE_INFO
from leafid.bundle import BundleInfo, Decision, Provenance, write_bundle
from leafid.curation import CuratedCatalog
from leafid.errors import RunError
from leafid.files import exclusive_lock
from leafid.jobs import Job
from leafid.learning.devices import choose_device
from leafid.learning.distributed import DistributedRank
from leafid.learning.fine_tuning.checkpoints import (
    BEST,
    LAST,
    START,
    StartBestAndLast,
    network_state,
    read_checkpoint,
)
from leafid.learning.fine_tuning.epoch_report import OnEpoch
from leafid.learning.fine_tuning.lightning_compat import keyboard_interrupts, quiet_lightning
from leafid.learning.fitting import completed_steps, fit_all_layers, initial_network
from leafid.learning.kept_network import choose_kept_network
from leafid.learning.linear_probe.probe import fit_linear_probe, has_probe, refit_linear_probe
from leafid.learning.model_card import model_card
from leafid.learning.models.backbones import find_backbone, network_spec
from leafid.learning.models.network import build_network
from leafid.learning.recipe import resolve_recipe
from leafid.learning.run import Run
from leafid.learning.run_start import check_run_folder, create_run, resume_run
from leafid.statements import TrainedOn
from leafid.taxonomy import Taxonomy

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

WAIT_FOR_RANK_0_S = 1800
"""How long the other processes wait for rank 0, which reads the catalog and compares all images with each other."""


def train(
    job: Job,
    *,
    run: Path,
    resume: bool = False,
    curated: CuratedCatalog | None = None,
    on_epoch: OnEpoch | None = None,
) -> Run:
    """Train the network of a job on its catalog and write the bundle.

    Args:
        job: the job; its catalog must have been collected.
        run: the run folder.
        resume: continue the existing run after its last complete epoch. A finished run is not changed.
        curated: the images and their split, such as a fold of a cross-validation; None: those of the job.
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
    find_backbone(job.model.backbone).normalisation()  # a wrong name is refused before any image is looked at
    job = resolve_recipe(job)
    device = choose_device(job.training.device)
    if not rank.is_first:
        _train_in_other_rank(job, run, device, rank)
    busy = f"{run} is being written by another training. Wait for it, or choose another folder with --out."
    with exclusive_lock(run.with_name(f".{run.name}.lock"), busy):
        opened = resume_run(job, run, device) if resume else create_run(job, run, device, curated)
        return _train(job, opened, device, rank, on_epoch)


def _train(job: Job, opened: Run, device: torch.device, rank: DistributedRank, on_epoch: OnEpoch | None) -> Run:
    """Train in the process that writes the run."""
    if opened.info.state == "finished" and (opened.bundle_folder / BUNDLE_INFO).is_file():
        log.warning("The run %s is finished; there is nothing to resume.", opened.folder)
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
        steps, complete = completed_steps(job, run)
        if not complete:
            with keyboard_interrupts(), quiet_lightning():
                fit_all_layers(job, run, device, rank, resumed_steps=steps)
    raise SystemExit(0)


def _train_probe(job: Job, run: Run, device: torch.device) -> _TrainedNetwork:
    """Fit the head to the frozen network."""
    network = initial_network(job, run)
    if not has_probe(run):
        taxa = len(run.info.taxonomy)
        raise RunError(f"A probe needs more training images than there are taxa ({taxa}). Collect more images.")
    score = fit_linear_probe(run, network, device).val_macro_f1
    refit_linear_probe(run, network, device)
    run.record(kept="probe")
    return _TrainedNetwork(network.state_dict(), 0, score, 0)


def _fine_tune(
    job: Job, run: Run, device: torch.device, rank: DistributedRank, on_epoch: OnEpoch | None
) -> _TrainedNetwork:
    """Train all layers, from the start or from the last checkpoint, and choose the network to keep."""
    steps, complete = completed_steps(job, run)
    if not complete:
        fit_all_layers(job, run, device, rank, resumed_steps=steps, on_epoch=on_epoch)
    checkpoint = read_checkpoint(run.checkpoints / LAST)
    state = checkpoint["callbacks"][StartBestAndLast.__name__]
    best = network_state(read_checkpoint(run.checkpoints / BEST))
    epoch, total = state["best_epoch"] + 1, checkpoint["global_step"]
    if not has_probe(run):
        run.record(kept="fine-tuned")
        return _TrainedNetwork(best, epoch, state["best_macro_f1"], total)
    start = network_state(read_checkpoint(run.checkpoints / START))
    kept = choose_kept_network(run, start, best, device)
    network = build_network(network_spec(job.model), len(run.info.taxonomy))
    network.load_state_dict(kept.tensors)
    refit_linear_probe(run, network, device, fine_tuned=kept.name != "probe")
    return _TrainedNetwork(network.state_dict(), 0 if kept.name == "probe" else epoch, kept.val_macro_f1, total)


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
