"""The bundle: a folder that holds a trained model and all that is needed to use and to judge it.

    bundle.json        taxonomy, preprocessing, network, calibration, decision, provenance (``BundleInfo``)
    model.safetensors  the weights; no pickle is ever read
    MODEL_CARD.md      the same for people

Whoever writes a bundle calls ``write_bundle``; whoever uses one calls ``read_bundle`` and, for the weights,
``Bundle.tensors``.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leafid.errors import BundleError
from leafid.files import sha256_of, write_text, written_atomically
from leafid.jobs.sheets import Preprocessing
from leafid.taxonomy import Taxonomy
from leafid.version import __version__

if TYPE_CHECKING:
    from torch import Tensor

SCHEMA_VERSION = 1
"""Rises when an older leafid could misread a newer bundle."""

INFO, WEIGHTS, CARD = "bundle.json", "model.safetensors", "MODEL_CARD.md"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkSpec(_Part):
    """What is needed to build the network again before its weights are loaded.

    ``mean`` and ``std`` normalise RGB values in 0..1 inside the network, which therefore takes plain 8-bit pixels.
    """

    backbone: str
    dropout: float
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


class Calibration(_Part):
    """How logits become probabilities: ``softmax(logits / temperature)``; 1 until it has been fitted."""

    temperature: Annotated[float, Field(gt=0)] = 1.0
    fitted_on: str | None = None


class Decision(_Part):
    """When the answer is ``undetermined``."""

    min_score: Annotated[float, Field(ge=0, le=1)]


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
    provenance: Provenance
    weights_sha256: str

    @property
    def identifier(self) -> str:
        """Name and weights in short, such as ``mitragyna@3f2a9c01d4e5``; stamped on every record."""
        return f"{self.name}@{self.weights_sha256[:12]}"


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


def write_bundle(folder: Path, info: BundleInfo, tensors: "dict[str, Tensor]", card: str) -> Bundle:
    """Write a bundle; ``bundle.json`` comes last, so that a folder with it is complete.

    Args:
        folder: made if missing; a bundle in it is replaced.
        info: its ``weights_sha256`` is filled in here.
        tensors: the network's state.
        card: Markdown text of the model card.
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    (folder / INFO).unlink(missing_ok=True)
    with written_atomically(folder / WEIGHTS) as temporary:
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary)
    write_text(folder / CARD, card)
    complete = info.model_copy(update={"weights_sha256": sha256_of(folder / WEIGHTS)})
    write_text(folder / INFO, complete.model_dump_json(indent=2) + "\n")
    return Bundle(folder, complete)


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
