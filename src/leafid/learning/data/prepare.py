"""The views of a job's images, stored before they are needed: by ``leafid prepare``, for ``leafid train``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from leafid.catalog import image_paths
from leafid.curation import training_split
from leafid.jobs import Job, Strength
from leafid.learning.data.augmentation import margin
from leafid.learning.data.view_store import ViewStore
from leafid.learning.devices import worker_count
from leafid.progress import progress_bar


@dataclass(frozen=True)
class StoredViews:
    """What lies in a store for one part of the split."""

    part: str
    folder: Path
    images: int
    new: int
    bytes: int


def strength_for(job: Job, part: str) -> Strength:
    """Return how much the views of a part of the split are augmented; those of val and of a probe are not."""
    return job.training.augmentation if part == "train" and job.training.mode == "fine-tune" else "none"


def view_store(job: Job, strength: Strength) -> ViewStore:
    """Return the store of a job's views that are to be augmented by ``strength``; ``none``: as identification sees."""
    return ViewStore(job.data_folder / "prepared", job.sheets, enlarged=margin(strength))


def fill_store(store: ViewStore, part: str, image_ids: Sequence[str], paths: Sequence[Path], *, job: Job) -> int:
    """Prepare the images whose views are not there yet, with a progress bar; return how many there were.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    if not store.missing(image_ids):
        return 0
    with progress_bar(f"Preparing {part}") as on_progress:
        return store.fill(image_ids, paths, workers=worker_count(job.training.workers), on_progress=on_progress)


def prepare_job(job: Job) -> list[StoredViews]:
    """Store the views that training the job will need; those that are there are kept.

    Raises:
        CatalogError: there is no catalog, or it has mistakes.
        SplitError: the split leaks a gathering, or leaves nothing to train or to validate on.
        RunError: images cannot be read; all of them are listed.
    """
    curated = training_split(job)
    stored = []
    for part in ("train", "val"):
        rows = curated.split[curated.split["split"] == part]
        store = view_store(job, strength_for(job, part))
        ids = list(rows["image_id"])
        new = fill_store(store, part, ids, image_paths(rows, job.catalog_path), job=job)
        size = sum(store.path(image_id).stat().st_size for image_id in ids)
        stored.append(StoredViews(part, store.folder, len(ids), new, size))
    return stored
