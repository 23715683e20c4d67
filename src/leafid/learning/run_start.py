"""Creating the folder of a run, and opening it again to continue."""

import re
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

from leafid.curation import CuratedCatalog, training_split, write_conflicts, write_split
from leafid.destinations import Destination, check_destinations, contains_only
from leafid.errors import RunError
from leafid.files import sha256_of, write_text
from leafid.jobs import Job, dump_job
from leafid.learning.fine_tuning.checkpoints import LAST, remove_partial
from leafid.learning.run import (
    CONFLICTS,
    INFO,
    JOB,
    LEFT_OUT,
    SPLIT,
    Run,
    RunInfo,
    git_commit,
    job_differences,
    package_versions,
)
from leafid.tables import write_frame

SETTINGS_FREE_TO_CHANGE = ("training.device", "training.devices", "training.nodes", "training.workers", "output")
"""Settings that may differ when a run is resumed: they do not change the result."""


def check_run_folder(folder: Path) -> None:
    """Check early that a run can be written to a folder: it is free, or has a run or the beginning of one.

    Raises:
        OutputError: it cannot be written, or has files of somebody else.
    """
    beginning = contains_only(*map(re.escape, (JOB, SPLIT, LEFT_OUT, CONFLICTS)), r"\..*\.partial")

    def is_own(path: Path) -> bool:
        """The split comes first: a folder with nothing but a job.yaml is the user's."""
        return Run.exists(path) or (beginning(path) and ((path / SPLIT).exists() or not (path / JOB).exists()))

    destination = Destination("--out", folder, is_own, "folder")
    check_destinations([destination], existing="resume")


def create_run(job: Job, folder: Path, device: torch.device, curated: CuratedCatalog | None = None) -> Run:
    """Write the run folder; ``run.json`` is written last, so that a folder with it has the job and the split.

    Args:
        job: the job.
        folder: of the run.
        device: recorded.
        curated: the images and their split; None: those of the job.
    """
    if Run.exists(folder) and Run.open(folder).info.state == "finished":
        raise RunError(
            f"{folder} is a finished run, and its bundle and evaluations would be lost. Choose another folder with "
            f"--out, or delete it first."
        )
    if (folder / "checkpoints" / LAST).exists():
        raise RunError(
            f"{folder} already has a training. Continue it with --resume, or choose another folder with --out."
        )
    curated = curated or training_split(job)
    info = RunInfo(
        state="training",
        command=shlex.join(sys.argv),
        started=datetime.now(UTC),
        device=str(device),
        git_commit=git_commit(),
        versions=package_versions(job),
        catalog=job.catalog_path.absolute(),
        catalog_sha256=sha256_of(job.catalog_path),
        taxonomy=curated.taxonomy,
    )
    write_split(folder / SPLIT, curated.split)
    write_text(folder / JOB, dump_job(job))
    write_frame(curated.left_out, folder / LEFT_OUT)
    write_conflicts(curated.conflicts, folder / CONFLICTS)
    write_text(folder / INFO, info.model_dump_json(indent=2) + "\n")
    return Run(folder, job, info)


def resume_run(job: Job, folder: Path, device: torch.device) -> Run:
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
