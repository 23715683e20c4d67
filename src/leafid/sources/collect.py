"""Collect the images of a job's sources into its catalog. Each image is decoded once; unreadable ones are failures."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leafid.catalog import COLUMNS, FAILURE_COLUMNS, is_catalog, relative_to_catalog, write_catalog
from leafid.cores import usable_cores
from leafid.destinations import Destination, check_destinations, has_header
from leafid.errors import ImageError, SourceError
from leafid.files import sha256_of
from leafid.images import open_image
from leafid.jobs import FolderSource, Job, TableSource
from leafid.progress import OnProgress
from leafid.sources.attribution import ATTRIBUTION_COLUMNS, write_attribution
from leafid.sources.fetching.image_store import DECODED_SIDE
from leafid.sources.folder import find_in_folder
from leafid.sources.public_sources import MEDIA_COLUMNS, ProgressBar, fetch_public, no_progress_bar, web_sources
from leafid.sources.source_result import (
    Failure,
    ImageFileInfo,
    SourceFailureReason,
    SourceImage,
    SourceResult,
    file_key,
)
from leafid.sources.table import find_in_table
from leafid.tables import write_table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class CollectionSummary:
    """What ``collect`` wrote: counts of images (by name) and failures (by reason), files, and notes for the user."""

    rows: int
    failures: int
    by_taxon: Mapping[str, int]
    by_reason: Mapping[str, int]
    catalog_path: Path
    failures_path: Path
    notes: tuple[str, ...]


def collect(job: Job, *, progress_bar: ProgressBar = no_progress_bar) -> CollectionSummary:
    """Write the catalog of a job, ``failures.csv`` beside it, and attribution and citation files for public images.

    Each image file is decoded once. ``image_id`` is the first 16 hexadecimal digits of the SHA-256 of its bytes.
    Further files with the same bytes get the suffix ``-2``, ``-3``, ...

    Raises:
        SourceError: a source is missing or lacks columns, or no source contains a readable image.
        OutputError: see ``check_collection``; or the disk is full.
    """
    check_collection(job)
    results = find_all_local([source for source in job.sources if isinstance(source, FolderSource | TableSource)])
    web = web_sources(job)
    if web:
        results.append(fetch_public(job, web, progress_bar))
    images = [image for result in results for image in result.images]
    failures = [failure for result in results for failure in result.failures]
    rows: list[dict[str, object]] = []
    copies: Counter[str] = Counter()
    with progress_bar("Reading images", "images") as on_progress:
        infos = list(_decode_all(images, on_progress))
    for image, info in zip(images, infos, strict=True):
        if isinstance(info, Failure):
            failures.append(info)
            continue
        identifier = info.sha256[:16]
        copies[identifier] += 1
        if copies[identifier] > 1:
            identifier += f"-{copies[identifier]}"
        path = relative_to_catalog(image.file, job.catalog_path)
        rows.append({**image.values, "image_id": identifier, "path": path, **vars(info)})
    failures_path = job.catalog_path.with_name("failures.csv")
    write_failures(failures, failures_path)
    if not rows:
        notes = [note for result in results for note in result.notes]
        raise SourceError("\n".join([_no_images_message(job, failures, failures_path, bool(notes)), *notes]))
    catalog = _catalog_frame(rows)
    write_catalog(catalog, job.catalog_path)
    if web:
        write_attribution(catalog, job)
    return CollectionSummary(
        rows=len(rows),
        failures=len(failures),
        by_taxon=dict(sorted(Counter(str(row["scientificName"]) for row in rows).items())),
        by_reason=dict(Counter(str(failure.reason) for failure in failures).most_common()),
        catalog_path=job.catalog_path,
        failures_path=failures_path,
        notes=tuple(note for result in results for note in result.notes),
    )


def check_collection(job: Job) -> None:
    """Check early that the tables of a collection can be written; those of an earlier collection are replaced.

    Raises:
        OutputError: one cannot be written, is a source of the job, or is not from leafid.
    """
    folder = job.data_folder
    destinations = [
        Destination("output.data", job.catalog_path, is_catalog),
        Destination("output.data", folder / "failures.csv", has_header(FAILURE_COLUMNS)),
        Destination("output.data", folder / "media.csv", has_header(MEDIA_COLUMNS)),
        Destination("output.data", folder / "ATTRIBUTION.csv", has_header(ATTRIBUTION_COLUMNS)),
    ]
    sources = [path for source in job.sources if isinstance(path := getattr(source, "path", None), Path)]
    check_destinations(destinations, inputs=sources, existing="replace")


def find_local(source: FolderSource | TableSource) -> SourceResult:
    """Find the images of a folder or table on this machine, without opening them."""
    return find_in_folder(source) if isinstance(source, FolderSource) else find_in_table(source)


def find_all_local(sources: Sequence[FolderSource | TableSource]) -> list[SourceResult]:
    """Find the images of folders and tables, each file once.

    The row of a table completes the same file of a folder or of an earlier table: the values of the row take
    precedence, also its name, and it needs none. So a table can add catalogue numbers to a folder, or correct names.

    Raises:
        SourceError: see ``find_in_folder`` and ``find_in_table``.
    """
    results = [find_in_folder(source) for source in sources if isinstance(source, FolderSource)]
    for source in sources:
        if isinstance(source, TableSource):
            known = {file_key(image.file) for result in results for image in result.images}
            results.append(_complete(results, find_in_table(source, named=known), source.path))
    return results


def _complete(earlier: Sequence[SourceResult], result: SourceResult, table: Path) -> SourceResult:
    """Put the values of a table's rows into the same files of earlier sources; return what is left of the table.

    Only the first row of a file completes it. Further rows stay images of their own, so that two names of one file in
    one table are a conflict.
    """
    rows: dict[str, SourceImage] = {}
    others: list[SourceImage] = []
    known = {file_key(image.file) for one in earlier for image in one.images}
    for image in result.images:
        key = file_key(image.file)
        if key in known and key not in rows:
            rows[key] = image
        else:
            others.append(image)
    for one in earlier:
        for index, image in enumerate(one.images):
            row = rows.get(file_key(image.file))
            if row is not None:
                one.images[index] = replace(image, source=row.source, values={**image.values, **row.values})
    if rows:
        result.notes.append(f"{table}: {len(rows)} rows complete images of other sources; their values take precedence")
    result.images = others
    return result


def write_failures(failures: Sequence[Failure], path: Path) -> None:
    """Write ``failures.csv``. Without failures it contains the header alone."""
    rows = ((one.path, one.source, str(one.reason), one.detail) for one in failures)
    write_table(path, FAILURE_COLUMNS, rows)


def _decode_all(images: Sequence[SourceImage], on_progress: OnProgress) -> Iterable[ImageFileInfo | Failure]:
    """Decode in threads, because Pillow's decoders and hashlib release the interpreter lock."""
    workers = min(8, usable_cores())
    with ThreadPoolExecutor(workers) as pool:
        for done, info in enumerate(pool.map(_decode, images), start=1):
            on_progress(done, len(images))
            yield info


def _decode(image: SourceImage) -> ImageFileInfo | Failure:
    if image.file_info is not None:
        return image.file_info
    try:
        opened = open_image(image.file, needed_side=DECODED_SIDE)
    except ImageError as error:
        return Failure(str(image.file), image.source, error.reason, error.detail)
    sha256 = sha256_of(image.file)
    stated = image.values.get("sha256", sha256)
    if stated.lower() != sha256:
        detail = f"its SHA-256 begins with {sha256[:16]}, but the source states {stated[:16]}"
        return Failure(str(image.file), image.source, SourceFailureReason.CHANGED, detail)
    return ImageFileInfo(sha256, opened.width, opened.height)


def _catalog_frame(rows: Sequence[dict[str, object]]) -> "pd.DataFrame":
    import pandas as pd

    declared = [column.name for column in COLUMNS]
    further = dict.fromkeys(name for row in rows for name in row if name not in declared)
    return pd.DataFrame(rows, columns=[*declared, *further])


def _no_images_message(job: Job, failures: Sequence[Failure], failures_path: Path, has_notes: bool) -> str:
    sources = ", ".join(str(getattr(source, "path", source.kind)) for source in job.sources)
    if not failures:
        return f"There is no image in {sources}" + (" that may be used:" if has_notes else ".")
    shown = [f"  {one.path or one.source}: {one.detail}" for one in failures[:5]]
    more = [f"  ... all {len(failures)} in {failures_path}"] if len(failures) > 5 else []
    return "\n".join([f"No image of {sources} can be read:", *shown, *more])
