"""The content of ``bundle.json``, as a schema."""

import hashlib
import json
from datetime import datetime
from pathlib import PurePosixPath, PureWindowsPath
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from leafid.jobs.model import Pooling, Scales
from leafid.jobs.sheets import Preprocessing
from leafid.jobs.trust import OodScore
from leafid.statements import TrainedOn
from leafid.taxonomy import Name, Taxonomy
from leafid.version import __version__

SCHEMA_VERSION = 4
"""Rises when an older leafid could misread a newer bundle, or this leafid an older one.

2: prediction sets, OOD detector, references. 3: fields have new names, and OOD scores rise with the distance from the
training images.
"""

FEW_GATHERINGS = 5
"""A taxon with fewer training gatherings is marked: so few plants do not show how much its leaves vary."""

RENAMED_FIELDS = {
    "unknowns": "ood_detector",
    "min_score": "min_probability",
    "free_ranks": "k_reg",
    "acceptance": "id_acceptance_rate",
    "whole_size": "overview_size",
    "by_taxon": "taxon_thresholds",
    "min_sharpness": "min_good",
    "needs_plant": "min_good",
}
"""Fields of older schemas by their old names, with the names in this one; named where an older bundle is refused."""


class _FrozenModel(BaseModel):
    # NaN and infinity in a stranger's bundle would accept or refuse every image.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


Positive = Annotated[float, Field(gt=0)]


class NetworkSpec(_FrozenModel):
    """Architecture of the network, enough to build it before the weights are loaded.

    ``mean`` and ``std`` normalise RGB values in 0..1 inside the network, which therefore takes 8-bit pixels.
    """

    backbone: str
    pooling: Pooling = "average"
    scales: Scales = (1.0,)
    dropout: Annotated[float, Field(ge=0, lt=1)]
    mean: tuple[float, float, float]
    std: tuple[Positive, Positive, Positive]


Interval = tuple[float, float]
"""Lower and upper end of a 95 % confidence interval, over gatherings."""


class FittedOn(_FrozenModel):
    """The images used to fit a temperature or threshold; test images are never among them."""

    split: str
    images: int
    gatherings: int


class Calibration(_FrozenModel):
    """Temperature scaling: probabilities are ``softmax(logits / temperature)``; the temperature is 1 until fitted."""

    temperature: Annotated[float, Field(gt=0)] = 1.0
    interval: Interval | None = None
    fitted_on: FittedOn | None = None


class CoverageLevel(_FrozenModel):
    """Conformal thresholds at one coverage: a set holds the taxa with a nonconformity score up to the threshold.

    ``taxon_thresholds`` replaces ``threshold`` for taxa (by label) with enough gatherings: class-conditional conformal
    prediction.
    """

    coverage: Annotated[float, Field(gt=0, lt=1)]
    threshold: float
    taxon_thresholds: dict[int, float] = {}


class PredictionSets(_FrozenModel):
    """Adaptive prediction sets (APS), regularised by ``penalty`` for every rank beyond ``k_reg`` (RAPS).

    Records use the level ``coverage``; evaluation measures the other levels too.
    """

    coverage: Annotated[float, Field(gt=0, lt=1)]
    levels: tuple[CoverageLevel, ...]
    penalty: Annotated[float, Field(ge=0)] = 0.0
    k_reg: Annotated[int, Field(ge=1)] = 1
    fitted_on: FittedOn

    @model_validator(mode="after")
    def _has_the_level_of_records(self) -> Self:
        coverages = [level.coverage for level in self.levels]
        if self.coverage not in coverages:
            raise ValueError(f"coverage {self.coverage} is not among the levels, {coverages}")
        return self

    @property
    def level(self) -> CoverageLevel:
        """The level that records use."""
        return next(level for level in self.levels if level.coverage == self.coverage)


class OodPart(_FrozenModel):
    """One of several scores that are added after subtracting ``centre`` and dividing by ``scale``."""

    score: OodScore
    centre: float
    scale: Annotated[float, Field(gt=0)]


class OodDetector(_FrozenModel):
    """OOD detector: an image with an OOD score above ``threshold`` belongs to no known taxon.

    ``id_acceptance_rate`` is the share of images of known taxa that the threshold accepts.
    """

    score: OodScore
    parts: tuple[OodPart, ...] = ()
    """Those of the score ``combined``."""
    threshold: float
    id_acceptance_rate: Annotated[float, Field(gt=0, lt=1)]
    fitted_on: FittedOn

    @model_validator(mode="after")
    def _has_its_parts(self) -> Self:
        if any(part.score == "combined" for part in self.parts) or bool(self.parts) != (self.score == "combined"):
            raise ValueError(f"the score {self.score} does not have {len(self.parts)} parts")
        return self

    @property
    def scores(self) -> tuple[OodScore, ...]:
        """The scores that are calculated: those of the parts, or the only one."""
        return tuple(part.score for part in self.parts) or (self.score,)

    @property
    def needs_gaussians(self) -> bool:
        """Whether the score compares images with a normal distribution for each taxon."""
        return any("mahalanobis" in score for score in self.scores)


class PhotoPooling(_FrozenModel):
    """How photos of one plant are pooled: ``correlation`` of what they say, 0 (independent) to 1 (each the same)."""

    correlation: Annotated[float, Field(ge=0, le=1)]
    fitted_on: FittedOn


class References(_FrozenModel):
    """Train and val images: features in ``references.safetensors``, names in ``references.csv``."""

    images: Annotated[int, Field(ge=1)]
    sha256: str


class Decision(_FrozenModel):
    """Thresholds of an ``undetermined`` answer; one that is None has not been fitted and is not applied."""

    min_probability: Annotated[float, Field(ge=0, le=1)]
    min_side: int | None = None
    """An image whose shorter side has fewer pixels is too small."""
    min_good: Annotated[float, Field(ge=0, le=1)] | None = None
    """The input gate rejects an image whose probability of being a suitable photo is lower; see
    ``leafid.sheets.input_gate``."""


def _without_private_values(job: dict[str, Any]) -> dict[str, Any]:
    public: dict[str, Any] = _with_short_paths(job)
    if isinstance(public.get("fetching"), dict):
        public["fetching"].pop("contact", None)
    return public


def _with_short_paths(value: Any) -> Any:  # noqa: ANN401 -- any value of a job
    """Reduce absolute paths, of this or another operating system, to their last part."""
    if isinstance(value, dict):
        return {key: _with_short_paths(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_with_short_paths(inner) for inner in value]
    if isinstance(value, str):
        for path in (PureWindowsPath(value), PurePosixPath(value)):
            if path.is_absolute() or value.startswith("~"):
                return path.name
    return value


class Provenance(_FrozenModel):
    """Origin of the model: enough to train it again on another machine.

    ``job`` is kept without the trainer's contact, and with the last part only of an absolute path, which may name a
    person or a machine.
    """

    job: Annotated[dict[str, Any], AfterValidator(_without_private_values)]
    created: datetime
    seed: int
    catalog_sha256: str
    git_commit: str | None
    versions: dict[str, str]
    images: dict[str, int]
    gatherings: dict[str, int]
    domains: dict[str, int] = {}
    """Train and val images by the catalog's ``domain``; an empty name: not stated."""
    institutions: Annotated[int, Field(ge=0)] = 0
    """Herbaria that these images come from, 0 if not stated."""
    training_gatherings: tuple[int, ...] = ()
    """Gatherings of each taxon in train, in label order; empty in bundles of earlier versions."""
    best_epoch: int
    val_macro_f1: float | None


class BundleInfo(_FrozenModel):
    """Content of ``bundle.json``: everything in a bundle but the weights and references."""

    schema_version: int = SCHEMA_VERSION
    leafid_version: Name = __version__
    name: Name
    taxonomy: Taxonomy
    preprocessing: Preprocessing
    network: NetworkSpec
    calibration: Calibration = Calibration()
    decision: Decision
    prediction_sets: PredictionSets | None = None
    ood_detector: OodDetector | None = None
    references: References | None = None
    photo_pooling: PhotoPooling | None = None
    provenance: Provenance
    weights_sha256: str

    @model_validator(mode="after")
    def _fits_the_taxa(self) -> Self:
        taxa = len(self.taxonomy)
        if not taxa:
            raise ValueError("taxonomy.taxa is empty")
        levels = self.prediction_sets.levels if self.prediction_sets else ()
        labels = {label for level in levels for label in level.taxon_thresholds}
        if labels and not 0 <= min(labels) <= max(labels) < taxa:
            raise ValueError(f"prediction_sets: taxon_thresholds have labels outside 0 to {taxa - 1}")
        return self

    @property
    def trained_on(self) -> TrainedOn:
        """What the bundle can know, and the limits that follow."""
        return TrainedOn(self.taxonomy.names, self.provenance.domains, self.provenance.institutions)

    @property
    def few_gatherings(self) -> dict[str, int]:
        """Training gatherings of the taxa with fewer than ``FEW_GATHERINGS``, by name."""
        counts = zip(self.taxonomy.names, self.provenance.training_gatherings, strict=False)
        return {name: count for name, count in counts if count < FEW_GATHERINGS}

    @property
    def identifier(self) -> str:
        """Name, hash of the weights and hash of the calibration, such as ``mitragyna@3f2a9c01d4e5-71b0c2``.

        Stamped on every record. The last part changes with the temperature and thresholds, since the same weights then
        give other answers.
        """
        parts = ["calibration", "decision", "prediction_sets", "ood_detector", "references"]
        if self.photo_pooling is not None:  # an earlier bundle keeps its identifier
            parts.append("photo_pooling")
        values = json.dumps(self.model_dump(mode="json", include={*parts}), sort_keys=True)
        return f"{self.name}@{self.weights_sha256[:12]}-{hashlib.sha256(values.encode()).hexdigest()[:6]}"
