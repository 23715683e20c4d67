"""``leafid export``: compile a bundle's network, and show on images that it answers as before."""

import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from leafid.bundle import Bundle, read_bundle
from leafid.errors import BundleError, ImageError, OutputError, UsageError
from leafid.files import sha256_of, write_text
from leafid.identify.backbone_formats import CompiledName, require, version_of, write_model
from leafid.identify.compiled_engine import PARITY, TOLERANCE, CompiledEngine, Parity, engine_folder, view_sides
from leafid.identify.engine import TorchEngine
from leafid.progress import OnProgress
from leafid.sheets import PreparedImage, prepare_file
from leafid.trust import probabilities
from leafid.version import __version__

_BATCH = 8


def export_engine(
    path: Path, name: CompiledName, images: Sequence[Path], *, on_progress: OnProgress | None = None
) -> Parity:
    """Write an engine into a bundle, if it answers like torch; one that is there is replaced only then.

    Args:
        path: the bundle, or the run that holds it.
        name: ``openvino`` or ``onnx``.
        images: image files on which the answers are compared; those that cannot be read do not count.
        on_progress: told how many of the images are done.

    Raises:
        InstallationError: the packages of the engine are not installed.
        BundleError: the bundle cannot be used, or the engine does not answer like torch.
        UsageError: none of the images can be read.
        OutputError: the bundle's folder cannot be written.
    """
    require(name, to_export=True)
    bundle = read_bundle(path)
    torch_engine = TorchEngine(bundle, device="cpu")
    folder = engine_folder(bundle, name)
    try:
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder.parent) as made:
            new = Path(made) / name
            new.mkdir()
            for side in view_sides(bundle.info.preprocessing):
                write_model(torch_engine.network, new, name, side)
            parity = _compared(bundle, torch_engine, name, new, images, on_progress)
            if not parity.passed:
                raise BundleError(f"{parity}. More than {TOLERANCE} is refused: {folder} was not written.")
            write_text(new / PARITY, parity.model_dump_json(indent=2) + "\n")
            if folder.exists():
                shutil.rmtree(folder)
            new.replace(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return parity


def _compared(
    bundle: Bundle,
    torch_engine: TorchEngine,
    name: CompiledName,
    folder: Path,
    images: Sequence[Path],
    on_progress: OnProgress | None,
) -> Parity:
    engine = CompiledEngine(bundle, name, folder)
    differences: list[float] = []
    embedding_differences: list[float] = []
    agreements: list[bool] = []
    for start in range(0, len(images), _BATCH):
        if batch := _readable(images[start : start + _BATCH], bundle):
            answers, expected = engine.answer(batch), torch_engine.answer(batch)
            lengths = np.linalg.norm(expected.embeddings, axis=1)
            embedding_differences += (
                np.linalg.norm(answers.embeddings - expected.embeddings, axis=1) / lengths
            ).tolist()
            ours, theirs = (probabilities(one.logits, bundle.info.calibration) for one in (answers, expected))
            differences += np.abs(ours - theirs).max(axis=1).tolist()
            agreements += (ours.argmax(axis=1) == theirs.argmax(axis=1)).tolist()
        if on_progress:
            on_progress(min(start + _BATCH, len(images)), len(images))
    if not differences:
        raise UsageError(f"None of the {len(images)} images can be read: name others to compare the answers on.")
    return Parity(
        engine=name,
        version=version_of(name),
        leafid_version=__version__,
        created=datetime.now(UTC),
        weights_sha256=bundle.info.weights_sha256,
        images=len(differences),
        largest_difference=max(differences),
        embedding_difference=max(embedding_differences),
        agreement=float(np.mean(agreements)),
        files={file.name: sha256_of(file) for file in sorted(folder.iterdir())},
    )


def _readable(paths: Sequence[Path], bundle: Bundle) -> list[PreparedImage]:
    prepared = []
    for path in paths:
        try:
            prepared.append(prepare_file(path, bundle.info.preprocessing))
        except ImageError:
            continue
    return prepared
