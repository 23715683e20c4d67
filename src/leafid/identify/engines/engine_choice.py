"""Choice of the engine that runs a bundle: the one that is named, or the fastest that passed its parity check."""

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from leafid.bundle import Bundle, bundle_folder
from leafid.errors import BundleError, InstallationError, UsageError
from leafid.identify.engines.compiled_engine import (
    CompiledEngine,
    engine_folder,
    require_exported,
)
from leafid.identify.engines.compiled_formats import COMPILED, INT8, is_installed, require_engine
from leafid.identify.engines.engine import Engine, EngineName, TorchEngine
from leafid.identify.engines.engine_check import load_compiled, trusted_speedup
from leafid.identify.engines.gpu_detection import may_have_gpu
from leafid.installation import require_torch

_log = logging.getLogger(__name__)


def choose_engine(
    bundle: Bundle, name: EngineName | Literal["auto"] = "auto", *, device: str = "auto", cores: int | None = None
) -> Engine:
    """Load the engine of a bundle.

    Args:
        bundle: the bundle.
        name: the engine; one that is named is used or refused, never replaced. ``auto``: on the CPU, the exported
            engine that was fastest when it was exported, if it is installed, passed parity and was faster than torch
            (or torch is not installed); else torch. Export again to measure the speed on another machine.
        device: see ``Identifier.load``; compiled engines run on the CPU. With ``auto``, torch is imported to look for a
            GPU only on a machine that may have one (see ``may_have_gpu``).
        cores: see ``Identifier.load``.

    Raises:
        BundleError, InstallationError: the named engine cannot be used; or torch is needed and not installed.
        UsageError: the named engine does not exist or does not run on that device.
    """
    if name == "torch":
        return TorchEngine(bundle, device=device, cores=cores)
    if name == "auto":
        compiled = _fastest(bundle, cores) if _on_cpu(device) else None
        if compiled is None and find_spec("torch") is None:
            raise InstallationError(_no_engine(bundle))
        return compiled or TorchEngine(bundle, device=device, cores=cores)
    if name not in (*COMPILED, *INT8):
        raise UsageError(f"There is no engine {name!r}. Choose auto, torch, {' or '.join((*COMPILED, *INT8))}.")
    if device not in ("auto", "cpu"):
        raise UsageError(f"The engine {name} runs on the CPU, not on {device}. Leave out one of --engine and --device.")
    return load_compiled(bundle, name, cores=cores)


def check_engine(path: Path, name: EngineName) -> None:
    """Check early that a named engine is installed and in a bundle, without reading either.

    Raises:
        InstallationError: its packages are not installed.
        BundleError: the bundle does not have it.
    """
    if name != "torch":
        require_engine(name)
        require_exported(bundle_folder(path), name)


def suggest_export(bundle: Bundle, engine: Engine) -> str | None:
    """Return a sentence that suggests an export if it would make this bundle faster here; else None."""
    exported = any(engine_folder(bundle, name).is_dir() for name in COMPILED)
    if exported or not isinstance(engine, TorchEngine) or engine.device.type != "cpu":
        return None
    return f"A compiled engine is faster on this machine: run `leafid export {bundle.folder} --to onnx` once."


def _no_engine(bundle: Bundle) -> str:
    """Return what to do with a bundle that none of the installed engines can run."""
    exported = [name for name in COMPILED if engine_folder(bundle, name).is_dir() and not is_installed(name)]
    here = f"pip install 'leafid[{exported[0]}]'" if exported else "pip install 'leafid[train]'"
    return (
        f"The bundle {bundle.info.name} has no engine that runs here: leafid was installed to identify only, which "
        f"needs a bundle exported to onnx. Ask its sender for that (leafid export BUNDLE --to onnx), or run: {here}."
    )


def _fastest(bundle: Bundle, cores: int | None) -> CompiledEngine | None:
    """Load the usable compiled engine with the largest speedup; None if none is usable, or torch is as fast."""
    speedups = {}
    for name in COMPILED:
        if engine_folder(bundle, name).is_dir() and is_installed(name):
            try:
                speedups[name] = trusted_speedup(bundle, name)
            except BundleError as error:
                _log.warning("%s This engine is not used.", error)
    fastest = max(speedups, key=speedups.__getitem__, default=None)
    if fastest is None or (speedups[fastest] <= 1 and find_spec("torch") is not None):
        return None
    return load_compiled(bundle, fastest, cores=cores)


def _on_cpu(device: str) -> bool:
    """Return whether the network runs on the CPU; torch is imported only if it may find a GPU."""
    if device == "cpu" or (device == "auto" and not may_have_gpu()):
        return True
    require_torch()
    from leafid.learning import choose_device

    return choose_device(device).type == "cpu"
