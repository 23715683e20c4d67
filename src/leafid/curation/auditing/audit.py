"""Audit a job: count the catalog, inspect each image once, test for shortcuts, and write the page."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leafid.catalog import image_paths, read_catalog
from leafid.curation.auditing.audit_result import Audit, NearDuplicatePair
from leafid.curation.auditing.counts import failure_counts, near_duplicate_pairs, taxon_counts
from leafid.curation.auditing.image_inspection import InspectedImage, inspect_image
from leafid.curation.auditing.page import ContactImage, write_page
from leafid.curation.auditing.region_features import PlantMask
from leafid.curation.auditing.shortcut_table import shortcut_table, shortcut_warnings
from leafid.curation.curate import curate
from leafid.destinations import Destination, check_destinations, contains_only
from leafid.errors import ImageError
from leafid.files import write_text
from leafid.jobs import Job
from leafid.progress import OnProgress
from leafid.statements import TrainedOn

if TYPE_CHECKING:
    import pandas as pd

MAX_TESTED_IMAGES = 1500
"""Largest number of images that are tested for shortcuts, spread evenly over the taxa."""
MAX_SHOWN_PER_TAXON = 8
MAX_SHOWN_IMAGES = 600
"""Largest number of images on contact sheets."""
MAX_SHOWN_PAIRS = 30


@dataclass(frozen=True)
class AuditFiles:
    """An audit and the files it was written to."""

    audit: Audit
    html_path: Path
    json_path: Path


def audit(job: Job, *, plant_mask: PlantMask | None = None, on_progress: OnProgress | None = None) -> AuditFiles:
    """Audit a job's catalog and write ``audit/audit.html`` and ``audit/audit.json`` beside it.

    Args:
        job: the job; its catalog must have been collected.
        plant_mask: returns the mask (H, W) of the plant in an RGB image (H, W, 3), uint8. Without one, only the border,
            the mean colour and the whole image are tested as shortcuts.
        on_progress: called with the number of images inspected.

    Raises:
        CatalogError: there is no catalog, or it has mistakes.
        SplitError: the job splits by a column or values that the catalog lacks.
    """
    folder = job.catalog_path.with_name("audit")
    destination = Destination("output.data", folder, contains_only(r"audit\.(html|json)"), "folder")
    check_destinations([destination], existing="replace")
    catalog = read_catalog(job.catalog_path)
    curated = curate(catalog, job)
    pairs = near_duplicate_pairs(catalog, curated, job.catalog_path)
    tested = _sample(curated.split, MAX_TESTED_IMAGES, len(curated.split), job.seed)
    shown = _sample(curated.split, MAX_SHOWN_IMAGES, MAX_SHOWN_PER_TAXON, job.seed)
    paired = [path for pair in pairs[:MAX_SHOWN_PAIRS] for path in pair.paths]
    inspected, unreadable = _inspect_images(
        job, tested=set(tested["path"]), shown={*shown["path"], *paired}, plant_mask=plant_mask, on_progress=on_progress
    )
    features = {path: one.features for path, one in inspected.items() if one.features is not None}
    rows = tested[tested["path"].isin(features)].reset_index(drop=True)
    shortcuts, notes = shortcut_table(rows, [features[path] for path in rows["path"]], job)
    if plant_mask is None:
        notes = [*notes, "Background and label region were not tested, since no plant mask was given."]
    result = Audit(
        job=job.name,
        images=len(catalog),
        gatherings=int(curated.split["gathering_id"].nunique()),
        taxa=taxon_counts(catalog, curated),
        left_out=dict(Counter(map(str, curated.left_out["reason"])).most_common()),
        failures=failure_counts(job.catalog_path),
        conflicts=len(curated.conflicts),
        near_duplicates=pairs,
        shortcuts=tuple(shortcuts),
        notes=tuple(notes),
        warnings=(*curated.warnings, *_pair_warnings(pairs), *shortcut_warnings(shortcuts)),
        unread=unreadable,
        limits=TrainedOn.of_images(curated.split).caution,
    )
    files = AuditFiles(result, folder / "audit.html", folder / "audit.json")
    write_text(files.json_path, result.model_dump_json(indent=2) + "\n")
    write_page(
        files.html_path, result, list(_contact_images(catalog, shown)), inspected, MAX_SHOWN_PAIRS, curated.conflicts
    )
    return files


def _inspect_images(
    job: Job, *, tested: set[str], shown: set[str], plant_mask: PlantMask | None, on_progress: OnProgress | None
) -> tuple[dict[str, InspectedImage], dict[str, str]]:
    """Open each image once for the shortcut table, the page or both; return the inspected and the unreadable ones."""
    import pandas as pd

    paths = sorted(tested | shown)
    files = image_paths(pd.DataFrame({"path": paths}), job.catalog_path)

    def inspect(index: int) -> InspectedImage | ImageError:
        path = paths[index]
        try:
            return inspect_image(
                files[index], with_features=path in tested, with_thumbnail=path in shown, plant_mask=plant_mask
            )
        except ImageError as error:
            return error

    inspected: dict[str, InspectedImage] = {}
    unreadable: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        for done, (path, result) in enumerate(zip(paths, pool.map(inspect, range(len(paths))), strict=True), start=1):
            if isinstance(result, ImageError):
                unreadable[path] = str(result)
            else:
                inspected[path] = result
            if on_progress:
                on_progress(done, len(paths))
    return inspected, unreadable


def _sample(split: "pd.DataFrame", images: int, per_taxon: int, seed: int) -> "pd.DataFrame":
    """Draw up to ``images`` rows and ``per_taxon`` of a taxon, evenly over the taxa and over the gatherings of each."""
    generator = np.random.default_rng(seed)
    order = split.iloc[generator.permutation(len(split))]
    rank_in_gathering = order.groupby(["scientificName", "gathering_id"]).cumcount()
    order = order.iloc[np.argsort(rank_in_gathering.to_numpy(), kind="stable")]
    rank_in_taxon = order.groupby("scientificName").cumcount()
    order = order.iloc[np.argsort(rank_in_taxon.to_numpy(), kind="stable")]
    return order[rank_in_taxon.loc[order.index] < per_taxon].head(images).sort_index()


def _pair_warnings(pairs: Sequence[NearDuplicatePair]) -> Iterator[str]:
    crossing = sum(None not in pair.splits and pair.splits[0] != pair.splits[1] for pair in pairs)
    if crossing:
        yield f"{crossing} pairs of near-duplicates are in different splits"


def _contact_images(catalog: "pd.DataFrame", shown: "pd.DataFrame") -> Iterator[ContactImage]:
    details = catalog.set_index("path")[["institutionCode", "catalogNumber", "license"]]
    for row in shown.sort_values(["scientificName", "gathering_id"]).itertuples(index=False):
        known = details.loc[[row.path]].iloc[0].dropna()
        yield ContactImage(str(row.scientificName), str(row.path), str(row.split), " · ".join(map(str, known)))
