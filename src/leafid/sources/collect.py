"""From the sources of a job to the catalog: every image is opened once, hashed and measured, or becomes a failure."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.catalog import COLUMNS, FAILURE_COLUMNS, relative_to_catalog, write_catalog
from leafid.cores import usable_cores
from leafid.errors import ImageError, SourceError
from leafid.files import sha256_of, written_atomically
from leafid.images import open_image
from leafid.jobs import FolderSource, Job, TableSource
from leafid.progress import OnProgress
from leafid.sources.attribution import write_attribution
from leafid.sources.folder import find_in_folder
from leafid.sources.found import Failure, Found, FoundImage, Measured, SourceReason
from leafid.sources.public import Bar, find_public, no_bar, public_sources
from leafid.sources.table import find_in_table

if TYPE_CHECKING:
    import pandas as pd

CHECKED_SIDE = 64
"""Shorter side, in pixels, at which files are decoded to see if they are whole; all bytes are read all the same."""


@dataclass(frozen=True)
class Collected:
    """What ``collect`` wrote: number of images and failures, images of each name, files, and sentences for the user."""

    rows: int
    failures: int
    by_taxon: Mapping[str, int]
    by_reason: Mapping[str, int]
    catalog_path: Path
    failures_path: Path
    notes: tuple[str, ...]


def collect(job: Job, *, bar: Bar = no_bar) -> Collected:
    """Write the catalog of a job, ``failures.csv`` beside it, and for public images whom to thank and how to cite.

    Every image file is opened and decoded once. ``image_id`` is the first 16 digits of the SHA-256 of its bytes; the
    same bytes met again get ``-2``, ``-3``, ... behind it.

    Raises:
        SourceError: a source is missing or lacks columns, or no source gives a single readable image.
    """
    found = [find(source) for source in job.sources if isinstance(source, FolderSource | TableSource)]
    web = public_sources(job)
    if web:
        found.append(find_public(job, web, bar))
    images = [image for one in found for image in one.images]
    failures = [failure for one in found for failure in one.failures]
    rows: list[dict[str, object]] = []
    seen: Counter[str] = Counter()
    with bar("Reading images", "images") as on_progress:
        measurements = list(_measured(images, on_progress))
    for image, measured in zip(images, measurements, strict=True):
        if isinstance(measured, Failure):
            failures.append(measured)
            continue
        identifier = measured.sha256[:16]
        seen[identifier] += 1
        if seen[identifier] > 1:
            identifier += f"-{seen[identifier]}"
        path = relative_to_catalog(image.file, job.catalog_path)
        rows.append({**image.values, "image_id": identifier, "path": path, **vars(measured)})
    failures_path = job.catalog_path.with_name("failures.csv")
    write_failures(failures, failures_path)
    if not rows:
        raise SourceError(_no_images(job, failures, failures_path))
    catalog = _frame(rows)
    write_catalog(catalog, job.catalog_path)
    if web:
        write_attribution(catalog, job)
    return Collected(
        rows=len(rows),
        failures=len(failures),
        by_taxon=dict(sorted(Counter(str(row["scientificName"]) for row in rows).items())),
        by_reason=dict(Counter(str(failure.reason) for failure in failures).most_common()),
        catalog_path=job.catalog_path,
        failures_path=failures_path,
        notes=tuple(note for one in found for note in one.notes),
    )


def find(source: FolderSource | TableSource) -> Found:
    """Find the images of a source on this machine, without opening them."""
    return find_in_folder(source) if isinstance(source, FolderSource) else find_in_table(source)


def write_failures(failures: Sequence[Failure], path: Path) -> None:
    """Write ``failures.csv``, with its header even when there are none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(FAILURE_COLUMNS)
        writer.writerows((one.path, one.source, str(one.reason), one.detail) for one in failures)


def _measured(images: Sequence[FoundImage], on_progress: OnProgress) -> Iterable[Measured | Failure]:
    """Decode in threads: Pillow's decoders and hashing leave the interpreter free meanwhile."""
    workers = min(8, usable_cores())
    with ThreadPoolExecutor(workers) as pool:
        for done, one in enumerate(pool.map(_measure, images), start=1):
            on_progress(done, len(images))
            yield one


def _measure(image: FoundImage) -> Measured | Failure:
    if image.measured is not None:
        return image.measured
    try:
        opened = open_image(image.file, needed_side=CHECKED_SIDE)
    except ImageError as error:
        return Failure(str(image.file), image.source, error.reason, error.detail)
    sha256 = sha256_of(image.file)
    stated = image.values.get("sha256", sha256)
    if stated.lower() != sha256:
        detail = f"its SHA-256 begins with {sha256[:16]}, the source says {stated[:16]}"
        return Failure(str(image.file), image.source, SourceReason.CHANGED, detail)
    return Measured(sha256, opened.width, opened.height)


def _frame(rows: Sequence[dict[str, object]]) -> "pd.DataFrame":
    import pandas as pd

    declared = [column.name for column in COLUMNS]
    others = dict.fromkeys(name for row in rows for name in row if name not in declared)
    return pd.DataFrame(rows, columns=[*declared, *others])


def _no_images(job: Job, failures: Sequence[Failure], failures_path: Path) -> str:
    sources = ", ".join(str(getattr(source, "path", source.kind)) for source in job.sources)
    if not failures:
        return f"There is no image in {sources}."
    shown = [f"  {one.path or one.source}: {one.detail}" for one in failures[:5]]
    more = [f"  ... all {len(failures)} in {failures_path}"] if len(failures) > 5 else []
    return "\n".join([f"No image of {sources} can be read:", *shown, *more])
