"""The images of a run by their prepared views: as samples, and what a network says of them."""

from typing import Literal

import numpy as np
import torch

from leafid.jobs import Strength
from leafid.learning.data.prepare import fill_store, strength_for, view_store
from leafid.learning.data.samples import Copy, Samples
from leafid.learning.devices import worker_count
from leafid.learning.inference import FilePredictions
from leafid.learning.linear_probe.probe import LabelledEmbeddings, compute_embeddings
from leafid.learning.models.network import Network
from leafid.learning.run import Run

Part = Literal["train", "val"]


def split_samples(run: Run, part: Part, *, drawn: int | None) -> Samples:
    """Make samples of one part of the split, in its order; views that are not there yet are prepared.

    Args:
        run: the run.
        part: ``train`` or ``val``.
        drawn: see ``Samples``.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    return _samples(run, part, strength_for(run.job, part), drawn=drawn)


def predict_split(run: Run, part: Part, network: Network, *, device: torch.device) -> FilePredictions:
    """Return what a network says of one part of the split, in its order; none of its images can fail.

    The embeddings are kept beside the views. After a probe, nothing needs to be computed again.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    samples = split_samples(run, part, drawn=None)
    embeddings = compute_embeddings(network, samples, device=device, workers=worker_count(run.job.training.workers))
    with torch.inference_mode():
        logits = network.last_linear(torch.from_numpy(embeddings)).numpy()
    return FilePredictions(logits, embeddings, {})


def augmented_copy_embeddings(run: Run, network: Network, *, device: torch.device) -> LabelledEmbeddings | None:
    """Return what the network makes of the augmented copies of train, from which a probe learns, too.

    Returns:
        Embeddings (C N, F) of the C copies one after the other, each in the order of the split, and labels (C N,); None
        where the job wants no copies.
    """
    training = run.job.training
    if training.augmentation == "none" or not training.probe_augmented_copies:
        return None
    samples = _samples(run, "train", training.augmentation, drawn=None)
    workers = worker_count(training.workers)
    rows = [
        compute_embeddings(network, samples.augmented_copy(Copy(number, run.job.seed)), device=device, workers=workers)
        for number in range(1, training.probe_augmented_copies + 1)
    ]
    return np.concatenate(rows), np.tile(np.array(samples.labels, dtype=np.int64), training.probe_augmented_copies)


def _samples(run: Run, part: Part, strength: Strength, *, drawn: int | None) -> Samples:
    rows = run.split[run.split["split"] == part]
    store = view_store(run.job, strength)
    ids = list(rows["image_id"])
    fill_store(store, part, ids, run.image_paths(rows), job=run.job)
    labels = run.info.taxonomy.labels(list(rows["scientificName"]))
    return Samples(store, ids, labels, drawn=drawn, augmentation=strength)
