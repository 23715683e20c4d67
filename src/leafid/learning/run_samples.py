"""The images of a run by their prepared views: as samples, embeddings and predictions."""

from collections.abc import Container, Iterator
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from leafid.jobs import Strength
from leafid.learning.data.prepare import augmentation_for, fill_store, view_store
from leafid.learning.data.samples import AugmentedCopy, ImageDataset
from leafid.learning.devices import worker_count
from leafid.learning.linear_probe.embeddings import LabelledEmbeddings, compute_embeddings
from leafid.learning.models.network import Network
from leafid.learning.run import Run

if TYPE_CHECKING:
    import pandas as pd

Part = Literal["train", "val"]
PARTS: tuple[Part, ...] = ("train", "val")


def split_samples(run: Run, part: Part, *, drawn: int | None) -> ImageDataset:
    """Return the samples of one part of the split, in its order; missing views are prepared.

    Args:
        run: the run.
        part: ``train`` or ``val``.
        drawn: see ``ImageDataset``.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    return _samples(run, (part,), augmentation_for(run.job, part), drawn=drawn)


def split_embeddings(
    run: Run, part: Part, network: Network, *, device: torch.device, cached: bool = True
) -> LabelledEmbeddings:
    """Return the embeddings of one part of the split, in its order; by default cached beside the prepared views.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    samples = split_samples(run, part, drawn=None)
    workers = worker_count(run.job.training.workers)
    embeddings = compute_embeddings(network, samples, device=device, workers=workers, cached=cached)
    return LabelledEmbeddings(embeddings, np.asarray(samples.labels))


def train_val_rows(run: Run) -> "pd.DataFrame":
    """Return the rows of train and val in the order of the split, numbered from 0.

    Folds are blocks of neighbouring images, so the order matters.
    """
    split = run.split
    return split[split["split"].isin(PARTS)].reset_index(drop=True)


def train_val_embeddings(run: Run, network: Network, *, device: torch.device) -> LabelledEmbeddings:
    """Return the embeddings of train and val together, in the order of ``train_val_rows``.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    train, val = (split_embeddings(run, part, network, device=device) for part in PARTS)
    is_train = np.asarray(train_val_rows(run)["split"] == "train")
    order = np.argsort(np.concatenate([np.flatnonzero(is_train), np.flatnonzero(~is_train)]))
    both = train.concatenate(val)
    return LabelledEmbeddings(both.embeddings[order], both.labels[order])


def augmented_copy_embeddings(
    run: Run, network: Network, *, device: torch.device, parts: Container[Part] = ("train",)
) -> LabelledEmbeddings | None:
    """Return the embeddings of the augmented copies to which a probe is fitted, too.

    Args:
        run: the run.
        network: gives the embeddings.
        device: where to compute.
        parts: of the split, whose images are copied.

    Returns:
        C N images: the C copies one after the other, each in the order of the split. None where the job has no copies.
    """
    training = run.job.training
    if training.augmentation == "none" or not training.probe_augmented_copies:
        return None
    samples = _samples(run, parts, training.augmentation, drawn=None)
    workers = worker_count(training.workers)
    rows = [
        compute_embeddings(
            network, samples.augmented_copy(AugmentedCopy(number, run.job.seed)), device=device, workers=workers
        )
        for number in range(1, training.probe_augmented_copies + 1)
    ]
    labels = np.tile(np.array(samples.labels, dtype=np.int64), training.probe_augmented_copies)
    return LabelledEmbeddings(np.concatenate(rows), labels)


def first_views(run: Run, image_ids: Container[str]) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Yield the id and the first view (S, S, 3) of the train and val images in ``image_ids``.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    for part in PARTS:
        samples = split_samples(run, part, drawn=None)
        for image_id in samples.image_ids:
            if image_id in image_ids:
                yield image_id, samples.store.read(image_id, lambda kinds: [0]).pixels[0]


def _samples(run: Run, parts: Container[Part], augmentation: Strength, *, drawn: int | None) -> ImageDataset:
    chosen = [part for part in PARTS if part in parts]
    rows = run.split[run.split["split"].isin(chosen)]
    store = view_store(run.job, augmentation)
    ids = list(rows["image_id"])
    fill_store(store, " and ".join(chosen), ids, run.image_paths(rows), job=run.job)
    labels = run.info.taxonomy.labels(list(rows["scientificName"]))
    return ImageDataset(store, ids, labels, drawn=drawn, augmentation=augmentation)
