"""Logits of many image files, one row for each; a file that cannot be read is a failure, not an end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from leafid.errors import ImageError
from leafid.jobs import Preprocessing
from leafid.learning.devices import worker_count
from leafid.learning.network import Network
from leafid.progress import OnProgress
from leafid.sheets import prepare_file


@dataclass(frozen=True)
class Logits:
    """What the network says about a list of files.

    Attributes:
        values: (N, T), float32, in the order of the files; NaN where a file could not be read.
        failures: index of each such file, and why.
    """

    values: NDArray[np.float32]
    failures: dict[int, ImageError]


def logits_of(
    network: Network,
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    *,
    device: torch.device,
    batch_size: int = 32,
    workers: int | None = None,
    on_progress: OnProgress | None = None,
) -> Logits:
    """Run the network over image files, in eval mode; afterwards it is in the mode and on the device it was before.

    Args:
        network: the network.
        paths: image files.
        preprocessing: the bundle's.
        device: where to compute.
        batch_size: images at once.
        workers: processes that read images; None: one per CPU core, at most 8; 0: none but this one.
        on_progress: called with (images done, images in all).
    """
    values = np.full((len(paths), network.taxa), np.nan, dtype=np.float32)
    failures: dict[int, ImageError] = {}
    processes = min(worker_count("auto") if workers is None else workers, len(paths) // batch_size)
    loader = DataLoader(
        _Files(paths, preprocessing),
        batch_size=batch_size,
        num_workers=processes,
        collate_fn=_collate,
        pin_memory=device.type == "cuda",
    )
    before, training = network.mean.device, network.training
    network.to(device).eval()
    done = 0
    with torch.inference_mode():
        for batch in loader:
            if len(batch.indices):
                pixels = batch.pixels.to(device, non_blocking=True)
                logits = network.of_bags(pixels, batch.bags.to(device, non_blocking=True))
                values[batch.indices] = logits.float().cpu().numpy()
            failures |= batch.failures
            done += len(batch.indices) + len(batch.failures)
            if on_progress:
                on_progress(done, len(paths))
    network.to(before).train(training)
    return Logits(values, failures)


@dataclass(frozen=True)
class _Batch:
    """Views (V, 3, S, S) of the N files that could be read, how many each has, and which they are; the failures."""

    pixels: Tensor
    bags: Tensor
    indices: list[int]
    failures: dict[int, ImageError]

    def pin_memory(self) -> "_Batch":
        return _Batch(self.pixels.pin_memory(), self.bags.pin_memory(), self.indices, self.failures)


class _Files(Dataset[tuple[int, "Tensor | ImageError"]]):
    """Prepared views of image files."""

    def __init__(self, paths: Sequence[Path], preprocessing: Preprocessing) -> None:
        self.paths = list(paths)
        self.preprocessing = preprocessing

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[int, Tensor | ImageError]:
        try:
            views = prepare_file(self.paths[index], self.preprocessing).views
        except ImageError as error:
            return index, error
        return index, torch.from_numpy(views.transpose(0, 3, 1, 2).copy())


def _collate(items: Sequence[tuple[int, Tensor | ImageError]]) -> _Batch:
    read = [(index, item) for index, item in items if isinstance(item, Tensor)]
    return _Batch(
        pixels=torch.cat([pixels for _, pixels in read]) if read else torch.empty(0, 3, 0, 0, dtype=torch.uint8),
        bags=torch.tensor([len(pixels) for _, pixels in read], dtype=torch.int64),
        indices=[index for index, _ in read],
        failures={index: item for index, item in items if isinstance(item, ImageError)},
    )
