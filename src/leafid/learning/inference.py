"""Run the network over image files. A file that cannot be read becomes a failure; the others are still predicted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from leafid.errors import ImageError
from leafid.images import guard_image
from leafid.jobs import Preprocessing
from leafid.learning.data.bags import Bags
from leafid.learning.devices import worker_count
from leafid.learning.models.batch_norm_fusion import fuse_batch_norm
from leafid.learning.models.network import Network, NetworkOutput
from leafid.progress import OnProgress
from leafid.sheets import PreparedImage, prepare_file

Inspect = Callable[[PreparedImage], Any]
"""Measures a prepared image without the network."""


@dataclass(frozen=True)
class FilePredictions:
    """Output of the network for a list of files.

    Attributes:
        logits: (N, T), float32, in the order of the files; NaN where a file cannot be read.
        embeddings: (N, F), float32, in the same order.
        failures: errors of the files that cannot be read, by index.
        inspections: results of ``inspect`` for the other files, by index.
    """

    logits: NDArray[np.float32]
    embeddings: NDArray[np.float32]
    failures: dict[int, ImageError]
    inspections: dict[int, Any] = field(default_factory=dict)


def predict_files(
    network: Network,
    paths: Sequence[Path],
    preprocessing: Preprocessing,
    *,
    device: torch.device,
    batch_size: int = 32,
    workers: int | None = None,
    inspect: Inspect | None = None,
    judged: bool = False,
    on_progress: OnProgress | None = None,
) -> FilePredictions:
    """Run the network over image files.

    Args:
        network: the network; used in eval mode and not changed.
        paths: image files.
        preprocessing: the bundle's.
        device: where to compute.
        batch_size: images per forward pass.
        workers: processes that read images; None: one per CPU core, at most 8; 0: this process.
        inspect: called with each prepared image, in the process that reads it.
        judged: whether the input gate looks at the images.
        on_progress: called with (images done, total).
    """
    inspections: dict[int, Any] = {}
    logits = np.full((len(paths), network.taxa), np.nan, dtype=np.float32)
    embeddings = np.full((len(paths), network.last_linear.in_features), np.nan, dtype=np.float32)
    failures: dict[int, ImageError] = {}
    processes = min(worker_count("auto") if workers is None else workers, len(paths) // batch_size)
    loader = DataLoader(
        _Files(paths, preprocessing, inspect, judged),
        batch_size=batch_size,
        num_workers=processes,
        collate_fn=_collate,
        pin_memory=device.type == "cuda",
    )
    fused, done = fuse_batch_norm(network, device), 0
    with torch.inference_mode():
        for batch in loader:
            if len(batch.indices):
                output: NetworkOutput = fused(batch.bags.to(device, non_blocking=True))
                logits[batch.indices] = output.logits.float().cpu().numpy()
                embeddings[batch.indices] = output.embeddings.float().cpu().numpy()
            failures |= batch.failures
            inspections |= batch.inspections
            done += len(batch.indices) + len(batch.failures)
            if on_progress:
                on_progress(done, len(paths))
    return FilePredictions(logits, embeddings, failures, inspections)


def embed_images(fused: Network, images: Sequence[PreparedImage], *, device: torch.device) -> NDArray[np.float32]:
    """Return the embeddings (N, F) of prepared images by a network with fused batch norm."""
    bags = Bags.of([image.views for image in images], [image.kinds for image in images])
    with torch.inference_mode():
        output: NetworkOutput = fused(bags.to(device))
        return np.asarray(output.embeddings.float().cpu().numpy(), dtype=np.float32)


@dataclass(frozen=True)
class _Batch:
    """A batch of files: views, indices and inspections of those that can be read, and the failures."""

    bags: Bags
    indices: list[int]
    inspections: dict[int, Any]
    failures: dict[int, ImageError]

    def pin_memory(self) -> "_Batch":
        return _Batch(self.bags.pin_memory(), self.indices, self.inspections, self.failures)


@dataclass(frozen=True)
class _Read:
    index: int
    image: PreparedImage | ImageError
    inspection: Any = None


class _Files(Dataset[_Read]):
    """A data set of image files that are prepared when read."""

    def __init__(
        self, paths: Sequence[Path], preprocessing: Preprocessing, inspect: Inspect | None, judged: bool
    ) -> None:
        self.paths = list(paths)
        self.preprocessing = preprocessing
        self.inspect = inspect
        self.judged = judged

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> _Read:
        path = self.paths[index]
        try:
            with guard_image(path):
                image = prepare_file(path, self.preprocessing, judged=self.judged)
                return _Read(index, image, self.inspect(image) if self.inspect else None)
        except ImageError as error:
            return _Read(index, error)


def _collate(items: Sequence[_Read]) -> _Batch:
    images = [item.image for item in items if isinstance(item.image, PreparedImage)]
    read = [item for item in items if isinstance(item.image, PreparedImage)]
    return _Batch(
        bags=Bags.of([image.views for image in images], [image.kinds for image in images]),
        indices=[item.index for item in read],
        inspections={item.index: item.inspection for item in read},
        failures={item.index: item.image for item in items if isinstance(item.image, ImageError)},
    )
