"""Which engine runs a bundle: the one that is named, or the fastest that has proved itself here."""

import logging
from typing import Literal

from leafid.bundle import Bundle
from leafid.errors import BundleError, UsageError
from leafid.identify.backbone_formats import COMPILED, is_installed
from leafid.identify.compiled_engine import engine_folder, load_compiled
from leafid.identify.engine import Engine, EngineName, TorchEngine

_log = logging.getLogger(__name__)


def choose_engine(bundle: Bundle, name: EngineName | Literal["auto"] = "auto", *, device: str = "auto") -> Engine:
    """Load the engine of a bundle.

    Args:
        bundle: the bundle.
        name: the engine. ``auto``: on the CPU the fastest that was exported and is installed, else torch. One that is
            named is used or refused, and never replaced by another.
        device: see ``Identifier.load``; compiled engines run on the CPU.

    Raises:
        BundleError, InstallationError: the engine that is named cannot be used.
        UsageError: it cannot use that device, or there is no such engine.
    """
    from leafid.learning import choose_device

    if name == "torch":
        return TorchEngine(bundle, device=device)
    on_cpu = choose_device(device).type == "cpu"
    if name == "auto":
        for compiled in COMPILED:
            if on_cpu and engine_folder(bundle, compiled).is_dir() and is_installed(compiled):
                try:
                    return load_compiled(bundle, compiled)
                except BundleError as error:
                    _log.warning("%s Not used now.", error)
        return TorchEngine(bundle, device=device)
    if name not in COMPILED:
        raise UsageError(f"There is no engine {name!r}. Choose auto, torch, {' or '.join(COMPILED)}.")
    if device not in ("auto", "cpu"):
        raise UsageError(f"The engine {name} runs on the CPU, not on {device}. Leave out one of --engine and --device.")
    return load_compiled(bundle, name)
