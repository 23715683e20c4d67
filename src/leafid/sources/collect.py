"""From the sources of a job to the catalog: every image is opened once, hashed and measured, or becomes a failure."""

import csv
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.catalog import COLUMNS, FAILURE_COLUMNS, relative_to_catalog, write_catalog
from leafid.errors import ImageError, SourceError
from leafid.files import sha256_of, written_atomically
from leafid.images import open_image
from leafid.jobs import FolderSource, Job, Source, TableSource
from leafid.progress import OnProgress
from leafid.sources.folder import find_in_folder
from leafid.sources.found import Failure, Found, FoundImage, SourceReason
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


def collect(job: Job, *, on_progress: OnProgress | None = None) -> Collected:
    """Write the catalog of a job, and ``failures.csv`` beside it.

    Every image file is opened and decoded. ``image_id`` is the first 16 digits of the SHA-256 of its bytes; the same
    bytes met again get ``-2``, ``-3``, ... behind it.

    Raises:
        SourceError: a source is missing or lacks columns, or no source gives a single readable image.
    """
    found = [find(source) for source in job.sources]
    images = [image for one in found for image in one.images]
    failures = [failure for one in found for failure in one.failures]
    rows: list[dict[str, object]] = []
    seen: Counter[str] = Counter()
    for image, measured in zip(images, _measured(images, on_progress), strict=True):
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
    return Collected(
        rows=len(rows),
        failures=len(failures),
        by_taxon=dict(sorted(Counter(str(row["scientificName"]) for row in rows).items())),
        by_reason=dict(Counter(str(failure.reason) for failure in failures).most_common()),
        catalog_path=job.catalog_path,
        failures_path=failures_path,
        notes=tuple(note for one in found for note in one.notes),
    )


def find(source: Source) -> Found:
    """Find the images of one source, without opening them."""
    if isinstance(source, FolderSource):
        return find_in_folder(source)
    if isinstance(source, TableSource):
        return find_in_table(source)
    raise SourceError(f"sources: kind {source.kind!r} cannot be collected yet.")


def write_failures(failures: Sequence[Failure], path: Path) -> None:
    """Write ``failures.csv``, with its header even when there are none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_atomically(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as opened:
        writer = csv.writer(opened, lineterminator="\n")
        writer.writerow(FAILURE_COLUMNS)
        writer.writerows((one.path, one.source, str(one.reason), one.detail) for one in failures)


@dataclass(frozen=True)
class _Measured:
    sha256: str
    width: int
    height: int


def _measured(images: Sequence[FoundImage], on_progress: OnProgress | None) -> Iterable[_Measured | Failure]:
    """Decode in threads: Pillow's decoders and hashing leave the interpreter free meanwhile."""
    workers = min(8, os.cpu_count() or 1)
    with ThreadPoolExecutor(workers) as pool:
        for done, one in enumerate(pool.map(_measure, images), start=1):
            if on_progress:
                on_progress(done, len(images))
            yield one


def _measure(image: FoundImage) -> _Measured | Failure:
    try:
        opened = open_image(image.file, needed_side=CHECKED_SIDE)
    except ImageError as error:
        return Failure(str(image.file), image.source, error.reason, error.detail)
    sha256 = sha256_of(image.file)
    stated = image.values.get("sha256", sha256)
    if stated.lower() != sha256:
        detail = f"its SHA-256 begins with {sha256[:16]}, the source says {stated[:16]}"
        return Failure(str(image.file), image.source, SourceReason.CHANGED, detail)
    return _Measured(sha256, opened.width, opened.height)


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
