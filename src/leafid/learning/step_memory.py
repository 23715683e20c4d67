"""The memory that a training step needs, and its division into parts where it needs more than there is."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from leafid.jobs import Job
from leafid.learning.distributed import DistributedRank
from leafid.learning.models.network import Network

log = logging.getLogger(__name__)

BYTES_PER_PARAMETER = 20
"""float32: weight, gradient, two moments of AdamW, moving average."""

_BACKWARD_OVERHEAD = 1.3  # gradients and work space beside the kept tensors
_USABLE = 0.8  # of the free memory; the rest is for the processes that read images, and for validation
_CGROUP = Path("/sys/fs/cgroup")
_MEMINFO = Path("/proc/meminfo")


def parts_of_step(job: Job, network: Network, device: torch.device, rank: DistributedRank) -> int:
    """Return into how many equal parts the images of a training step are divided, so that a part fits into memory.

    The gradients of the parts are added before the weights change (gradient accumulation). That gives the step of all
    images at once where batch norm is frozen; with weights of images, up to their sums in the parts. Logs what is done,
    and a warning where even the smallest part needs more memory than there is. Processes that train together must take
    equal parts, and do not know each other's memory, so that they get the warning only.
    """
    free = available_bytes(device)
    if free is None:
        return 1
    training = job.training
    per_image = bytes_per_image(job, network, device)
    fixed = BYTES_PER_PARAMETER * sum(parameter.numel() for parameter in network.parameters())
    # Processes on one CPU share its memory; each GPU has its own.
    images = training.batch_size // training.nodes // (training.devices if device.type == "cuda" else 1)
    needed = fixed + images * per_image
    if needed <= free:
        return 1
    fitting = int((_USABLE * free - fixed) // per_image)
    # Without statistics of the batch the step is the same in parts; a mixed image needs a partner in its part.
    divides = not rank.is_distributed and job.model.weights != "none"
    least = 1 if training.mix == "none" else 2
    sizes = [size for size in range(least, images) if images % size == 0 and size <= fitting]
    if divides and sizes:
        part = sizes[-1]
        if rank.is_first:
            log.info(
                "A training step of %d images needs about %.1f GB of memory, and %.1f GB are available. Its gradients "
                "are computed in %d parts of %d images, with the same result.",
                images,
                needed / 1e9,
                free / 1e9,
                images // part,
                part,
            )
        return images // part
    if rank.is_first:
        _warn(job, needed, free, max(0, fitting) * training.batch_size // max(1, images))
    return images // least if divides and images % least == 0 else 1


def _warn(job: Job, needed: float, free: int, fitting: int) -> None:
    training = job.training
    log.warning(
        "A training step needs about %.1f GB of memory, and %.1f GB are available. Lower training.batch_size (%d; "
        "about %d fit)%s, or sheets.size.",
        needed / 1e9,
        free / 1e9,
        training.batch_size,
        fitting,
        "".join(
            (
                f", training.views_per_step ({training.views_per_step})" if training.views_per_step > 1 else "",
                ", set training.scales_per_step: one"
                if len(job.model.scales) > 1 and training.scales_per_step == "all"
                else "",
            )
        ),
    )


def bytes_per_image(job: Job, network: Network, device: torch.device) -> int:
    """Return how many bytes a training step keeps for each image, if it draws the largest views."""
    sheets, drawn = job.sheets, min(job.training.views_per_step, job.sheets.views.total)
    overviews = min(drawn, sheets.views.image + sheets.views.plant)
    overview_side = sheets.overview_size or sheets.size
    pixels = overviews * overview_side**2 + (drawn - overviews) * sheets.size**2
    areas = [scale**2 for scale in job.model.scales]
    area = sum(areas) if job.training.scales_per_step == "all" else max(areas)
    half = 0.5 if device.type == "cuda" and job.training.precision != "32" else 1.0
    return round(kept_bytes_per_pixel(network, sheets.size) * pixels * area * half * _BACKWARD_OVERHEAD)


def kept_bytes_per_pixel(network: Network, side: int) -> float:
    """Return how many bytes in float32 the backbone keeps for its gradients, for each pixel of a view.

    Counts the tensors that autograd saves in one pass over one view; feature maps grow with the area of a view.

    Args:
        network: not changed.
        side: of the view, in pixels.
    """
    sizes: dict[int, int] = {}
    parameters = {parameter.untyped_storage().data_ptr() for parameter in network.parameters()}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            sizes[storage.data_ptr()] = storage.nbytes()  # a tensor may be saved by several operations
        return tensor

    training = network.training
    network.eval()  # no dropout, no change of batch norm
    blank = torch.zeros(1, 3, side, side, dtype=torch.uint8, device=network.mean.device)
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        features = network.features(blank, scales=[1.0])  # held until its saved tensors are counted
    network.train(training)
    del features
    return sum(sizes.values()) / side**2


def available_bytes(device: torch.device) -> int | None:
    """Return the memory that is free on a GPU or, for a CPU, in this machine or container; None: unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu" or not _MEMINFO.is_file():
        return None
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="ascii").splitlines())
    free = int(lines["MemAvailable"].split()[0]) * 1024
    limit = _CGROUP / "memory.max"
    if limit.is_file() and limit.read_text().strip() != "max":
        used = int((_CGROUP / "memory.current").read_text())
        counts = dict(line.split() for line in (_CGROUP / "memory.stat").read_text().splitlines())
        free = min(free, int(limit.read_text()) - used + int(counts["inactive_file"]))  # cached files can be dropped
    return free
