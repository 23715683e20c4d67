"""Which engine runs a bundle: the one that is named, or the fastest that has proved itself here."""

import logging
from typing import Literal

from leafid.bundle import Bundle
from leafid.errors import BundleError, UsageError
from leafid.identify.engines.compiled_engine import CompiledEngine, checked_parity, engine_folder, load_compiled
from leafid.identify.engines.compiled_formats import COMPILED, INT8, is_installed
from leafid.identify.engines.engine import Engine, EngineName, TorchEngine

_log = logging.getLogger(__name__)


def choose_engine(
    bundle: Bundle, name: EngineName | Literal["auto"] = "auto", *, device: str = "auto", cores: int | None = None
) -> Engine:
    """Load the engine of a bundle.

    Args:
        bundle: the bundle.
        name: the engine. ``auto``: on the CPU, of those that were exported, are installed and answer like torch, the
            one that was fastest beside torch when it was exported, if it was faster; else torch. To measure anew, on
            another machine, is to export again. One that is named is used or refused, and never replaced.
        device: see ``Identifier.load``; compiled engines run on the CPU.
        cores: see ``Identifier.load``.

    Raises:
        BundleError, InstallationError: the engine that is named cannot be used.
        UsageError: it cannot use that device, or there is no such engine.
    """
    from leafid.learning import choose_device

    if name == "torch":
        return TorchEngine(bundle, device=device, cores=cores)
    on_cpu = choose_device(device).type == "cpu"
    if name == "auto":
        return (_fastest(bundle, cores) if on_cpu else None) or TorchEngine(bundle, device=device, cores=cores)
    if name not in (*COMPILED, *INT8):
        raise UsageError(f"There is no engine {name!r}. Choose auto, torch, {' or '.join((*COMPILED, *INT8))}.")
    if device not in ("auto", "cpu"):
        raise UsageError(f"The engine {name} runs on the CPU, not on {device}. Leave out one of --engine and --device.")
    return load_compiled(bundle, name, cores=cores)


def suggested_export(bundle: Bundle, engine: Engine) -> str | None:
    """Return a sentence on how this bundle would be faster here, if an export would make it so; else None."""
    exported = any(engine_folder(bundle, name).is_dir() for name in COMPILED)
    if exported or not isinstance(engine, TorchEngine) or engine.device.type != "cpu" or not is_installed("openvino"):
        return None
    return f"On this machine OpenVINO is faster, once `leafid export {bundle.folder} --to openvino` has been run."


def _fastest(bundle: Bundle, cores: int | None) -> CompiledEngine | None:
    """Load the fastest of the engines that can be used; None where torch is as fast, or there is none."""
    rates = {}
    for name in COMPILED:
        if engine_folder(bundle, name).is_dir() and is_installed(name):
            try:
                rates[name] = checked_parity(bundle, name).times_as_fast
            except BundleError as error:
                _log.warning("%s Not used now.", error)
    fastest = max(rates, key=rates.__getitem__, default=None)
    return None if fastest is None or rates[fastest] <= 1 else load_compiled(bundle, fastest, cores=cores)
