"""Embeddings of images with their labels: what a linear probe is fitted to."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from leafid.files import written_atomically
from leafid.jobs import is_own_code, own_code_version
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

    The cache holds single images, so that another split, or another fold, computes nothing again.

    Args:
        network: the network; used in eval mode and not changed.
        samples: the images with all their views.
        device: where to compute.
        workers: processes that read views.
        cached: read from the cache, and write to it.
    """
    path = samples.store.folder / f"embeddings-{_digest(network, samples)}.npz"
    found = _read_cache(path) if cached else {}
    missing = [index for index, image_id in enumerate(samples.image_ids) if image_id not in found]
    if missing:
        needed = samples.subset(missing)
        found |= dict(zip(needed.image_ids, _computed(network, needed, device, workers), strict=True))
        if cached:
            _write_cache(path, found)
    return np.stack([found[image_id] for image_id in samples.image_ids])


def _computed(network: Network, samples: ImageDataset, device: torch.device, workers: int) -> NDArray[np.float32]:
    loader = DataLoader(samples, batch_size=BATCH_SIZE, collate_fn=collate, num_workers=workers)
    fused, rows = fuse_batch_norm(network, device), []
    with torch.inference_mode(), progress_bar("Features") as on_progress:
        for batch in loader:
            rows.append(fused(batch.bags.to(device)).embeddings.float().cpu().numpy())
            on_progress(sum(map(len, rows)), len(samples))
    return np.concatenate(rows)


def _read_cache(path: Path) -> dict[str, NDArray[np.float32]]:
    if not path.is_file():
        return {}
    with np.load(path, allow_pickle=False) as content:
        return dict(zip(content["image_ids"].tolist(), content["embeddings"], strict=True))


def _write_cache(path: Path, found: Mapping[str, NDArray[np.float32]]) -> None:
    content = io.BytesIO()
    np.savez(content, image_ids=np.array(list(found)), embeddings=np.stack(list(found.values())))
    with written_atomically(path) as temporary:
        temporary.write_bytes(content.getvalue())


def _digest(network: Network, samples: ImageDataset) -> str:
    """Hash all that an embedding depends on beside the stored views: network, weights and augmentation."""
    digest = hashlib.sha256(network.spec.model_dump_json().encode())
    for name, value in network.state_dict().items():
        if not name.startswith("head."):
            digest.update(name.encode() + value.cpu().numpy().tobytes())
    if samples.copy:
        own = own_code_version(samples.augmentation) if is_own_code(samples.augmentation) else ""
        digest.update(f"{samples.augmentation} {own} {AUGMENTATION_VERSION} {samples.copy}".encode())
    return digest.hexdigest()[:16]
