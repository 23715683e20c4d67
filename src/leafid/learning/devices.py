"""Choose device, precision and number of worker processes for a machine."""

import torch

from leafid.cores import usable_cores
from leafid.errors import UsageError
from leafid.jobs import TrainingSettings

MAX_WORKERS = 8
"""More worker processes rarely help one training process."""


def choose_device(name: str) -> torch.device:
    """Return the device named ``auto``, ``cpu``, ``cuda`` or ``mps``; ``auto``: the fastest one of this machine.

    Raises:
        UsageError: the device is unknown, or this machine does not have it.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        return torch.device(next(kind for kind, present in available.items() if present))
    if name not in available:
        raise UsageError(f"There is no device {name!r}. Choose auto, cpu, cuda or mps.")
    if not available[name]:
        raise UsageError(f"This machine has no device {name!r} that torch can use. Choose auto or cpu.")
    return torch.device(name)


def worker_count(setting: int | str) -> int:
    """Return the number of worker processes for ``training.workers``."""
    if isinstance(setting, int):
        return setting
    return min(usable_cores(), MAX_WORKERS)


def lightning_precision(training: TrainingSettings, device: torch.device) -> str:
    """Return Lightning's name of ``training.precision`` on this device.

    Raises:
        UsageError: 16-bit floats, on a device other than a CUDA GPU.
    """
    match training.precision:
        case "auto":
            return "bf16-mixed" if device.type == "cuda" and torch.cuda.is_bf16_supported(False) else "32-true"
        case "16" if device.type != "cuda":
            raise UsageError(f"training.precision: 16 needs a CUDA GPU, not {device.type}. Choose auto, 32 or bf16.")
        case "16":
            return "16-mixed"
        case "bf16":
            return "bf16-mixed"
        case _:
            return "32-true"
