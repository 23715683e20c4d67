"""Look at the images of a job and apply its recipe (``leafid.jobs.recipes``)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leafid.catalog import image_paths, read_catalog
from leafid.errors import ImageError
from leafid.images import open_image
from leafid.jobs import DatasetFacts, Job, apply_recipe
from leafid.learning.devices import choose_device
from leafid.progress import progress_bar

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SAMPLE_IMAGES = 24
"""Images in which leaves are counted: a tenth of a second each, and the median of 24 is safe from single odd photos."""

_SIDE = 800  # pixels; the search for leaves works on images of this size


def resolve_recipe(job: Job) -> Job:
    """Return the job with the settings of its recipe, adapted to the images of its catalog.

    Prints each rule that was applied. A job whose settings are all given, as in a run's ``job.yaml``, stays as it is.

    Raises:
        CatalogError: the catalog is missing or has mistakes.
        UsageError: this machine does not have the device.
    """
    if not apply_recipe(job)[1]:
        return job
    adapted, rules = apply_recipe(job, dataset_facts(job))
    for rule in rules:
        log.info("Recipe %s: %s.", job.recipe, rule)
    return adapted


def dataset_facts(job: Job) -> DatasetFacts:
    """Measure what recipes depend on.

    Raises:
        CatalogError: the catalog is missing or has mistakes.
        UsageError: this machine does not have the device.
    """
    catalog = read_catalog(job.catalog_path)
    split = job.curation.split
    if split.by == "column" and split.column in catalog and not split.test_values:
        catalog = catalog[catalog[split.column] == "train"]
    share = 1.0 if split.by == "column" else 1 - split.val - split.test
    counts = catalog["scientificName"].value_counts()
    return DatasetFacts(
        images_per_taxon=round(float(counts.median()) * share, 1) if len(counts) else 0.0,
        leaves_per_image=median_leaves(image_paths(catalog, job.catalog_path)),
        gpu=choose_device(job.training.device).type != "cpu",
        shorter_side=common_side(catalog),
    )


def common_side(catalog: "pd.DataFrame") -> int:
    """Return the shorter side, in pixels, that nine of ten images of a catalog do not exceed; 0 if none is known."""
    sides = catalog[["width", "height"]].min(axis=1, skipna=False).dropna()
    return round(float(np.quantile(sides, 0.9))) if len(sides) else 0


def median_leaves(paths: Sequence[Path]) -> float:
    """Return the median number of leaves found on a sample of the images; 0 if none can be read."""
    from leafid.sheets import CropKind, downscale, find_crops, find_plant

    # Evenly spaced: a catalog lists one taxon after the other.
    chosen = [
        paths[index] for index in np.unique(np.linspace(0, len(paths) - 1, min(SAMPLE_IMAGES, len(paths))).astype(int))
    ]
    counts = []
    with progress_bar("Counting leaves") as on_progress:
        for number, path in enumerate(chosen, 1):
            on_progress(number, len(chosen))
            try:
                pixels = np.asarray(open_image(path, needed_side=_SIDE).rgb, dtype=np.uint8)
            except ImageError:  # training reports it
                continue
            reduced = downscale(pixels, _SIDE)
            plant = find_plant(reduced, size=(pixels.shape[1], pixels.shape[0]))
            plans = find_crops(reduced, plant, leaves=8, tiles=0, whole_plant=False)
            counts.append(sum(plan.kind is CropKind.LEAF for plan in plans))
    return float(np.median(counts)) if counts else 0.0
