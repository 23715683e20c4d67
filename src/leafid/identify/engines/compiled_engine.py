"""Compiled engines in a bundle: written with a proof that they answer like torch, refused without it.

    BUNDLE/engines/openvino/224.xml, 224.bin    one model for each size of view
    BUNDLE/engines/openvino/parity.json         ``Parity``
    BUNDLE/engines/onnx/224.onnx ...

Only the backbone is compiled; pooling and head are a thousandth of the work and stay in torch.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from leafid.bundle import Bundle
from leafid.cores import usable_cores
from leafid.errors import BundleError
from leafid.files import sha256_of
from leafid.identify.engines.compiled_formats import INT8, CompiledName, Features, load_model, require
from leafid.identify.engines.engine import EngineName, EngineOutput
from leafid.jobs import Preprocessing
from leafid.sheets import PreparedImage

TOLERANCE = 0.001
"""Largest difference of a probability, and of embeddings as a share of their length, that is accepted."""
AGREEMENT = 0.99
"""Share of images whose first answer must be torch's; the others can only be ties within the tolerance."""

INT8_TOLERANCE = 0.05
"""With 8-bit integers: mean over the images of the largest difference of a probability."""
INT8_AGREEMENT = 0.95
"""With 8-bit integers: share of images whose first answer must be torch's."""

PARITY = "parity.json"
_VIEWS_AT_ONCE = 64


class Parity(BaseModel):
    """How the answers of an engine compare with those of torch on the same views.

    ``largest_difference`` is that of any calibrated probability of any image; ``embedding_difference`` that of an
    image's embeddings, as a share of their length: it also tells where the probabilities are all but 0 and 1;
    ``agreement`` is the share of images with the same first answer; ``mean_difference`` the mean over the images of the
    largest difference of a probability; ``files`` the SHA-256 of each file of the engine. ``times_as_fast`` as torch
    it answered for the same images on the machine ``measured_on``.
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
    times_as_fast: float
    measured_on: str
    files: dict[str, str]

    @property
    def passed(self) -> bool:
        """Whether the engine may stand in for torch."""
        if self.engine in INT8:
            return self.mean_difference <= INT8_TOLERANCE and self.agreement >= INT8_AGREEMENT
        differences = (self.largest_difference, self.embedding_difference)
        return all(difference <= TOLERANCE for difference in differences) and self.agreement >= AGREEMENT

    def __str__(self) -> str:
        """One sentence for the terminal."""
        return (
            f"{self.engine} ({self.version}) beside torch on {self.images} images: largest difference of a probability "
            f"{self.largest_difference:.1e}, of embeddings {self.embedding_difference:.1e} of their length, "
            f"same first answer for {self.agreement:.1%}, mean difference {self.mean_difference:.1e}; "
            f"{self.times_as_fast:.1f} times as fast on {self.measured_on}"
        )


class CompiledEngine:
    """Runs the backbone with OpenVINO or ONNX Runtime on the CPU.

    Each call of ``answer`` is calculated by one thread, and as many of them at once as there are cores: nothing waits
    for the other part of a calculation while threads that open images have the core.
    """

    views_at_once = 8

    def __init__(self, bundle: Bundle, name: CompiledName, folder: Path, *, cores: int | None = None) -> None:
        """Load the models in a folder; ``load_compiled`` checks them before."""
        from leafid.learning import load_network

        self.name: EngineName = name
        network = load_network(bundle)
        self._pooling, self._head = network.pooling, network.head
        self.at_once = cores or usable_cores()
        self._models: dict[int, Features] = {
            side: load_model(folder, name, side, threads=self.at_once) for side in view_sides(bundle.info.preprocessing)
        }

    def answer(self, images: Sequence[PreparedImage]) -> EngineOutput:
        """Answer for each image; see ``Engine``."""
        import torch

        from leafid.learning import Bags

        bags = Bags.of([image.views for image in images], [image.kinds for image in images])
        with torch.inference_mode():
            features = torch.cat([torch.from_numpy(self._features(pixels.numpy())) for pixels in bags.pixels])
            embeddings, _ = self._pooling(features, torch.cat(bags.image_index), torch.cat(bags.kinds), bags.images)
            return EngineOutput(self._head(embeddings).numpy(), embeddings.numpy())

    def _features(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        model = self._models[pixels.shape[-1]]
        parts = [pixels[start : start + _VIEWS_AT_ONCE] for start in range(0, len(pixels), _VIEWS_AT_ONCE)]
        return np.concatenate([model(np.ascontiguousarray(part)) for part in parts])


def view_sides(preprocessing: Preprocessing) -> tuple[int, ...]:
    """Return the sides, in pixels, that views may have."""
    return tuple(sorted({preprocessing.size, preprocessing.overview_size or preprocessing.size}))


def engine_folder(bundle: Bundle, name: CompiledName) -> Path:
    """Return where an engine lies in a bundle."""
    return bundle.folder / "engines" / name


def load_compiled(bundle: Bundle, name: CompiledName, *, cores: int | None = None) -> CompiledEngine:
    """Load an engine of a bundle; raises as ``checked_parity``."""
    checked_parity(bundle, name)
    return CompiledEngine(bundle, name, engine_folder(bundle, name), cores=cores)


def checked_parity(bundle: Bundle, name: CompiledName) -> Parity:
    """Check an engine of a bundle, and return how it compares with torch.

    Raises:
        InstallationError: its packages are not installed.
        BundleError: the bundle has no such engine, it is damaged, was made from other weights or failed parity.
    """
    require(name)
    folder = engine_folder(bundle, name)
    again = f"`leafid export {bundle.folder} --to {name.replace('-int8', ' --int8 --calibrate PATHS')}` writes it."
    if not folder.is_dir():
        raise BundleError(f"{bundle.folder} has no engine {name}. {again}")
    try:
        parity = Parity.model_validate_json((folder / PARITY).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise BundleError(f"{folder} is damaged: {PARITY} is missing or changed. {again}") from None
    if parity.weights_sha256 != bundle.info.weights_sha256:
        raise BundleError(f"{folder} was made from other weights than the bundle now has. {again}")
    if not parity.passed:
        raise BundleError(f"{folder} does not answer like torch: {parity}. Use --engine torch.")
    for file, sha256 in parity.files.items():
        if not (folder / file).is_file() or sha256_of(folder / file) != sha256:
            raise BundleError(f"{folder} is damaged: {file} is missing or changed. {again}")
    if missing := {str(side) for side in view_sides(bundle.info.preprocessing)} - {
        Path(one).stem for one in parity.files
    }:
        raise BundleError(f"{folder} has no model for views of {', '.join(sorted(missing))} pixels. {again}")
    return parity
