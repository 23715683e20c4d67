"""Compiled engines in a bundle. Each is stored with its parity check against torch and is refused without it.

    BUNDLE/engines/openvino/224.xml, 224.bin    one model for each size of view
    BUNDLE/engines/openvino/parity.json         ``Parity``
    BUNDLE/engines/onnx/224.onnx ...

Only the backbone is compiled. Pooling and head take about a thousandth of the time and run in numpy, so that torch is
not imported.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from leafid.bundle import Bundle, bundle_file_sha256, unreadable
from leafid.cores import usable_cores
from leafid.errors import BundleError
from leafid.identify.engines.compiled_formats import (
    INT8,
    CompiledName,
    FeatureExtractor,
    load_model,
    require_engine,
    views_per_call,
)
from leafid.identify.engines.engine import EngineName, EngineOutput
from leafid.identify.engines.pooling_head import KINDS, PoolingHead
from leafid.jobs import Preprocessing
from leafid.sheets import PreparedImage

TOLERANCE = 0.001
"""Largest accepted difference from torch: of a probability, and of embeddings relative to their norm."""
AGREEMENT = 0.99
"""Smallest accepted share of images with the same top-1 taxon as torch; the rest can only be ties within tolerance."""

INT8_TOLERANCE = 0.05
"""INT8: largest accepted mean, over the images, of the largest difference of a probability."""
INT8_AGREEMENT = 0.95
"""INT8: smallest accepted share of images with the same top-1 taxon as torch."""

PARITY = "parity.json"
_ENGINES = "engines"


class Parity(BaseModel):
    """Parity of an engine with torch on the same views.

    Attributes:
        largest_difference: maximum, over images and taxa, of the difference of a calibrated probability.
        embedding_difference: maximum over the images of the embeddings' difference, relative to their norm. It detects
            errors that saturated probabilities hide.
        agreement: share of images with the same top-1 taxon.
        mean_difference: mean over the images of the largest difference of a probability.
        speedup: throughput divided by that of torch, on the machine ``measured_on``.
        files: SHA-256 of each file of the engine.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: EngineName
    version: str
    leafid_version: str
    created: datetime
    weights_sha256: str
    images: int
    largest_difference: float
    embedding_difference: float
    agreement: float
    mean_difference: float
    speedup: float
    measured_on: str
    files: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether the engine may be used in place of torch."""
        if self.engine in INT8:
            return self.mean_difference <= INT8_TOLERANCE and self.agreement >= INT8_AGREEMENT
        differences = (self.largest_difference, self.embedding_difference)
        return all(difference <= TOLERANCE for difference in differences) and self.agreement >= AGREEMENT

    def __str__(self) -> str:
        """Return one sentence for the terminal."""
        return (
            f"{self.engine} ({self.version}) compared with torch on {self.images} images: largest difference of a "
            f"probability {self.largest_difference:.1e}, of embeddings {self.embedding_difference:.1e} of their norm, "
            f"same first taxon for {self.agreement:.1%}, mean difference {self.mean_difference:.1e}; "
            f"{self.speedup:.1f} times as fast on {self.measured_on}"
        )


class CompiledEngine:
    """Runs the backbone with OpenVINO or ONNX Runtime on the CPU.

    Each call of ``predict`` runs in one thread, and as many calls run concurrently as there are cores. A call split
    over threads would wait for its slowest part whenever threads that decode images occupy a core.
    """

    views_per_batch = 8

    def __init__(
        self, bundle: Bundle, name: CompiledName, folder: Path, *, cores: int | None = None, cache: Path | None = None
    ) -> None:
        """Load the models in a folder, as ``load_model`` does. ``engine_check.load_compiled`` checks them first."""
        self.name: EngineName = name
        self._pooling_head = PoolingHead(bundle)
        self.concurrency = cores or usable_cores()
        self._models: dict[int, FeatureExtractor] = {
            side: load_model(folder, name, side, threads=self.concurrency, cache=cache)
            for side in view_sides(bundle.info.preprocessing)
        }

    def predict(self, images: Sequence[PreparedImage]) -> EngineOutput:
        """Return logits and embeddings, one row per image."""
        views = [
            (view, index, KINDS.index(kind))
            for index, image in enumerate(images)
            for view, kind in zip(image.views, image.kinds, strict=True)
        ]
        views.sort(key=lambda entry: len(entry[0]))  # a model takes views of one size
        features = np.concatenate(
            [self._features([view for view, _, _ in group]) for _, group in groupby(views, lambda entry: len(entry[0]))]
        )
        image_index = np.array([index for _, index, _ in views])
        kinds = np.array([kind for _, _, kind in views])
        return EngineOutput(*self._pooling_head(features, image_index, kinds, len(images)))

    def _features(self, views: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Return the features (V, F) of views (S, S, 3) of one size."""
        side = len(views[0])
        model, most = self._models[side], views_per_call(side)
        parts = [views[start : start + most] for start in range(0, len(views), most)]
        features = [model(np.ascontiguousarray(np.stack(part).transpose(0, 3, 1, 2))) for part in parts]
        for part, rows in zip(parts, features, strict=True):
            if rows.shape != (len(part), self._pooling_head.features):
                expected = (len(part), self._pooling_head.features)
                raise BundleError(
                    f"The engine {self.name} gives features of the shape {rows.shape}, not {expected}. "
                    "Use --engine torch."
                )
        return np.concatenate(features)


def view_sides(preprocessing: Preprocessing) -> tuple[int, ...]:
    """Return the possible side lengths of views in pixels, ascending."""
    return tuple(sorted({preprocessing.size, preprocessing.overview_size or preprocessing.size}))


def engine_folder(bundle: Bundle, name: CompiledName) -> Path:
    """Return the folder of an engine in a bundle."""
    return bundle.folder / _ENGINES / name


def require_exported(bundle_folder: Path, name: CompiledName) -> None:
    """Check that a bundle has an engine.

    Raises:
        BundleError: it was never exported.
    """
    if not (bundle_folder / _ENGINES / name).is_dir():
        raise BundleError(f"{bundle_folder} has no engine {name}. {_how_to_export(bundle_folder, name)}")


def _how_to_export(bundle_folder: Path, name: CompiledName) -> str:
    return f"`leafid export {bundle_folder} --to {name.replace('-int8', ' --int8 --calibrate PATHS')}` writes it."


def check_parity(bundle: Bundle, name: CompiledName) -> Parity:
    """Check an engine of a bundle and return its parity with torch, as the bundle states it.

    Raises:
        InstallationError: its packages are not installed.
        BundleError: the engine is missing or damaged, was exported from other weights, or failed parity.
    """
    require_engine(name)
    require_exported(bundle.folder, name)
    folder, again = engine_folder(bundle, name), _how_to_export(bundle.folder, name)
    try:
        parity = Parity.model_validate_json((folder / PARITY).read_text(encoding="utf-8"))
    except PermissionError as error:
        raise unreadable(folder / PARITY, error) from None
    except (OSError, UnicodeDecodeError, ValidationError):
        raise BundleError(
            f"{folder} is damaged or of an earlier leafid: {PARITY} is missing or changed. {again}"
        ) from None
    if parity.weights_sha256 != bundle.info.weights_sha256:
        raise BundleError(f"{folder} was made from other weights than those of the bundle. {again}")
    if not parity.passed:
        raise BundleError(f"{folder} differs from torch: {parity}. Use --engine torch.")
    for file, sha256 in parity.files.items():
        if bundle_file_sha256(folder / file) != sha256:
            raise BundleError(f"{folder} is damaged: {file} is missing or changed. {again}")
    sides = {str(side) for side in view_sides(bundle.info.preprocessing)}
    if missing := sides - {Path(file).stem for file in parity.files}:
        raise BundleError(f"{folder} has no model for views of {', '.join(sorted(missing))} pixels. {again}")
    if unlisted := {file.name for file in folder.iterdir()} - {PARITY, *parity.files}:
        raise BundleError(f"{folder} has files that {PARITY} does not list: {', '.join(sorted(unlisted))}. {again}")
    return parity
