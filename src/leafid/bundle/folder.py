"""Read and write the folder of a bundle."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError
from safetensors import SafetensorError

from leafid.bundle.schema import RENAMED_FIELDS, SCHEMA_VERSION, BundleInfo, References
from leafid.errors import BundleError, TaxonomyError
from leafid.files import sha256_of, write_text, written_atomically
from leafid.version import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

INFO, WEIGHTS, CARD = "bundle.json", "model.safetensors", "MODEL_CARD.md"
REFERENCES, REFERENCE_TABLE, THUMBNAILS = "references.safetensors", "references.csv", "thumbnails.zip"

_HEAD = "head.1.weight"
"""The last layer of the network, shape (taxa, features)."""

_UNREADABLE = (SafetensorError, OSError, KeyError, IndexError, TypeError, ValueError, AttributeError)
"""What safetensors raises for files that are damaged, or have numbers of a kind that numpy does not know."""


@dataclass(frozen=True)
class Bundle:
    """A bundle on disk: its description has been read, and the checksum of its weights is right."""

    folder: Path
    info: BundleInfo

    def tensors(self) -> "dict[str, Tensor]":
        """Load the weights to the CPU."""
        import torch
        from safetensors.torch import load_file

        try:
            tensors = dict(load_file(self.folder / WEIGHTS))
        except (SafetensorError, OSError) as error:
            raise BundleError(f"{self.folder / WEIGHTS} cannot be read: {error}. Copy the bundle again.") from None
        self._check_finite(name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all()))
        return tensors

    def _check_finite(self, not_finite: Iterable[str]) -> None:
        name = next(iter(not_finite), None)
        if name is not None:
            raise BundleError(
                f"{self.folder / WEIGHTS} has values that are no numbers (NaN or infinity) in {name}, so its "
                "answers would mean nothing. Train again with a lower training.learning_rate, or ask for another copy."
            )

    def arrays(self, *names: str) -> "dict[str, NDArray[np.generic]]":
        """Load the weights with these names only, without torch.

        Raises:
            BundleError: the bundle has no such weights, or they are damaged.
        """
        import numpy as np
        from safetensors import safe_open

        try:
            with safe_open(self.folder / WEIGHTS, framework="numpy") as weights:
                arrays = {name: weights.get_tensor(name) for name in names}
        except _UNREADABLE as error:
            raise BundleError(f"{self.folder / WEIGHTS} cannot be read: {error}. Copy the bundle again.") from None
        self._check_finite(name for name, array in arrays.items() if not np.isfinite(array).all())
        return arrays

    def references(self) -> "dict[str, NDArray[np.generic]]":
        """Load the features of the train and val images; see ``update_bundle``.

        Raises:
            BundleError: the bundle has no references, or they are damaged.
        """
        from safetensors.numpy import load_file

        path = self.folder / REFERENCES
        if self.info.references is None:
            raise BundleError(f"{self.folder} holds no references: it was never calibrated. Train it again.")
        if bundle_file_sha256(path) != self.info.references.sha256:
            raise BundleError(f"{self.folder} is damaged: {REFERENCES} is missing or changed. Copy the bundle again.")
        try:
            arrays = dict(load_file(path))
        except _UNREADABLE as error:
            raise BundleError(f"{path} cannot be read: {error}. Copy the bundle again.") from None
        if problem := self._problem_of_references(arrays, self.info.references.images):
            raise BundleError(f"{path} is damaged or foreign: {problem}. Copy the bundle again.")
        return arrays

    def _problem_of_references(self, arrays: "Mapping[str, NDArray[np.generic]]", images: int) -> str | None:
        """Return what is wrong with the references of a bundle, or None."""
        import numpy as np
        from safetensors import safe_open

        features, labels = arrays.get("features"), arrays.get("labels")
        if features is None or labels is None:
            return "it has no features or no labels"
        if features.dtype.kind != "f" or features.ndim != 2 or labels.dtype.kind not in "iu" or labels.ndim != 1:
            return f"features {features.dtype} {features.shape} and labels {labels.dtype} {labels.shape} are no lists"
        if not len(features) == len(labels) == images:
            return f"{len(features)} features and {len(labels)} labels are not those of {images} images"
        if not np.isfinite(features).all():
            return "features are not finite"
        if labels.min() < 0 or labels.max() >= len(self.info.taxonomy):
            return f"labels are not those of {len(self.info.taxonomy)} taxa"
        try:
            with safe_open(self.folder / WEIGHTS, framework="numpy") as weights:
                width = weights.get_slice(_HEAD).get_shape()[-1] if _HEAD in weights.keys() else features.shape[1]
        except _UNREADABLE:
            return None  # the weights are not read here; whoever reads them says what is wrong
        return None if width == features.shape[1] else f"features have {features.shape[1]} values, the network {width}"


def write_bundle(folder: Path, info: BundleInfo, tensors: "dict[str, Tensor]", card: str) -> Bundle:
    """Write a bundle; ``bundle.json`` is written last, so that a folder that has one is complete.

    Args:
        folder: made if missing; an existing bundle is replaced and its references are deleted.
        info: its ``weights_sha256`` is filled in here.
        tensors: the network's state dict.
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


def update_bundle(
    bundle: Bundle, info: BundleInfo, card: str, references: "dict[str, NDArray[np.generic]]", table: str
) -> Bundle:
    """Write a new description, references and model card into a bundle; ``bundle.json`` is replaced last, atomically.

    Args:
        bundle: its weights stay as they are.
        info: the new description; ``references`` is filled in here.
        card: Markdown text of the model card.
        references: ``features`` (N, F) of the train and val images, their ``labels`` (N,), and what else scores need.
        table: CSV text with a row for each of the N images, in the same order.
    """
    from safetensors.numpy import save_file

    with written_atomically(bundle.folder / REFERENCES) as temporary:
        save_file(references, temporary)
    write_text(bundle.folder / REFERENCE_TABLE, table)
    write_text(bundle.folder / CARD, card)
    written = References(images=len(references["features"]), sha256=sha256_of(bundle.folder / REFERENCES))
    complete = info.model_copy(update={"references": written})
    write_text(bundle.folder / INFO, complete.model_dump_json(indent=2) + "\n")
    return Bundle(bundle.folder, complete)


MAX_INFO_BYTES = 50_000_000
"""A description with 100,000 taxa has 15 million bytes."""


def read_bundle_folder(path: Path) -> Bundle:
    """Read and check a bundle that is a folder.

    Args:
        path: a bundle folder, or a run folder that holds one as ``bundle/``.

    Raises:
        BundleError: missing, damaged, foreign, or written by an older or newer leafid.
    """
    folder = folder_of(path)
    info = _read_info(folder / INFO)
    sha256 = bundle_file_sha256(folder / WEIGHTS)
    if sha256 is None:
        raise BundleError(f"{folder} is damaged: {WEIGHTS} is missing. Copy the bundle again.")
    if sha256 != info.weights_sha256:
        raise BundleError(
            f"{folder} is damaged: {WEIGHTS} is not the file this bundle was written with. Copy the bundle again."
        )
    return Bundle(folder, info)


def bundle_file_sha256(path: Path) -> str | None:
    """Return the SHA-256 of a file of a bundle; None if there is none.

    Raises:
        BundleError: it cannot be read.
    """
    try:
        return sha256_of(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> BundleError:
    """Return the error for a file of a bundle that is there and cannot be read."""
    reason = f"{path} cannot be read: {error.strerror or error}."
    if isinstance(error, PermissionError):
        return BundleError(f"{reason} Ask its owner to let you read it: `chmod -R a+rX` on the folder of the bundle.")
    return BundleError(f"{reason} Copy the bundle again.")


def folder_of(path: Path) -> Path:
    """Return the folder of a bundle, given it or the run that holds it; nothing is read.

    Raises:
        BundleError: there is no bundle, or its folder cannot be read.
    """
    try:
        return _folder_of(path)
    except PermissionError as error:
        raise unreadable(path, error) from None


def _folder_of(path: Path) -> Path:
    folder = path if (path / INFO).is_file() or not (path / "bundle").is_dir() else path / "bundle"
    if folder.is_file():
        raise BundleError(
            f"{path} is a file, and a bundle is a folder or a .zip file. Name the folder that `leafid train` wrote."
        )
    if not folder.is_dir():
        raise BundleError(f"There is no bundle {path}. `leafid train JOB` writes one to runs/<job name>/bundle.")
    if not (folder / INFO).is_file():
        raise BundleError(f"{folder} is not a bundle: it has no {INFO}. Name the folder that `leafid train` wrote.")
    return folder


def _read_info(path: Path) -> BundleInfo:
    try:
        if path.stat().st_size > MAX_INFO_BYTES:
            raise BundleError(f"{path} has {path.stat().st_size:,} bytes, too many for the description of a bundle.")
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise unreadable(path, error) from None
    except (ValueError, RecursionError) as error:  # ValueError: not UTF-8, not JSON, or numbers without end
        raise BundleError(f"{path} is damaged: {error}. Copy the bundle again.") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, int):
        raise BundleError(
            f"{path} was not written by leafid: it has no schema_version. Name the folder that `leafid train` wrote."
        )
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"{path} was written by leafid {content.get('leafid_version', 'of a later version')} "
            f"(bundle schema {version}); this is leafid {__version__} (schema {SCHEMA_VERSION}). Update leafid."
        )
    if version < SCHEMA_VERSION:
        writer = content.get("leafid_version", "of an earlier version")
        renamed = ", ".join(f"{old} is now {new}" for old, new in RENAMED_FIELDS.items())
        raise BundleError(
            f"{path} was written by an older leafid {writer} (bundle schema {version}); this is leafid {__version__} "
            f"(schema {SCHEMA_VERSION}), where fields have other names: {renamed}. Train again with the same job, or "
            f"use the leafid that wrote this bundle."
        )
    try:
        return BundleInfo.model_validate(content)
    except ValidationError as error:
        places = "; ".join(
            f"{'.'.join(map(str, detail['loc'])) or 'the whole'}: {detail['msg']}" for detail in error.errors()[:5]
        )
        raise BundleError(f"{path} is damaged or foreign: wrong or missing values at {places}.") from None
    except TaxonomyError as error:
        raise BundleError(f"{path} is damaged or foreign: {error}") from None
