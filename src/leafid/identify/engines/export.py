"""``leafid export``: compile a bundle's network, and show on images that it answers as before."""

import platform
import shutil
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from leafid.bundle import Bundle, read_bundle
from leafid.cores import usable_cores
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
from leafid.identify.engines.compiled_formats import INT8, CompiledName, require, version_of, write_model
from leafid.identify.engines.engine import Engine, TorchEngine
from leafid.progress import OnProgress
from leafid.sheets import PreparedImage, prepare_file
from leafid.trust import calibrated_probabilities
from leafid.version import __version__

_BATCH = 8
_SECONDS = 1.0  # for which the speed of an engine is measured
_LEAST_CALIBRATION, _CALIBRATION_VIEWS = 8, 300


def export_engine(
    path: Path,
    name: CompiledName,
    images: Sequence[Path],
    *,
    calibration: Sequence[Path] = (),
    on_progress: OnProgress | None = None,
) -> Parity:
    """Write an engine into a bundle, if it answers like torch; one that is there is replaced only then.

    How fast it is beside torch is measured too, on this machine: by that, ``auto`` chooses among engines.

    Args:
        path: the bundle, or the run that holds it.
        name: ``openvino`` or ``onnx``; with ``-int8`` their form with 8-bit integers.
        images: image files on which the answers are compared; those that cannot be read do not count.
        calibration: image files by which 8-bit integers are fitted; needed for these, and others than ``images``.
        on_progress: told how many of the images are done.

    Raises:
        InstallationError: the packages of the engine are not installed.
        BundleError: the bundle cannot be used, or the engine does not answer like torch.
        UsageError: none of the images, or too few of those for calibration, can be read.
        OutputError: the bundle's folder cannot be written.
    """
    require(name, to_export=True)
    bundle = read_bundle(path)
    torch_engine = TorchEngine(bundle, device="cpu")
    views = _calibration_views(bundle, calibration) if name in INT8 else {}
    folder = engine_folder(bundle, name)
    try:
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder.parent) as made:
            new = Path(made) / name
            new.mkdir()
            for side in view_sides(bundle.info.preprocessing):
                write_model(torch_engine.network, new, name, side, views.get(side))
            parity = _compared(bundle, torch_engine, name, new, images, on_progress)
            if not parity.passed:
                limits = f"more than {INT8_TOLERANCE} on the mean, or less than {INT8_AGREEMENT:.0%} agreement,"
                limits = limits if name in INT8 else f"more than {TOLERANCE}"
                raise BundleError(f"{parity}. {limits.capitalize()} is refused: {folder} was not written.")
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
    timed: list[PreparedImage] = []
    for start in range(0, len(images), _BATCH):
        if batch := _readable(images[start : start + _BATCH], bundle):
            answers, expected = engine.answer(batch), torch_engine.answer(batch)
            lengths = np.linalg.norm(expected.embeddings, axis=1)
            embedding_differences += (
                np.linalg.norm(answers.embeddings - expected.embeddings, axis=1) / lengths
            ).tolist()
            ours, theirs = (
                calibrated_probabilities(one.logits, bundle.info.calibration) for one in (answers, expected)
            )
            differences += np.abs(ours - theirs).max(axis=1).tolist()
            timed = timed or batch
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
        mean_difference=float(np.mean(differences)),
        times_as_fast=images_per_second(engine, timed) / images_per_second(torch_engine, timed),
        measured_on=f"{usable_cores()} cores of {platform.processor() or platform.machine()}",
        files={file.name: sha256_of(file) for file in sorted(folder.iterdir())},
    )


def images_per_second(engine: Engine, images: Sequence[PreparedImage]) -> float:
    """Measure how fast an engine answers when it is kept busy, for at least ``_SECONDS``."""
    with ThreadPoolExecutor(engine.at_once) as pool:
        calls = [images] * engine.at_once
        list(pool.map(engine.answer, calls))  # the first calls take longer
        started, rounds = time.perf_counter(), 0
        while (seconds := time.perf_counter() - started) < _SECONDS:
            list(pool.map(engine.answer, calls))
            rounds += 1
    return rounds * len(calls) * len(images) / seconds


def _calibration_views(bundle: Bundle, paths: Sequence[Path]) -> dict[int, NDArray[np.uint8]]:
    """Return views (V, 3, S, S) of images, by size; at most ``_CALIBRATION_VIEWS`` of each, from all of the images."""
    prepared = _readable(paths, bundle)
    if len(prepared) < _LEAST_CALIBRATION:
        raise UsageError(
            f"{len(prepared)} of {len(paths)} images for calibration can be read; at least {_LEAST_CALIBRATION} are "
            "needed, and 100 of all taxa are better. Name them with --calibrate."
        )
    views: dict[int, NDArray[np.uint8]] = {}
    for side in view_sides(bundle.info.preprocessing):
        fitting = [view for image in prepared for view in image.views if len(view) == side]
        if fitting:
            chosen = fitting[:: -(-len(fitting) // _CALIBRATION_VIEWS)]
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
