"""Data set, sampler and loaders. Every random choice derives from seed, epoch and draw.

So results do not depend on the number of worker processes, nor on interruptions of the run.
"""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from leafid.jobs import Strength
from leafid.learning.data.augmentation import augment, unaugmented
from leafid.learning.data.bags import Bags
from leafid.learning.data.view_store import Views, ViewStore
from leafid.learning.distributed import SINGLE_PROCESS, DistributedRank
from leafid.sheets import CropKind


class Sample(NamedTuple):
    """One image: some or all of its views, the label of its taxon, and its index in the data set."""

    views: Views
    label: int
    image_index: int


@dataclass
class Batch:
    """A batch of images.

    Attributes:
        bags: the views of N images.
        labels: (N,), int64: index of the taxon in the taxonomy.
        indices: (N,), int64: index of the image in the data set.
    """

    bags: Bags
    labels: Tensor
    indices: Tensor

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """Move to a device; Lightning calls this."""
        labels, indices = (each.to(device, non_blocking=non_blocking) for each in (self.labels, self.indices))
        return Batch(self.bags.to(device, non_blocking), labels, indices)

    def pin_memory(self) -> "Batch":
        """Copy to pinned memory, from which a GPU copies faster; torch's DataLoader calls this."""
        return Batch(self.bags.pin_memory(), self.labels.pin_memory(), self.indices.pin_memory())


@dataclass(frozen=True)
class Draw:
    """An item that a sampler requests: the index of an image, and the seed of its views and their augmentation."""

    index: int
    seed: int


class AugmentedCopy(NamedTuple):
    """An augmented copy of all images: its number, and the seed of the job."""

    number: int
    seed: int


class ImageDataset(Dataset[Sample]):
    """Images of one part of the split, read from their prepared views.

    Args:
        store: of the views.
        image_ids: the images.
        labels: their labels.
        drawn: number of views of an image in a sample, drawn at random and augmented; None: all views.
        augmentation: strength for drawn views and for copies.
        copy: with all views: None, views as in identification; otherwise an augmented copy of them.
    """

    def __init__(
        self,
        store: ViewStore,
        image_ids: Sequence[str],
        labels: Sequence[int],
        *,
        drawn: int | None,
        augmentation: Strength,
        copy: AugmentedCopy | None = None,
    ) -> None:
        self.store = store
        self.image_ids = list(image_ids)
        self.labels = list(labels)
        self.drawn = drawn
        self.augmentation = augmentation
        self.copy = copy

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.image_ids)

    def __getitem__(self, draw: Draw | int) -> Sample:
        """Return the sample of a draw; a bare index is the draw with seed 0."""
        index, seed = (draw.index, draw.seed) if isinstance(draw, Draw) else (draw, 0)
        return Sample(self._views(index, seed), self.labels[index], index)

    def augmented_copy(self, copy: AugmentedCopy) -> "ImageDataset":
        """Return an augmented copy of the same images."""
        return ImageDataset(
            self.store, self.image_ids, self.labels, drawn=None, augmentation=self.augmentation, copy=copy
        )

    def subset(self, indices: Sequence[int]) -> "ImageDataset":
        """Return some of the images."""
        ids, labels = [self.image_ids[index] for index in indices], [self.labels[index] for index in indices]
        return ImageDataset(self.store, ids, labels, drawn=self.drawn, augmentation=self.augmentation, copy=self.copy)

    def _views(self, index: int, seed: int) -> Views:
        image_id, count = self.image_ids[index], self.drawn
        if count is None and self.copy is None:
            views = self.store.read(image_id)
            return Views([unaugmented(view, self.augmentation) for view in views.pixels], views.kinds)
        random = np.random.default_rng(
            (self.copy.number, zlib.crc32(image_id.encode()), self.copy.seed) if self.copy else seed
        )
        views = self.store.read(image_id, None if count is None else lambda kinds: sample_views(kinds, count, random))
        seeds = random.integers(0, 2**31, size=len(views.pixels))
        pixels = [augment(view, self.augmentation, int(one)) for view, one in zip(views.pixels, seeds, strict=True)]
        return Views(pixels, views.kinds)


def sample_views(kinds: Sequence[CropKind], count: int, random: np.random.Generator) -> list[int]:
    """Draw views of an image, of as many kinds as possible; all kinds, and all views of a kind, are equally likely.

    Args:
        kinds: what each view shows.
        count: how many to draw; all views if there are no more.
        random: the random generator.

    Returns:
        Indices of the drawn views.
    """
    # In random order, the first view of every kind comes first, then the second of every kind, and so on.
    seen: dict[CropKind, int] = {}
    ordered = []
    for index in random.permutation(len(kinds)):
        turn = seen.get(kinds[index], 0)
        seen[kinds[index]] = turn + 1
        ordered.append((turn, random.random(), int(index)))
    return [index for _, _, index in sorted(ordered)[:count]]


def collate(samples: Sequence[Sample]) -> Batch:
    """Combine samples into a batch; they may have different numbers of views."""
    views = [sample.views for sample in samples]
    return Batch(
        Bags.of([each.pixels for each in views], [each.kinds for each in views]),
        torch.tensor([sample.label for sample in samples]),
        torch.tensor([sample.image_index for sample in samples]),
    )


class EpochSampler(Sampler[Draw]):
    """Draws one epoch in whole batches: as many images as the data set has, rounded up to a whole batch.

    With ``balanced``, all taxa are drawn equally often, and no image is drawn twice before all others of its taxon have
    been drawn. Otherwise every image is drawn once, and some again to fill the last batch.

    In distributed training each process gets an equal part of every batch; all parts together are the batches that a
    single process would draw.
    """

    def __init__(
        self,
        labels: Sequence[int],
        *,
        batch_size: int,
        balanced: bool,
        seed: int,
        rank: DistributedRank = SINGLE_PROCESS,
    ) -> None:
        self.labels = np.asarray(labels)
        self.rank = rank
        self.batch_size = batch_size
        self.balanced = balanced
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch to draw next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of draws of this process in an epoch."""
        return self._total // self.rank.world_size

    @property
    def _total(self) -> int:
        return -(-len(self.labels) // self.batch_size) * self.batch_size

    def __iter__(self) -> Iterator[Draw]:
        """Yield the draws of the epoch."""
        random = np.random.default_rng((self.seed, self.epoch))
        groups = [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]
        pools = groups if self.balanced else [np.arange(len(self.labels))]
        per_pool = -(-self._total // len(pools))
        drawn = np.stack([_without_repeats(pool, per_pool, random) for pool in pools])  # (pools, per_pool)
        # Column by column, taxa in random order: every part of the epoch is balanced, and the draws beyond its end are
        # cut off from random taxa.
        order = np.concatenate([random.permutation(column) for column in drawn.T])[: self._total]
        seeds = random.integers(0, 2**31, size=self._total)
        position_in_batch, per_process = (
            np.arange(self._total) % self.batch_size,
            self.batch_size // self.rank.world_size,
        )
        own = position_in_batch // per_process == self.rank.rank
        yield from (Draw(int(index), int(seed)) for index, seed in zip(order[own], seeds[own], strict=True))


def _without_repeats(pool: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw ``count`` from the pool; no element is repeated before all others have been drawn."""
    rounds = -(-count // len(pool))
    return np.concatenate([random.permutation(pool) for _ in range(rounds)])[:count]


def training_loader(
    samples: ImageDataset,
    *,
    batch_size: int,
    balance: Literal["sampling", "loss", "none"],
    seed: int,
    workers: int,
    pin: bool,
    rank: DistributedRank = SINGLE_PROCESS,
    parts: int = 1,
) -> "DataLoader[Sample]":
    """Return a loader of training samples in whole batches; images are repeated if they are fewer than a batch.

    Each batch is loaded in so many equal ``parts``, one after the other.
    """
    sampler = EpochSampler(samples.labels, batch_size=batch_size, balanced=balance == "sampling", seed=seed, rank=rank)
    return DataLoader(
        samples,
        batch_size=batch_size // rank.world_size // parts,
        sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
    )


def validation_loader(
    samples: ImageDataset, *, batch_size: int, workers: int, pin: bool, rank: DistributedRank = SINGLE_PROCESS
) -> "DataLoader[Sample]":
    """Return a loader of samples in order; in distributed training each sample is loaded by one process only."""
    return DataLoader(
        samples,
        batch_size=batch_size,
        sampler=range(rank.rank, len(samples), rank.world_size),
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
    )
