"""The whole job: its sections, and where its files are."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from leafid.jobs.curation import CurationSettings
from leafid.jobs.fetching import FetchingSettings
from leafid.jobs.model import ModelSettings
from leafid.jobs.section import Section
from leafid.jobs.sheets import Preprocessing
from leafid.jobs.sources import Source
from leafid.jobs.sweep import SweepSettings
from leafid.jobs.taxa import TaxaSettings
from leafid.jobs.training import TrainingSettings
from leafid.jobs.trust import TrustSettings

Recipe = Literal["balanced", "fast", "accurate", "none"]


class OutputSettings(Section):
    """Where the job's files are."""

    data: Path | None = None
    """Folder of images and catalog; by default ``data/<job name>``."""
    runs: Path | None = None
    """Folder of the training run; by default ``runs/<job name>``."""
    catalog_format: str = Field(default="csv", pattern="^(csv|parquet)$")
    """``csv`` or ``parquet``."""


class Job(Section):
    """All steps from images to a trained bundle. Relative paths start at the current folder."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=64)]
    """Name of the job and of its folders: small letters, digits, ``-`` and ``_``."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 0
    """Every random choice derives from this number."""
    recipe: Recipe = "balanced"
    """Settings of ``sheets``, ``model`` and ``training`` that the job leaves out. ``balanced``: the best per minute on
    a laptop; ``fast``: one view per image; ``accurate``: also vein maps and fine-tuning, hours without a GPU; ``none``:
    the defaults given here for each setting. Recipes adapt to the images; ``leafid job check`` shows how."""
    taxa: TaxaSettings | None = None
    """The taxa, or a YAML file of them, its path relative to the job file; by default every name in the catalog."""
    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    """Where the images come from."""
    fetching: FetchingSettings = FetchingSettings()
    """How images are taken from the web, and under which licences."""
    curation: CurationSettings = CurationSettings()
    """Which images are used, and which of them for training, validation and test."""
    sheets: Preprocessing = Preprocessing()
    """What the network sees of an image."""
    model: ModelSettings = ModelSettings()
    """The network and the weights it starts from."""
    training: TrainingSettings = TrainingSettings()
    """How the network is trained."""
    trust: TrustSettings = TrustSettings()
    """When an identification is refused, and how large prediction sets are."""
    sweep: SweepSettings | None = None
    """Settings that `leafid sweep` searches; `leafid train` ignores this section."""
    output: OutputSettings = OutputSettings()
    """Where the job's files are."""

    @model_validator(mode="after")
    def _probe_has_pretrained_weights(self) -> Self:
        if self.training.mode == "probe" and self.model.weights == "none":
            raise ValueError(
                "training.mode: probe needs pretrained weights, and model.weights is none; name weights, or set "
                "training.mode: fine-tune"
            )
        return self

    @property
    def data_folder(self) -> Path:
        """Folder of images and catalog."""
        return self.output.data or Path("data") / self.name

    @property
    def catalog_path(self) -> Path:
        """The catalog file."""
        return self.data_folder / f"catalog.{self.output.catalog_format}"

    @property
    def run_folder(self) -> Path:
        """Folder of the training run."""
        return self.output.runs or Path("runs") / self.name
