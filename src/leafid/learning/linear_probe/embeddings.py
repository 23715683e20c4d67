"""Embeddings of images with their labels: what a linear probe is fitted to."""

import hashlib
import io
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from leafid.files import written_atomically
from leafid.learning.data.augmentation import AUGMENTATION_VERSION
from leafid.learning.data.samples import ImageDataset, collate
from leafid.learning.models.batch_norm_fusion import fuse_batch_norm
from leafid.learning.models.network import Network
from leafid.progress import progress_bar

BATCH_SIZE = 8
"""Images per forward pass; an image has up to dozens of views."""


@dataclass(frozen=True)
class LabelledEmbeddings:
    """Embeddings of N images and their labels.

    Attributes:
        embeddings: (N, F), float32.
        labels: (N,), int64: index of the taxon in the taxonomy.
    """

    embeddings: NDArray[np.float32]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.labels)

    def subset(self, mask: NDArray[np.bool_]) -> Self:
        """Return the images (N,) where the mask is true."""
        return type(self)(self.embeddings[mask], self.labels[mask])

    def concatenate(self, other: "LabelledEmbeddings | None") -> Self:
        """Return these images followed by the others; None: these alone."""
        if other is None:
            return self
        return type(self)(
            np.concatenate([self.embeddings, other.embeddings]), np.concatenate([self.labels, other.labels])
        )


def compute_embeddings(
    network: Network, samples: ImageDataset, *, device: torch.device, workers: int, cached: bool = True
) -> NDArray[np.float32]:
    """Return the embeddings (N, F) of images, from a cache beside the prepared views where they were computed before.

    Args:
        network: the network; used in eval mode and not changed.
        samples: the images with all their views.
        device: where to compute.
        workers: processes that read views.
        cached: read from the cache, and write to it.
    """
    path = samples.store.folder / f"embeddings-{_digest(network, samples)}.npy"
    if cached and path.is_file():
        found: NDArray[np.float32] = np.load(path, allow_pickle=False)
        if len(found) == len(samples):
            return found
    loader = DataLoader(samples, batch_size=BATCH_SIZE, collate_fn=collate, num_workers=workers)
    fused, rows = fuse_batch_norm(network, device), []
    with torch.inference_mode(), progress_bar("Features") as on_progress:
        for batch in loader:
            rows.append(fused(batch.bags.to(device)).embeddings.float().cpu().numpy())
            on_progress(sum(map(len, rows)), len(samples))
    embeddings = np.concatenate(rows)
    if not cached:
        return embeddings
    content = io.BytesIO()
    np.save(content, embeddings, allow_pickle=False)
    with written_atomically(path) as temporary:
        temporary.write_bytes(content.getvalue())
    return embeddings


def _digest(network: Network, samples: ImageDataset) -> str:
    """Hash all that embeddings depend on beside the stored views: network, weights, images and augmentation."""
    digest = hashlib.sha256(network.spec.model_dump_json().encode())
    for name, value in network.state_dict().items():
        if not name.startswith("head."):
            digest.update(name.encode() + value.cpu().numpy().tobytes())
    digest.update("\n".join(samples.image_ids).encode())
    if samples.copy:
        digest.update(f"{samples.augmentation} {AUGMENTATION_VERSION} {samples.copy}".encode())
    return digest.hexdigest()[:16]
