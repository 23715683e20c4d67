"""The bundle: a folder that holds a trained model and all that is needed to use and to judge it.

    bundle.json             taxonomy, preprocessing, network, trust, provenance (``BundleInfo``)
    model.safetensors       the weights; no pickle is ever read
    references.safetensors  features of the training images, once trust has been fitted
    references.csv          which specimens these are
    thumbnails.zip          small pictures of those whose licence allows it, where there are any
    MODEL_CARD.md           the same for people

Whoever writes a bundle calls ``write_bundle``; whoever measures it and has learnt how far to trust it calls
``write_calibration``; whoever uses one calls ``read_bundle`` and, for the weights, ``Bundle.tensors``.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leafid.errors import BundleError
from leafid.files import sha256_of, write_text, written_atomically
from leafid.jobs.model import Pooling, Scales
from leafid.jobs.sheets import Preprocessing
from leafid.jobs.trust import OodScore
from leafid.taxonomy import Taxonomy
from leafid.version import __version__

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

SCHEMA_VERSION = 2
"""Rises when an older leafid could misread a newer bundle. 2: prediction sets, unknowns, references."""

INFO, WEIGHTS, CARD = "bundle.json", "model.safetensors", "MODEL_CARD.md"
REFERENCES, REFERENCE_TABLE, THUMBNAILS = "references.safetensors", "references.csv", "thumbnails.zip"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSpec(_Part):
    """What is needed to build the network again before its weights are loaded.

    ``mean`` and ``std`` normalise RGB values in 0..1 inside the network, which therefore takes plain 8-bit pixels.
    """

    backbone: str
    pooling: Pooling = "average"
    scales: Scales = (1.0,)
    dropout: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


Interval = tuple[float, float]
"""Lower and upper end of a 95 % interval, by bootstrap over gatherings."""


class FittedOn(_Part):
    """The images by which something was fitted: never those of the test."""

    split: str
    images: int
    gatherings: int


class Calibration(_Part):
    """How logits become probabilities: ``softmax(logits / temperature)``; 1 until it has been fitted."""

    temperature: Annotated[float, Field(gt=0)] = 1.0
    interval: Interval | None = None
    fitted_on: FittedOn | None = None


class SetLevel(_Part):
    """At one coverage, a taxon is in the prediction set while its nonconformity score is at most the threshold.

    ``by_taxon`` holds a threshold of its own for each taxon (by label) that had enough gatherings.
    """

    coverage: Annotated[float, Field(gt=0, lt=1)]
    threshold: float
    by_taxon: dict[int, float] = {}


class PredictionSets(_Part):
    """How prediction sets are made: adaptive ones, with ``penalty`` for every rank beyond ``k_reg``.

    The set of a record is made at ``coverage``; the other levels are there to be measured.
    """

    coverage: Annotated[float, Field(gt=0, lt=1)]
    levels: tuple[SetLevel, ...]
    penalty: Annotated[float, Field(ge=0)] = 0.0
    k_reg: Annotated[int, Field(ge=1)] = 1
    fitted_on: FittedOn

    @property
    def level(self) -> SetLevel:
        """The level of records."""
        return next(level for level in self.levels if level.coverage == self.coverage)


class OodDetector(_Part):
    """When an image belongs to no known taxon: its OOD score lies above ``threshold``.

    ``id_acceptance_rate`` is the share of images of known taxa that the threshold accepts.
    """

    score: OodScore
    threshold: float
    id_acceptance_rate: Annotated[float, Field(gt=0, lt=1)]
    fitted_on: FittedOn


class References(_Part):
    """What is known of train and val: ``references.safetensors`` with features, ``references.csv`` with names."""

    images: int
    sha256: str


class Decision(_Part):
    """When the answer is ``undetermined``. A limit that is missing has not been fitted and is not applied."""

    min_probability: Annotated[float, Field(ge=0, le=1)]
    min_side: int | None = None
    """Shorter side in pixels below which an image is too small."""
    min_sharpness: float | None = None
    """Sharpness below which an image is blurred; see ``leafid.trust.image_quality``."""
    needs_plant: bool = False
    """Whether an image on which no plant is found is refused."""


class Provenance(_Part):
    """Where the model comes from: enough to make it again."""

    job: dict[str, Any]
    created: datetime
    seed: int
    catalog_sha256: str
    git_commit: str | None
    versions: dict[str, str]
    images: dict[str, int]
    gatherings: dict[str, int]
    best_epoch: int
    val_macro_f1: float | None


class BundleInfo(_Part):
    """Everything in a bundle but the weights."""

    schema_version: int = SCHEMA_VERSION
    leafid_version: str = __version__
    name: str
    taxonomy: Taxonomy
    preprocessing: Preprocessing
    network: NetworkSpec
    calibration: Calibration = Calibration()
    decision: Decision
    prediction_sets: PredictionSets | None = None
    ood_detector: OodDetector | None = None
    references: References | None = None
    provenance: Provenance
    weights_sha256: str

    @property
    def identifier(self) -> str:
        """Name, weights and trust in short, such as ``mitragyna@3f2a9c01d4e5-71b0c2``; stamped on every record.

        The last part changes whenever the same weights answer differently: by another temperature, threshold or limit.
        """
        parts = ("calibration", "decision", "prediction_sets", "ood_detector", "references")
        values = json.dumps(self.model_dump(mode="json", include={*parts}), sort_keys=True)
        return f"{self.name}@{self.weights_sha256[:12]}-{hashlib.sha256(values.encode()).hexdigest()[:6]}"


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk whose description has been read and whose weights are known to be whole."""

    folder: Path
    info: BundleInfo

    def tensors(self) -> "dict[str, Tensor]":
        """Load the weights to the CPU."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return dict(load_file(self.folder / WEIGHTS))
        except (SafetensorError, OSError) as error:
            raise BundleError(f"{self.folder / WEIGHTS} cannot be read: {error}. Copy the bundle again.") from None

    def references(self) -> "dict[str, NDArray[np.generic]]":
        """Load the features of the training images; see ``write_calibration``.

        Raises:
            BundleError: the bundle has none, or they are damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        path = self.folder / REFERENCES
        if self.info.references is None:
            raise BundleError(f"{self.folder} holds no references: its trust was never fitted. Train it again.")
        if not path.is_file() or sha256_of(path) != self.info.references.sha256:
            raise BundleError(f"{self.folder} is damaged: {REFERENCES} is missing or changed. Copy the bundle again.")
        try:
            return dict(load_file(path))
        except (SafetensorError, OSError) as error:
            raise BundleError(f"{path} cannot be read: {error}. Copy the bundle again.") from None


def write_bundle(folder: Path, info: BundleInfo, tensors: "dict[str, Tensor]", card: str) -> Bundle:
    """Write a bundle; ``bundle.json`` comes last, so that a folder with it is complete.

    Args:
        folder: made if missing; a bundle in it is replaced, and what had been learnt about it goes.
        info: its ``weights_sha256`` is filled in here.
        tensors: the network's state.
        card: Markdown text of the model card.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    for name in (INFO, REFERENCES, REFERENCE_TABLE, THUMBNAILS):
        (folder / name).unlink(missing_ok=True)
    with written_atomically(folder / WEIGHTS) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)
    write_text(folder / CARD, card)
    complete = info.model_copy(update={"weights_sha256": sha256_of(folder / WEIGHTS)})
    write_text(folder / INFO, complete.model_dump_json(indent=2) + "\n")
    return Bundle(folder, complete)


def write_calibration(
    bundle: Bundle, info: BundleInfo, card: str, references: "dict[str, NDArray[np.generic]]", table: str
) -> Bundle:
    """Write what was learnt about a bundle into it; ``bundle.json`` comes last and is replaced at once.

    Args:
        bundle: its weights stay as they are.
        info: the new description; ``references`` is filled in here.
        card: Markdown text of the model card.
        references: features of the training images, one row for each, and what else is needed to compare with them.
        table: which images these are, as CSV, in the order of the rows.
    """
    from safetensors.numpy import save_file

    with written_atomically(bundle.folder / REFERENCES) as temporary:
        save_file(references, temporary)
    write_text(bundle.folder / REFERENCE_TABLE, table)
    write_text(bundle.folder / CARD, card)
    made = References(images=len(references["features"]), sha256=sha256_of(bundle.folder / REFERENCES))
    complete = info.model_copy(update={"references": made, "schema_version": SCHEMA_VERSION})
    write_text(bundle.folder / INFO, complete.model_dump_json(indent=2) + "\n")
    return Bundle(bundle.folder, complete)


def read_bundle(path: Path) -> Bundle:
    """Read and check a bundle.

    Args:
        path: a bundle folder, or a run folder that holds one as ``bundle/``.

    Raises:
        BundleError: missing, damaged, foreign, or written by a newer leafid.
    """
    folder = path if (path / INFO).is_file() or not (path / "bundle").is_dir() else path / "bundle"
    if not folder.is_dir():
        raise BundleError(f"There is no bundle {path}. `leafid train JOB` writes one to runs/<job name>/bundle.")
    if not (folder / INFO).is_file():
        raise BundleError(f"{folder} is no bundle: it has no {INFO}. Name the folder that `leafid train` wrote.")
    info = _read_info(folder / INFO)
    weights = folder / WEIGHTS
    if not weights.is_file():
        raise BundleError(f"{folder} is damaged: {WEIGHTS} is missing. Copy the bundle again.")
    if sha256_of(weights) != info.weights_sha256:
        raise BundleError(
            f"{folder} is damaged: {WEIGHTS} is not the file this bundle was written with. Copy the bundle again."
        )
    return Bundle(folder, info)


def _read_info(path: Path) -> BundleInfo:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise BundleError(f"{path} is damaged: {error}. Copy the bundle again.") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise BundleError(f"{path} is no bundle of leafid: it has no schema_version.")
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"{path} was written by leafid {content.get('leafid_version', 'of a later version')} "
            f"(bundle schema {version}); this is leafid {__version__} (schema {SCHEMA_VERSION}). Update leafid."
        )
    try:
        return BundleInfo.model_validate(content)
    except ValidationError as error:
        places = ", ".join(".".join(map(str, detail["loc"])) for detail in error.errors()[:5])
        raise BundleError(f"{path} is damaged or foreign: wrong or missing values at {places}.") from None
