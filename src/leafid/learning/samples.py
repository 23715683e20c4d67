"""Samples and the order in which they are drawn. Every random choice derives from seed, epoch and draw.

So it does not matter how many worker processes there are, nor whether the run was interrupted in between.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from leafid.learning.augmentation import Strength, augment
from leafid.learning.prepared import ViewStore


class Sample(TypedDict):
    """One image for the network."""

    pixels: Tensor
    """(V, 3, S, S), uint8, RGB: its views; one of them in training."""
    label: Tensor
    """(), int64: index of the taxon in the taxonomy."""
    index: Tensor
    """(), int64: row in the list of images."""


class Batch(TypedDict):
    """Images for the network; their views stand one image after the other."""

    pixels: Tensor
    """(sum of V, 3, S, S), uint8, RGB."""
    bags: Tensor
    """(N,), int64: how many views each image has."""
    label: Tensor
    """(N,), int64."""
    index: Tensor
    """(N,), int64."""


@dataclass(frozen=True)
class Draw:
    """What a sampler asks a data set for: an image, and the seed of what is done to it."""

    index: int
    seed: int


class Samples(Dataset[Sample]):
    """Images of one part of the split, from their prepared views.

    Args:
        store: holds the views.
        image_ids: the images.
        labels: their labels.
        size: side of the views that are returned.
        views: ``one``: a view drawn by the seed, augmented. ``all``: all of them, as identification sees them.
        augmentation: how much is done to a drawn view.
    """

    def __init__(
        self,
        store: ViewStore,
        image_ids: Sequence[str],
        labels: Sequence[int],
        *,
        size: int,
        views: Literal["one", "all"],
        augmentation: Strength,
    ) -> None:
        self.store = store
        self.image_ids = list(image_ids)
        self.labels = list(labels)
        self.size = size
        self.views = views
        self.augmentation = augmentation

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.image_ids)

    def __getitem__(self, draw: Draw | int) -> Sample:
        """Return the sample of a draw; a bare index is the draw with seed 0."""
        index, seed = (draw.index, draw.seed) if isinstance(draw, Draw) else (draw, 0)
        return Sample(
            pixels=torch.from_numpy(self._views(index, seed).transpose(0, 3, 1, 2).copy()),
            label=torch.tensor(self.labels[index]),
            index=torch.tensor(index),
        )

    def _views(self, index: int, seed: int) -> NDArray[np.uint8]:
        """Return views (V, S, S, 3)."""
        image_id = self.image_ids[index]
        if self.views == "all":
            return self.store.read(image_id)
        random = np.random.default_rng(seed)
        drawn = self.store.read_one(image_id, lambda count: int(random.integers(count)))
        return augment(drawn, self.size, self.augmentation, seed)[None]


def batch_of(samples: Sequence[Sample]) -> Batch:
    """Put samples together, however many views each has."""
    return Batch(
        pixels=torch.cat([sample["pixels"] for sample in samples]),
        bags=torch.tensor([len(sample["pixels"]) for sample in samples]),
        label=torch.stack([sample["label"] for sample in samples]),
        index=torch.stack([sample["index"] for sample in samples]),
    )


class EpochSampler(Sampler[Draw]):
    """Draws of one epoch, in whole batches: as many as there are images, filled up to the last batch.

    With ``balanced``, every taxon is drawn equally often; its images take turns, so that none is drawn twice before all
    others of its taxon were drawn. Otherwise every image is drawn once, before the filling.
    """

    def __init__(self, labels: Sequence[int], *, batch_size: int, balanced: bool, seed: int) -> None:
        self.labels = np.asarray(labels)
        self.batch_size = batch_size
        self.balanced = balanced
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose draws come next; Lightning calls this."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of draws in an epoch."""
        return -(-len(self.labels) // self.batch_size) * self.batch_size

    def __iter__(self) -> Iterator[Draw]:
        """Yield the draws of the epoch."""
        random = np.random.default_rng((self.seed, self.epoch))
        groups = [np.flatnonzero(self.labels == label) for label in np.unique(self.labels)]
        pools = groups if self.balanced else [np.arange(len(self.labels))]
        share = -(-len(self) // len(pools))
        drawn = np.stack([_in_turn(pool, share, random) for pool in pools])  # (pools, share)
        # Column by column, taxa in random order: every stretch of the epoch is balanced, and what exceeds its length
        # is missing from random taxa.
        order = np.concatenate([random.permutation(column) for column in drawn.T])[: len(self)]
        seeds = random.integers(0, 2**31, size=len(self))
        yield from (Draw(int(index), int(seed)) for index, seed in zip(order, seeds, strict=True))


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
) -> "DataLoader[Sample]":
    """Load training samples in whole batches; smaller sets than one batch are drawn several times."""
    sampler = EpochSampler(samples.labels, batch_size=batch_size, balanced=balance == "sampling", seed=seed)
    return DataLoader(
        samples,
        batch_size=batch_size,
        sampler=sampler,
        collate_fn=batch_of,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
    )


def validation_loader(samples: Samples, *, batch_size: int, workers: int, pin: bool) -> "DataLoader[Sample]":
    """Load samples in order, each once."""
    return DataLoader(
        samples,
        batch_size=batch_size,
        collate_fn=batch_of,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=pin,
    )
