"""Tune malloc for training on a CPU: memory that one step frees is kept for the next one.

A step allocates and frees gigabytes. glibc returns large blocks to the system at once, and the kernel has to clear
every page of them again for the next step, which takes a large share of the step (docs/results.md). Tuning is useful
only where all steps allocate blocks of the same sizes: other sizes leave gaps, and the process grows to several times
of what it needs.

glibc also has environment variables for the same options (``MALLOC_TRIM_THRESHOLD_``, ``MALLOC_MMAP_MAX_``,
``MALLOC_MMAP_THRESHOLD_``, ``MALLOC_TOP_PAD_``). They save as many page faults, but they are not enough here:

- glibc reads them at the start of a process only. Leafid would have to start itself again, which a launcher of
  distributed training and a program that imports leafid do not expect.
- They stay in force until the process ends. Validation and calibration allocate blocks of other sizes, so the tuning
  must be switched off after training; ``mallopt`` and ``malloc_trim`` do that.
- Whether the steps are uniform depends on the job, which is read after the start.
"""

import ctypes
import sys

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from leafid.jobs import Job

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # from glibc's malloc.h
_GLIBC_DEFAULTS = {_M_TRIM_THRESHOLD: 128 * 1024, _M_MMAP_MAX: 65536}
_TUNED = {_M_TRIM_THRESHOLD: -1, _M_MMAP_MAX: 0}  # never trim; no block by mmap, which is unmapped when freed


class MallocTuning(Callback):
    """Tunes malloc while a network is trained."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start keeping freed memory."""
        tune_malloc()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Return the memory kept for the steps; validation allocates blocks of other sizes."""
        _trim()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stop keeping memory, also after an error."""
        reset_malloc()


def malloc_tuning_applies(job: Job, device: torch.device) -> bool:
    """Return whether a job trains on a CPU with steps whose pixels all have the same shape."""
    uniform = job.sheets.overview_size in (None, job.sheets.size) and len(job.model.scales) == 1
    return device.type == "cpu" and uniform


def tune_malloc() -> None:
    """Keep memory that this process frees from now on; does nothing with a C library other than glibc."""
    _set_options(_TUNED)


def reset_malloc() -> None:
    """Return the kept memory to the system, and restore glibc's defaults."""
    _set_options(_GLIBC_DEFAULTS)
    _trim()


def _set_options(options: dict[int, int]) -> None:
    library = _glibc()
    if library is not None:
        for option, value in options.items():
            library.mallopt(option, value)


def _trim() -> None:
    library = _glibc()
    if library is not None:
        library.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
