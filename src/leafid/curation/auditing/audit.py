"""The whole audit of a job: counts from the catalog, one look at the images, the shortcut table, and the page."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leafid.catalog import image_paths, read_catalog
from leafid.curation.auditing.counts import failures_of, pairs_of, taxa_of
from leafid.curation.auditing.figures import Audit, NearDuplicatePair
from leafid.curation.auditing.page import Contact, write_page
from leafid.curation.auditing.pictures import Pictured, picture
from leafid.curation.auditing.regions import PlantMask
from leafid.curation.auditing.shortcut_table import about_shortcuts, shortcut_table
from leafid.curation.curate import curate
from leafid.errors import ImageError
from leafid.files import write_text
from leafid.jobs import Job
from leafid.progress import OnProgress

if TYPE_CHECKING:
    import pandas as pd

LOOKED_AT = 1500
"""Images on which shortcuts are measured, at most; as many of each taxon as there are."""
SHOWN_PER_TAXON = 8
SHOWN = 600
"""Images on contact sheets, at most."""
SHOWN_PAIRS = 30


@dataclass(frozen=True)
class AuditFiles:
    """An audit and where it was written."""

    audit: Audit
    html_path: Path
    json_path: Path


def audit(job: Job, *, plant_mask: PlantMask | None = None, on_progress: OnProgress | None = None) -> AuditFiles:
    """Audit a job's catalog and write ``audit/audit.html`` and ``audit/audit.json`` beside it.

    Args:
        job: the job; its catalog must have been collected.
        plant_mask: finds the plant in an RGB image (H, W, 3), uint8, as a mask (H, W); without one, only the border and
            the mean colour are tested as shortcuts.
        on_progress: told of the images looked at.

    Raises:
        CatalogError: there is no catalog, or it has mistakes.
        SplitError: the job splits by a column or values that the catalog lacks.
    """
    catalog = read_catalog(job.catalog_path)
    curated = curate(catalog, job)
    pairs = pairs_of(catalog, curated, job.catalog_path)
    looked = _drawn(curated.split, LOOKED_AT, len(curated.split), job.seed)
    shown = _drawn(curated.split, SHOWN, SHOWN_PER_TAXON, job.seed)
    paired = [path for pair in pairs[:SHOWN_PAIRS] for path in pair.paths]
    pictures, unread = _pictures(
        job, looked=set(looked["path"]), shown={*shown["path"], *paired}, plant_mask=plant_mask, on_progress=on_progress
    )
    vectors = {path: one.seen for path, one in pictures.items() if one.seen is not None}
    rows = looked[looked["path"].isin(vectors)].reset_index(drop=True)
    shortcuts, notes = shortcut_table(rows, [vectors[path] for path in rows["path"]], job)
    if plant_mask is None:
        notes = [*notes, "Background and label region were not tested: no plant mask was given."]
    result = Audit(
        job=job.name,
        images=len(catalog),
        gatherings=int(curated.split["gathering_id"].nunique()),
        taxa=taxa_of(catalog, curated),
        left_out=dict(Counter(map(str, curated.left_out["reason"])).most_common()),
        failures=failures_of(job.catalog_path),
        conflicts=len(curated.conflicts),
        near_duplicates=pairs,
        shortcuts=tuple(shortcuts),
        notes=tuple(notes),
        warnings=(*curated.warnings, *_about_pairs(pairs), *about_shortcuts(shortcuts)),
        unread=unread,
    )
    folder = job.catalog_path.with_name("audit")
    files = AuditFiles(result, folder / "audit.html", folder / "audit.json")
    write_text(files.json_path, result.model_dump_json(indent=2) + "\n")
    write_page(files.html_path, result, list(_contacts(catalog, shown)), pictures, SHOWN_PAIRS, curated.conflicts)
    return files


def _pictures(
    job: Job, *, looked: set[str], shown: set[str], plant_mask: PlantMask | None, on_progress: OnProgress | None
) -> tuple[dict[str, Pictured], dict[str, str]]:
    """Open each image once, for the shortcut table, for the page, or for both; by path."""
    import pandas as pd

    paths = sorted(looked | shown)
    files = image_paths(pd.DataFrame({"path": paths}), job.catalog_path)

    def one(place: int) -> Pictured | ImageError:
        path = paths[place]
        try:
            return picture(files[place], seen=path in looked, shown=path in shown, plant_mask=plant_mask)
        except ImageError as error:
            return error

    pictures: dict[str, Pictured] = {}
    unread: dict[str, str] = {}
    with ThreadPoolExecutor() as pool:
        for done, (path, answer) in enumerate(zip(paths, pool.map(one, range(len(paths))), strict=True), start=1):
            if isinstance(answer, ImageError):
                unread[path] = str(answer)
            else:
                pictures[path] = answer
            if on_progress:
                on_progress(done, len(paths))
    return pictures, unread


def _drawn(split: "pd.DataFrame", images: int, of_each: int, seed: int) -> "pd.DataFrame":
    """Draw up to ``images`` rows and ``of_each`` taxon, evenly over the taxa and over the gatherings of each."""
    generator = np.random.default_rng(seed)
    order = split.iloc[generator.permutation(len(split))]
    turn = order.groupby(["scientificName", "gathering_id"]).cumcount()
    order = order.iloc[np.argsort(turn.to_numpy(), kind="stable")]
    place = order.groupby("scientificName").cumcount()
    order = order.iloc[np.argsort(place.to_numpy(), kind="stable")]
    return order[place.loc[order.index] < of_each].head(images).sort_index()


def _about_pairs(pairs: Sequence[NearDuplicatePair]) -> Iterator[str]:
    crossing = sum(None not in pair.splits and pair.splits[0] != pair.splits[1] for pair in pairs)
    if crossing:
        yield f"{crossing} pairs of near-duplicates lie in different splits"


def _contacts(catalog: "pd.DataFrame", shown: "pd.DataFrame") -> Iterator[Contact]:
    details = catalog.set_index("path")[["institutionCode", "catalogNumber", "license"]]
    for row in shown.sort_values(["scientificName", "gathering_id"]).itertuples(index=False):
        found = details.loc[[row.path]].iloc[0].dropna()
        yield Contact(str(row.scientificName), str(row.path), str(row.split), " · ".join(map(str, found)))
