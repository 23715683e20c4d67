"""Export of a bundle's network to a compiled engine, with a parity check on images."""

import platform
import shutil
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle, bundle_folder, read_bundle
from leafid.cores import usable_cores
from leafid.destinations import Destination, check_destinations
from leafid.errors import BundleError, ImageError, OutputError, UsageError
from leafid.files import sha256_of, write_text
from leafid.identify.engines.compiled_engine import (
    INT8_AGREEMENT,
    INT8_TOLERANCE,
    PARITY,
    TOLERANCE,
    CompiledEngine,
    Parity,
    engine_folder,
    view_sides,
)
from leafid.identify.engines.compiled_formats import INT8, CompiledName, engine_version, require_engine, write_model
from leafid.identify.engines.engine import TorchEngine
from leafid.identify.engines.engine_check import remember_export
from leafid.identify.engines.throughput import images_per_second
from leafid.progress import OnProgress
from leafid.sheets import PreparedImage, prepare_file
from leafid.trust import calibrated_probabilities
from leafid.version import __version__

_BATCH_IMAGES = 8
_MIN_CALIBRATION_IMAGES, _MAX_CALIBRATION_VIEWS = 8, 300


def export_engine(
    path: Path,
    name: CompiledName,
    images: Sequence[Path],
    *,
    calibration: Sequence[Path] = (),
    on_progress: OnProgress | None = None,
) -> Parity:
    """Write a compiled engine into a bundle if it passes the parity check; only then is an existing one replaced.

    The speedup over torch is measured on this machine; the engine ``auto`` is chosen by it.

    Args:
        path: the bundle, or the run that holds it.
        name: ``openvino`` or ``onnx``; with ``-int8``, quantized to 8-bit integers.
        images: image files on which outputs are compared; unreadable files are skipped.
        calibration: image files for the quantization ranges, disjoint from ``images``; only for ``-int8``.
        on_progress: called with the number of images compared so far.

    Raises:
        InstallationError: the packages of the engine are not installed.
        BundleError: the bundle cannot be used, or the engine failed parity.
        UsageError: no image, or too few calibration images, can be read.
        OutputError: the bundle's folder cannot be written.
    """
    require_engine(name, to_export=True)
    check_destinations([Destination("BUNDLE", bundle_folder(path), lambda _: True, "folder")], existing="replace")
    bundle = read_bundle(path)
    torch_engine = TorchEngine(bundle, device="cpu")
    views = _calibration_views(bundle, calibration) if name in INT8 else {}
    folder = engine_folder(bundle, name)
    try:
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder.parent) as temporary:
            new = Path(temporary) / name
            new.mkdir()
            for side in view_sides(bundle.info.preprocessing):
                write_model(torch_engine.network, new, name, side, views.get(side))
            parity = _compare(bundle, torch_engine, name, new, images, on_progress)
            if not parity.passed:
                int8_limits = (
                    f"a mean difference of at most {INT8_TOLERANCE}, the same first taxon for {INT8_AGREEMENT:.0%}"
                )
                limits = int8_limits if name in INT8 else f"differences of at most {TOLERANCE}"
                raise BundleError(f"{parity}. {folder} was not written, because an export needs {limits}.")
            write_text(new / PARITY, parity.model_dump_json(indent=2) + "\n")
            if folder.exists():
                shutil.rmtree(folder)
            new.replace(folder)
            remember_export(bundle, parity)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}.") from None
    return parity


def _compare(
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
    timed: list[PreparedImage] = []
    for start in range(0, len(images), _BATCH_IMAGES):
        if batch := _readable(images[start : start + _BATCH_IMAGES], bundle):
            output, expected = engine.predict(batch), torch_engine.predict(batch)
            norms = np.linalg.norm(expected.embeddings, axis=1)
            embedding_differences += (np.linalg.norm(output.embeddings - expected.embeddings, axis=1) / norms).tolist()
            compiled, reference = (
                calibrated_probabilities(result.logits, bundle.info.calibration) for result in (output, expected)
            )
            differences += np.abs(compiled - reference).max(axis=1).tolist()
            timed = timed or batch
            agreements += (compiled.argmax(axis=1) == reference.argmax(axis=1)).tolist()
        if on_progress:
            on_progress(min(start + _BATCH_IMAGES, len(images)), len(images))
    if not differences:
        raise UsageError(f"None of the {len(images)} images can be read. Name others to compare the engines on.")
    return Parity(
        engine=name,
        version=engine_version(name),
        leafid_version=__version__,
        created=datetime.now(UTC),
        weights_sha256=bundle.info.weights_sha256,
        images=len(differences),
        largest_difference=max(differences),
        embedding_difference=max(embedding_differences),
        agreement=float(np.mean(agreements)),
        mean_difference=float(np.mean(differences)),
        speedup=images_per_second(engine, timed) / images_per_second(torch_engine, timed),
        measured_on=f"{usable_cores()} cores of {platform.processor() or platform.machine()}",
        files={file.name: sha256_of(file) for file in sorted(folder.iterdir())},
    )


def _calibration_views(bundle: Bundle, paths: Sequence[Path]) -> dict[int, NDArray[np.uint8]]:
    """Return calibration views (V, 3, S, S) by S, at most ``_MAX_CALIBRATION_VIEWS`` each, spread over the images."""
    prepared = _readable(paths, bundle)
    if len(prepared) < _MIN_CALIBRATION_IMAGES:
        raise UsageError(
            f"{len(prepared)} of {len(paths)} images for calibration can be read; at least {_MIN_CALIBRATION_IMAGES} "
            "are needed, better 100 of all taxa. Name them with --calibrate."
        )
    views: dict[int, NDArray[np.uint8]] = {}
    for side in view_sides(bundle.info.preprocessing):
        candidates = [view for image in prepared for view in image.views if len(view) == side]
        if candidates:
            chosen = candidates[:: -(-len(candidates) // _MAX_CALIBRATION_VIEWS)]
            views[side] = np.ascontiguousarray(np.stack(chosen).transpose(0, 3, 1, 2))
    return views


def _readable(paths: Sequence[Path], bundle: Bundle) -> list[PreparedImage]:
    prepared = []
    for path in paths:
        try:
            prepared.append(prepare_file(path, bundle.info.preprocessing))
        except ImageError:
            continue
    return prepared
