"""Samples and the order in which they are drawn. Every random choice derives from seed, epoch and draw.

So it does not matter how many worker processes there are, nor whether the run was interrupted in between.
"""

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
    """One image for the network: its views, drawn ones or all, and the label of its taxon."""

    views: Views
    label: int


@dataclass
class Batch:
    """Images for the network.

    Attributes:
        bags: the views of N images.
        labels: (N,), int64: index of the taxon in the taxonomy.
    """

    bags: Bags
    labels: Tensor

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """Move to a device; Lightning calls this."""
        return Batch(self.bags.to(device, non_blocking), self.labels.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> "Batch":
        """Move to memory from which a GPU copies faster; torch's loader calls this."""
        return Batch(self.bags.pin_memory(), self.labels.pin_memory())


@dataclass(frozen=True)
class Draw:
    """What a sampler asks a data set for: an image, and the seed of what is done to it."""

    index: int
    seed: int


class Copy(NamedTuple):
    """An augmented copy of all images: its number, and the seed of the job, which makes it another one."""

    number: int
    seed: int


class Samples(Dataset[Sample]):
    """Images of one part of the split, from their prepared views.

    Args:
        store: holds the views.
        image_ids: the images.
        labels: their labels.
        drawn: how many views of an image a sample has, drawn by the seed and augmented; None: all.
        augmentation: how much is done to drawn views and to copies.
        copy: of all views: None, as identification sees them; otherwise the augmented copy that it names.
    """

    def __init__(
        self,
        store: ViewStore,
        image_ids: Sequence[str],
        labels: Sequence[int],
        *,
        drawn: int | None,
        augmentation: Strength,
        copy: Copy | None = None,
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
        return Sample(self._views(index, seed), self.labels[index])

    def augmented_copy(self, copy: Copy) -> "Samples":
        """Return the same images as an augmented copy."""
        return Samples(self.store, self.image_ids, self.labels, drawn=None, augmentation=self.augmentation, copy=copy)

    def _views(self, index: int, seed: int) -> Views:
        image_id, count = self.image_ids[index], self.drawn
        if count is None and self.copy is None:
            views = self.store.read(image_id)
            return Views([unaugmented(view, self.augmentation) for view in views.pixels], views.kinds)
        random = np.random.default_rng((self.copy.number, index, self.copy.seed) if self.copy else seed)
        views = self.store.read(image_id, None if count is None else lambda kinds: sample_views(kinds, count, random))
        seeds = random.integers(0, 2**31, size=len(views.pixels))
        pixels = [augment(view, self.augmentation, int(its)) for view, its in zip(views.pixels, seeds, strict=True)]
        return Views(pixels, views.kinds)


def sample_views(kinds: Sequence[CropKind], count: int, random: np.random.Generator) -> list[int]:
    """Draw views of an image: of as many kinds as possible, each kind and each view of a kind as likely as the others.

    Args:
        kinds: what each view shows.
        count: how many are drawn; all, where there are no more.
        random: decides.

    Returns:
        The numbers of the views.
    """
    turns: dict[CropKind, int] = {}
    ordered = []
    for number in random.permutation(len(kinds)):
        turn = turns.get(kinds[number], 0)
        turns[kinds[number]] = turn + 1
        ordered.append((turn, random.random(), int(number)))
    return [number for _, _, number in sorted(ordered)[:count]]


def collate(samples: Sequence[Sample]) -> Batch:
    """Put samples together, however many views each has."""
    views = [sample.views for sample in samples]
    return Batch(
        Bags.of([each.pixels for each in views], [each.kinds for each in views]),
        torch.tensor([sample.label for sample in samples]),
    )


class EpochSampler(Sampler[Draw]):
    """Draws of one epoch, in whole batches: as many as there are images, filled up to the last batch.

    With ``balanced``, every taxon is drawn equally often; its images take turns, so that none is drawn twice before all
    others of its taxon were drawn. Otherwise every image is drawn once, before the filling.

    Processes that train together take equal parts of every batch; together they draw what one alone would.
    """

    def __init__(
        self,
        labels: Sequence[int],
        *,
        batch_size: int,
        balanced: bool,
        seed: int,
        process: DistributedRank = SINGLE_PROCESS,
    ) -> None:
        self.labels = np.asarray(labels)
        self.process = process
        self.batch_size = batch_size
        self.balanced = balanced
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draws come next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of draws in an epoch, of this process."""
        return self._in_all // self.process.world_size

    @property
    def _in_all(self) -> int:
        return -(-len(self.labels) // self.batch_size) * self.batch_size

    def __iter__(self) -> Iterator[Draw]:
        """Yield the draws of the epoch."""
        random = np.random.default_rng((self.seed, self.epoch))
        groups = [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]
        pools = groups if self.balanced else [np.arange(len(self.labels))]
        share = -(-self._in_all // len(pools))
        drawn = np.stack([_in_turn(pool, share, random) for pool in pools])  # (pools, share)
        # Column by column, taxa in random order: every stretch of the epoch is balanced, and what exceeds its length
        # is missing from random taxa.
        order = np.concatenate([random.permutation(column) for column in drawn.T])[: self._in_all]
        seeds = random.integers(0, 2**31, size=self._in_all)
        mine = (
            np.arange(self._in_all) % self.batch_size // (self.batch_size // self.process.world_size)
            == self.process.rank
        )
        yield from (Draw(int(index), int(seed)) for index, seed in zip(order[mine], seeds[mine], strict=True))


def _in_turn(pool: NDArray[np.int64], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw ``count`` from the pool, each once before any comes again."""
    rounds = -(-count // len(pool))
    return np.concatenate([random.permutation(pool) for _ in range(rounds)])[:count]


def training_loader(
    samples: Samples,
    *,
    batch_size: int,
    balance: Literal["sampling", "loss", "none"],
    seed: int,
    workers: int,
    pin: bool,
    process: DistributedRank = SINGLE_PROCESS,
) -> "DataLoader[Sample]":
    """Load training samples in whole batches; smaller sets than one batch are drawn several times."""
    sampler = EpochSampler(
        samples.labels, batch_size=batch_size, balanced=balance == "sampling", seed=seed, process=process
    )
    return DataLoader(
        samples,
        batch_size=batch_size // process.world_size,
        sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
    )


def validation_loader(
    samples: Samples, *, batch_size: int, workers: int, pin: bool, process: DistributedRank = SINGLE_PROCESS
) -> "DataLoader[Sample]":
    """Load samples in order, each once; of several processes, each takes its share, and none is taken twice."""
    return DataLoader(
        samples,
        batch_size=batch_size,
        sampler=range(process.rank, len(samples), process.world_size),
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
    )
