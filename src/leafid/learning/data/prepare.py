"""Prepare and store the views of a job's images before training (``leafid prepare``)."""

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
    """The stored views of one part of the split.

    Attributes:
        part: ``train`` or ``val``.
        folder: of the store.
        images: with stored views.
        new: how many of them were prepared by this call.
        bytes: size of their files.
    """

    part: str
    folder: Path
    images: int
    new: int
    bytes: int


def augmentation_for(job: Job, part: str) -> Strength:
    """Return the augmentation of the views of a part of the split: none for val and for a probe."""
    return job.training.augmentation if part == "train" and job.training.mode == "fine-tune" else "none"


def view_store(job: Job, strength: Strength) -> ViewStore:
    """Return the store of a job's views for augmentation of ``strength``; ``none``: views as in identification."""
    return ViewStore(job.data_folder / "prepared", job.sheets, enlarged=margin(strength))


def fill_store(store: ViewStore, part: str, image_ids: Sequence[str], paths: Sequence[Path], *, job: Job) -> int:
    """Prepare the images whose views are missing, with a progress bar; return how many they were.

    Raises:
        RunError: images cannot be read; all of them are listed.
    """
    if not store.missing(image_ids):
        return 0
    with progress_bar(f"Preparing {part}") as on_progress:
        return store.fill(image_ids, paths, workers=worker_count(job.training.workers), on_progress=on_progress)


def prepare_job(job: Job) -> list[StoredViews]:
    """Prepare the views that training the job needs; existing ones are kept.

    Raises:
        CatalogError: the catalog is missing or has mistakes.
        SplitError: the split leaks a gathering, or train or val has no image.
        RunError: images cannot be read; all of them are listed.
    """
    curated = training_split(job)
    stored = []
    for part in ("train", "val"):
        rows = curated.split[curated.split["split"] == part]
        store = view_store(job, augmentation_for(job, part))
        ids = list(rows["image_id"])
        new = fill_store(store, part, ids, image_paths(rows, job.catalog_path), job=job)
        size = sum(store.path(image_id).stat().st_size for image_id in ids)
        stored.append(StoredViews(part, store.folder, len(ids), new, size))
    return stored
