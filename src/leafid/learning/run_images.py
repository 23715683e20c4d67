"""The images of a run by their prepared views: as samples, and what a network says of them."""

from typing import Literal

import torch

from leafid.learning.devices import worker_count
from leafid.learning.inference import FileAnswers
from leafid.learning.network import Network
from leafid.learning.preparing import fill_store, strength_for, view_store
from leafid.learning.probing import embeddings_of
from leafid.learning.run import Run
from leafid.learning.samples import Samples

Part = Literal["train", "val"]


def samples_of(run: Run, part: Part, *, drawn: int | None) -> Samples:
    """Make samples of one part of the split, in its order; views that are not there yet are prepared.

    Args:
        run: the run.
        part: ``train`` or ``val``.
        drawn: see ``Samples``.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    rows = run.split[run.split["split"] == part]
    strength = strength_for(run.job, part)
    store = view_store(run.job, strength)
    ids = list(rows["image_id"])
    fill_store(store, part, ids, run.image_paths(rows), job=run.job)
    labels = run.info.taxonomy.labels(list(rows["scientificName"]))
    return Samples(store, ids, labels, drawn=drawn, augmentation=strength)


def answers_for(run: Run, part: Part, network: Network, *, device: torch.device) -> FileAnswers:
    """Return what a network says of one part of the split, in its order; none of its images can fail.

    The embeddings are kept beside the views. After a probe, nothing needs to be computed again.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    samples = samples_of(run, part, drawn=None)
    embeddings = embeddings_of(network, samples, device=device, workers=worker_count(run.job.training.workers))
    with torch.inference_mode():
        logits = network.last_linear(torch.from_numpy(embeddings)).numpy()
    return FileAnswers(logits, embeddings, {})
