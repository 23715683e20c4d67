"""Engines that were not exported on this machine are checked once, in a process that can be ended, before they answer.

A bundle may come from a stranger, with an engine that answers in place of the weights, or hangs, or crashes. So the
parity file in a bundle is believed only if this machine has exported the engine, or checked it: the user's cache holds
a record named by the hash of weights and engine. The check compares the engine with torch on one drawn image, where
torch is installed, and measures its speed.
"""

import hashlib
import json
import logging
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from leafid.bundle import Bundle, read_bundle
from leafid.errors import BundleError
from leafid.files import write_text
from leafid.identify.engines.compiled_engine import (
    TOLERANCE,
    CompiledEngine,
    Parity,
    check_parity,
    engine_folder,
    view_sides,
)
from leafid.identify.engines.compiled_formats import INT8, CompiledName
from leafid.identify.engines.engine import TorchEngine
from leafid.identify.engines.model_cache import model_cache
from leafid.identify.engines.model_files import check_model_file
from leafid.identify.engines.throughput import images_per_second
from leafid.sheets import CropKind, PreparedImage

CHECK_SECONDS = 180
"""Time after which a check is ended; it takes about 15 seconds, most of them to import torch."""
CHECK_BYTES = 8_000_000_000
"""Memory that a check may take."""

INT8_EMBEDDING_DIFFERENCE = 0.6
"""Largest difference of the embedding of the drawn image for INT8 engines, relative to its norm."""

_log = logging.getLogger(__name__)
_checked: dict[str, float] = {}  # speedups by the name of their record, where no record can be written


def load_compiled(bundle: Bundle, name: CompiledName, *, cores: int | None = None) -> CompiledEngine:
    """Check and load an engine of a bundle. Raises what ``trusted_speedup`` raises."""
    trusted_speedup(bundle, name)
    cache = model_cache(bundle.info.weights_sha256)
    return CompiledEngine(bundle, name, engine_folder(bundle, name), cores=cores, cache=cache)


def trusted_speedup(bundle: Bundle, name: CompiledName) -> float:
    """Return the throughput of an engine divided by that of torch, as it was measured on this machine.

    Raises:
        InstallationError: its packages are not installed.
        BundleError: the engine is missing or damaged, has something that no engine of leafid has, was exported from
            other weights, or differs from torch.
    """
    parity = check_parity(bundle, name)
    record = _record_file(bundle, parity)
    if record is None and (known := _checked.get(_record_name(bundle, parity))) is not None:
        return known
    if record is not None and record.is_file():
        return parity.speedup if (measured := _read_record(record)) is None else measured
    for file in parity.files:
        check_model_file(engine_folder(bundle, name) / file)
    often = (
        "once" if record is not None else "at every start, since no folder for caches can be written (XDG_CACHE_HOME)"
    )
    _log.info(
        "The engine %s was not exported on this machine; it is checked %s, which takes some seconds.", name, often
    )
    speedup = _checked_speedup(bundle, name)
    if record is None:
        _checked[_record_name(bundle, parity)] = speedup
    else:
        write_text(record, json.dumps({"speedup": speedup}) + "\n")
    return speedup


def remember_export(bundle: Bundle, parity: Parity) -> None:
    """Record that this machine has exported an engine, so that its parity file is believed."""
    record = _record_file(bundle, parity)
    if record is not None:
        write_text(record, json.dumps({"speedup": None}) + "\n")


def _record_file(bundle: Bundle, parity: Parity) -> Path | None:
    """Return the file that records a checked engine; None if the user has no cache that can be written."""
    folder = model_cache(bundle.info.weights_sha256)
    return None if folder is None else folder / _record_name(bundle, parity)


def _record_name(bundle: Bundle, parity: Parity) -> str:
    content = json.dumps([bundle.info.weights_sha256, parity.engine, sorted(parity.files.items())])
    return f"checked-{hashlib.sha256(content.encode()).hexdigest()[:32]}.json"


def _read_record(record: Path) -> float | None:
    try:
        return json.loads(record.read_text(encoding="utf-8"))["speedup"]  # type: ignore[no-any-return]
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0  # unreadable: usable, and never chosen for its speed


def _checked_speedup(bundle: Bundle, name: CompiledName, seconds: float | None = None) -> float:
    """Run the check in a process of its own."""
    command = [sys.executable, "-m", __name__, str(bundle.folder.absolute()), name]
    folder = engine_folder(bundle, name)
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=seconds or CHECK_SECONDS, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise BundleError(
            f"{folder} did not answer on one image within {seconds or CHECK_SECONDS:g} seconds. Use --engine torch."
        ) from None
    try:
        result: dict[str, Any] = json.loads(done.stdout.strip().rsplit("\n", 1)[-1])
    except ValueError:
        raise BundleError(
            f"{folder} cannot run: its check ended with exit code {done.returncode}. Use --engine torch."
        ) from None
    if "refused" in result:
        raise BundleError(f"{folder} is not used: {result['refused']}. Use --engine torch.")
    return float(result["speedup"])


def check_engine_here(bundle: Bundle, name: CompiledName) -> float:
    """Run an engine on one drawn image, compare it with torch where that is installed, and return its speedup.

    Raises:
        BundleError: its output has a wrong shape, is not finite, or differs from that of torch.
    """
    engine = CompiledEngine(bundle, name, engine_folder(bundle, name), cores=1)
    image = _drawn_image(bundle)
    output = engine.predict([image])
    if find_spec("torch") is None:
        return 0.0
    reference = TorchEngine(bundle, device="cpu", cores=1)
    expected = reference.predict([image])
    difference = np.linalg.norm(output.embeddings - expected.embeddings) / np.linalg.norm(expected.embeddings)
    limit = INT8_EMBEDDING_DIFFERENCE if name in INT8 else TOLERANCE
    if not difference <= limit:
        raise BundleError(f"its embedding of one image differs from that of torch by {difference:.1e} of its norm")
    return images_per_second(engine, [image]) / images_per_second(reference, [image])


def _drawn_image(bundle: Bundle) -> PreparedImage:
    """Return a green blade on paper with grain, which no stranger knows beforehand, in views of all sizes."""
    random = np.random.default_rng()
    views = []
    for side in view_sides(bundle.info.preprocessing):
        y, x = np.mgrid[:side, :side] / side - 0.5
        blade = (x / random.uniform(0.15, 0.3)) ** 2 + (y / random.uniform(0.35, 0.45)) ** 2 < 1
        pixels = np.where(blade[..., None], (70, 110, 50), (235, 230, 215)) + random.normal(0, 12, (side, side, 3))
        views.append(np.clip(pixels, 0, 255).astype(np.uint8))
    return PreparedImage(tuple(views), (CropKind.IMAGE,) * len(views), views[-1].shape[1], views[-1].shape[0])


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (CHECK_BYTES, hard))


def main() -> None:
    """Check the engine that the command line names, and print the result as JSON."""
    _limit_memory()
    try:
        result: dict[str, Any] = {"speedup": check_engine_here(read_bundle(Path(sys.argv[1])), sys.argv[2])}  # type: ignore[arg-type]
    except MemoryError:
        result = {"refused": f"it needs over {CHECK_BYTES:,} bytes of memory"}
    except Exception as error:  # runtimes raise many types
        result = {"refused": " ".join(f"{error}".split())[:300] or type(error).__name__}
    print(json.dumps(result), flush=True)
    os._exit(0)  # threads of a runtime must not keep the process


if __name__ == "__main__":
    main()
