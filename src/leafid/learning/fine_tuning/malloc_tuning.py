"""Memory that a training step on a CPU frees is kept for the next one.

A step allocates gigabytes and frees them. The C library gives large pieces back to the system at once, which has to
clear every page of them for the next step: 0.9 of the 2.4 s that a step of mobilenet_v2 takes on 32 views of 224 pixels
(one thread); with memory kept it takes 1.4 s. Only where all steps are alike: pieces of other sizes leave holes, and
what is kept then grows to several times of what is needed.
"""

import ctypes
import sys

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import Callback

from leafid.jobs import Job

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4  # of malloc.h of the GNU C library
_AS_USUAL = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_MAX: 65536}
_KEEPING = {_TRIM_THRESHOLD: -1, _MMAP_MAX: 0}


class MallocTuning(Callback):
    """Keeps memory while a network is trained."""

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep what is freed from now on."""
        keep_freed_memory()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Give back what was kept for the steps; validation has other sizes."""
        _give_back()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Keep nothing any more, however training ended."""
        give_memory_back()


def steps_are_uniform(job: Job, device: torch.device) -> bool:
    """Tell whether a job is trained on a CPU, in steps whose pixels have all one and the same shape."""
    steps_are_alike = job.sheets.overview_size in (None, job.sheets.size) and len(job.model.scales) == 1
    return device.type == "cpu" and steps_are_alike


def keep_freed_memory() -> None:
    """Keep what is freed in this process from now on; does nothing where the C library is not that of GNU/Linux."""
    _set(_KEEPING)


def give_memory_back() -> None:
    """Give back what was kept, and keep nothing from now on."""
    _set(_AS_USUAL)
    _give_back()


def _set(options: dict[int, int]) -> None:
    library = _library()
    if library is not None:
        for option, value in options.items():
            library.mallopt(option, value)


def _give_back() -> None:
    library = _library()
    if library is not None:
        library.malloc_trim(0)


def _library() -> ctypes.CDLL | None:
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)
    return library if hasattr(library, "mallopt") and hasattr(library, "malloc_trim") else None
