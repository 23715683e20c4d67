"""Features of one view of each image, as simple classifiers use them: a baseline for all that leafid adds to it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from leafid.jobs import Job
from leafid.learning.data.bags import Bags
from leafid.learning.data.prepare import fill_store, view_store
from leafid.learning.devices import choose_device
from leafid.learning.models.batch_norm_fusion import fuse_batch_norm
from leafid.learning.models.pretrained_weights import initialize_network
from leafid.progress import progress_bar
from leafid.sheets import CropKind

OVERVIEWS = (CropKind.PLANT, CropKind.IMAGE)
"""Kinds of views that show the whole plant, best first."""


def embed_overviews(job: Job, image_ids: Sequence[str], paths: Sequence[Path]) -> NDArray[np.float32]:
    """Return the features (N, F) of one view of each image: the last layer of the job's backbone, averaged over it.

    Args:
        job: its backbone, weights and views; the first view of an image that has no overview is used.
        image_ids: of N images.
        paths: their files.

    Raises:
        RunError: images cannot be read; all of them are listed.
        WeightsError: pretrained weights are missing or do not fit.
    """
    store, device = view_store(job, "none"), choose_device(job.training.device)
    fill_store(store, "overviews", image_ids, paths, job=job)
    plain = job.model.model_copy(update={"pooling": "average", "scales": (1.0,)})
    network = fuse_batch_norm(initialize_network(plain, 2)[0], device)
    rows = []
    with torch.inference_mode(), progress_bar("One view") as on_progress:
        for done, image_id in enumerate(image_ids, 1):
            (view,) = store.read(image_id, _overview).pixels
            bags = Bags.of([[view]], [[CropKind.IMAGE]]).to(device)
            rows.append(network(bags).embeddings.float().cpu().numpy())
            on_progress(done, len(image_ids))
    return np.concatenate(rows)


def _overview(kinds: Sequence[CropKind]) -> list[int]:
    return [next((kinds.index(kind) for kind in OVERVIEWS if kind in kinds), 0)]
