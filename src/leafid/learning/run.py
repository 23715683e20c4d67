"""The run: a folder with the record of one training, from which it can be resumed, evaluated and repeated.

run.json       ``RunInfo``: time, device, versions, results; a folder with this file is a run
job.yaml       the effective job
split.csv      the images used, and their part of the split
left_out.csv   the images of the catalog that are not used, with the reason
conflicts.csv  gatherings and images under conflicting names
metrics.csv    one row per epoch
training.png   plots of the same
logs/          TensorBoard and CSV, step by step
checkpoints/   start.ckpt (before fine-tuning), best.ckpt and last.ckpt
bundle/        the trained model
"""

import importlib.metadata
import platform
import subprocess
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from leafid.curation import read_split
from leafid.errors import JobError, RunError
from leafid.files import write_text
from leafid.jobs import Job, is_own_code, load_job, own_code_version
from leafid.taxonomy import Taxonomy
from leafid.version import __version__

if TYPE_CHECKING:
    import pandas as pd

INFO, JOB, METRICS, PLOT = "run.json", "job.yaml", "metrics.csv", "training.png"
SPLIT, LEFT_OUT, CONFLICTS = "split.csv", "left_out.csv", "conflicts.csv"

RECORDED_PACKAGES = (
    "torch",
    "torchvision",
    "timm",
    "lightning",
    "albumentations",
    "numpy",
    "pillow",
    "opencv-python-headless",
)
"""Packages whose version may change the result of a training."""


KeptNetwork = Literal["probe", "fine-tuned", "averaged"]
"""Networks that a training can end with. ``averaged``: the weights of start and end, averaged (WiSE-FT)."""


class LinearProbeInfo(BaseModel):
    """The head that was solved for the features: those of the frozen network, or of the fine-tuned one that is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    shrinkage: float
    val_macro_f1: float
    """Of the probe fitted to train alone."""
    seconds: float
    refitted: bool = False
    """Whether the head was fitted again, to train and val together (``training.refit``)."""


class RunInfo(BaseModel):
    """The description of a run, stored as ``run.json``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    leafid_version: str = __version__
    state: Literal["training", "finished"]
    command: str
    started: datetime
    ended: datetime | None = None
    resumed: int = 0
    device: str
    git_commit: str | None
    versions: dict[str, str]
    catalog: Path
    catalog_sha256: str
    taxonomy: Taxonomy
    weights_not_used: tuple[str, ...] = ()
    probe: LinearProbeInfo | None = None
    logit_scale: float | None = None
    """Factor of the logits with which fine-tuning began."""
    kept: KeptNetwork | None = None
    """The network in the bundle."""
    val_nll: dict[str, float] = {}
    """Negative log-likelihood on val, cross-validated, of each network that could be kept."""
    steps: int | None = None
    best_epoch: int | None = None
    val_macro_f1: float | None = None

    @property
    def fine_tuned(self) -> bool:
        """Whether the features of the network in the bundle were fitted to the labels of train."""
        return self.kept not in (None, "probe") or self.probe is None


class Run:
    """A run folder, with its job and description."""

    def __init__(self, folder: Path, job: Job, info: RunInfo) -> None:
        self.folder = folder
        self.job = job
        self.info = info

    @classmethod
    def open(cls, path: Path) -> "Run":
        """Read a run folder.

        Raises:
            RunError: the folder is missing, is not a run, or is damaged.
        """
        if not path.is_dir():
            raise RunError(f"The run {path} does not exist. `leafid train JOB` writes one to runs/<job name>.")
        if not (path / INFO).is_file():
            raise RunError(
                f"{path} is not a run of leafid: it has no {INFO}. Name the folder that `leafid train` wrote."
            )
        try:
            info = RunInfo.model_validate_json((path / INFO).read_bytes())
        except (OSError, ValidationError) as error:
            reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
            raise RunError(f"{path / INFO} is damaged, or written by another version of leafid: {reason}") from None
        try:
            job = load_job(path / JOB)
        except JobError as error:
            raise RunError(f"The job of the run {path} cannot be read: {error}") from None
        return cls(path, job, info)

    @classmethod
    def exists(cls, path: Path) -> bool:
        """Return whether a folder is a run."""
        return (path / INFO).is_file()

    @property
    def split(self) -> "pd.DataFrame":
        """The images of the run (see ``leafid.curation``), read from ``split.csv``."""
        return read_split(self.folder / SPLIT)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def logs(self) -> Path:
        """Folder of the logs."""
        return self.folder / "logs"

    @property
    def bundle_folder(self) -> Path:
        """Folder of the bundle, which is complete when the run is finished."""
        return self.folder / "bundle"

    def image_paths(self, rows: "pd.DataFrame") -> list[Path]:
        """Return the image files of rows of the split; relative paths start at the catalog's folder."""
        return [self.info.catalog.parent / path for path in rows["path"]]

    def record(self, **changes: object) -> None:
        """Change fields of the description and write ``run.json``."""
        self.info = self.info.model_copy(update=changes)
        write_text(self.folder / INFO, self.info.model_dump_json(indent=2) + "\n")


def job_differences(before: Job, now: Job, *, ignored: Sequence[str]) -> list[str]:
    """List the settings in which two jobs differ; ``ignored`` names settings and sections that may."""
    old, new = _flat(before.model_dump(mode="json")), _flat(now.model_dump(mode="json"))
    return [
        f"{key}: {old.get(key, 'not set')} in the run, {new.get(key, 'not set')} now"
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key) and not any(key == name or key.startswith(f"{name}.") for name in ignored)
    ]


def package_versions(job: Job) -> dict[str, str]:
    """Return the versions of Python, leafid and ``RECORDED_PACKAGES``, and a hash of the own code that a job names."""
    versions = {"leafid": __version__, "python": platform.python_version()}
    for package in RECORDED_PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue  # OpenCV is distributed under several names
    own = (job.model.backbone, job.training.augmentation, job.training.loss)
    return versions | {name: own_code_version(name) for name in own if is_own_code(name)}


def git_commit() -> str | None:
    """Return the commit of leafid's checkout, with ``+changes`` if files were edited; None: an installed release."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None
    try:
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+changes" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    command = ["git", "-C", str(root), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()


def _flat(value: object, prefix: str = "") -> dict[str, object]:
    """Flatten nested sections to ``section.key: value``."""
    if not isinstance(value, dict) or not value:
        return {prefix: value}
    flat: dict[str, object] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat
