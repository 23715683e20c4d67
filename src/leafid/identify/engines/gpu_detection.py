"""Whether this machine may have a GPU that torch can use, found without importing torch."""

import ctypes
import importlib.util
import platform
import sys
from pathlib import Path

_CUDA_DRIVERS = {"linux": "libcuda.so.1", "win32": "nvcuda.dll"}
_AMD_DEVICE = Path("/dev/kfd")  # ROCm, which torch also names cuda


def may_have_gpu() -> bool:
    """Return False if torch surely has no GPU here; True if torch must be asked.

    It surely has none if torch is not installed, or if the machine has no driver of NVIDIA or AMD and is no Mac with an
    Apple processor. Importing torch to ask takes seconds; loading a driver that is missing takes none.
    """
    if importlib.util.find_spec("torch") is None:
        return False
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    return _AMD_DEVICE.exists() or _has_cuda_driver()


def _has_cuda_driver() -> bool:
    name = _CUDA_DRIVERS.get(sys.platform)
    if name is None:
        return False
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
