"""Identification of many images into a file that can be resumed, or of a few into memory."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Unpack

from leafid.files import Existing
from leafid.identify.identifier import Identifier
from leafid.identify.outputs.failed_records import remove_failed_records
from leafid.identify.outputs.parquet_files import ROWS_PER_FILE
from leafid.identify.outputs.writers import open_output
from leafid.identify.plants.grouping import Plant
from leafid.identify.plants.resume import PlantResumeState, number_of_records
from leafid.identify.question import IdentifyOptions
from leafid.identify.ray_cluster import ClusterIdentifier
from leafid.identify.records import Record
from leafid.identify.resume import ResumeState
from leafid.identify.summary import Summary, Tally
from leafid.progress import OnProgress


def identify_to_file(
    identifier: Identifier | ClusterIdentifier,
    paths: Sequence[Path | str],
    output: Path,
    *,
    existing: Existing = "refuse",
    retry_failed: bool = False,
    rows_per_file: int = ROWS_PER_FILE,
    on_progress: OnProgress | None = None,
    **options: Unpack[IdentifyOptions],
) -> Summary:
    """Write one record for each path to a ``.csv``, ``.jsonl`` or ``.parquet`` file, in order, as they come.

    Args:
        identifier: the loaded bundle.
        paths: image files and web addresses, see ``find_inputs``.
        output: the result file; missing parent folders are created.
        existing: what to do with an existing output: ``refuse``; ``resume``, which keeps its records and adds the
            missing ones in order; or ``replace``. To resume without an output is to start.
        retry_failed: on resume, identify the images of failed records again; their new records come last.
        rows_per_file: number of records from which a ``.parquet`` output is a folder of part files.
        on_progress: called with the number of paths done so far.
        options: see ``Identifier.identify``. Records are written in batches of a forward pass.

    Raises:
        OutputError: the output exists, cannot be written, or cannot be resumed because it contains incompatible
            records (see ``check_resumable``) or records of images that are not among ``paths``.
    """
    if retry_failed and existing == "resume" and output.exists():
        remove_failed_records(output, ResumeState(identifier, paths, output, options).add)
    resumed = ResumeState(identifier, paths, output, options)
    with open_output(output, existing=existing, on_existing=resumed.add, rows_per_file=rows_per_file) as writer:
        remaining = resumed.remaining_paths()
        tally = resumed.tally
        already_done = tally.images
        started = time.perf_counter()
        for batch in _identify_batches(identifier, remaining, tally, len(paths), on_progress, options):
            writer.write(batch)
        seconds = time.perf_counter() - started
    return tally.summary(resumed=already_done, seconds=seconds)


def identify_plants_to_file(
    identifier: Identifier,
    plants: Sequence[Plant],
    output: Path,
    *,
    photos_too: bool = False,
    existing: Existing = "refuse",
    rows_per_file: int = ROWS_PER_FILE,
    on_progress: OnProgress | None = None,
    **options: Unpack[IdentifyOptions],
) -> Summary:
    """Write one record for each plant, in order, as they come; other arguments as in ``identify_to_file``.

    Args:
        identifier: the loaded bundle.
        plants: see ``group_photos``.
        output: the result file.
        photos_too: after the record of a plant, also write one for each of its photos.
        existing: what to do with an existing output. To resume, plants whose records are all there are done; of the
            others, the missing records are added.
        rows_per_file: number of records from which a ``.parquet`` output is a folder of part files.
        on_progress: called with the number of records so far.
        options: see ``Identifier.identify``.

    Raises:
        OutputError: as ``identify_to_file``; or the existing records are of photos, or of other plants.
    """
    resumed = PlantResumeState(identifier, plants, output, options, photos_too=photos_too)
    with open_output(output, existing=existing, on_existing=resumed.add, rows_per_file=rows_per_file) as writer:
        tally = resumed.tally
        already_done, started = tally.images, time.perf_counter()
        records = identifier.identify_plants(resumed.remaining_plants(), photos_too=photos_too, **options)
        for record in resumed.missing(records):
            writer.write([record])
            tally.add([record])
            if on_progress:
                on_progress(tally.images, resumed.records)
        seconds = time.perf_counter() - started
    return tally.summary(resumed=already_done, seconds=seconds)


def identify_plants_to_list(
    identifier: Identifier,
    plants: Sequence[Plant],
    *,
    photos_too: bool = False,
    on_progress: OnProgress | None = None,
    **options: Unpack[IdentifyOptions],
) -> tuple[tuple[Record, ...], Summary]:
    """Return one record for each plant, and their summary; arguments as in ``identify_plants_to_file``."""
    tally = Tally()
    collected: list[Record] = []
    started = time.perf_counter()
    expected = number_of_records(plants, photos_too=photos_too)
    for record in identifier.identify_plants(plants, photos_too=photos_too, **options):
        collected.append(record)
        tally.add([record])
        if on_progress:
            on_progress(tally.images, expected)
    return tuple(collected), tally.summary(resumed=0, seconds=time.perf_counter() - started)


def identify_to_list(
    identifier: Identifier | ClusterIdentifier,
    paths: Sequence[Path | str],
    *,
    on_progress: OnProgress | None = None,
    **options: Unpack[IdentifyOptions],
) -> tuple[tuple[Record, ...], Summary]:
    """Return one record for each path, and their summary; arguments as in ``identify_to_file``."""
    tally = Tally()
    collected: list[Record] = []
    started = time.perf_counter()
    for batch in _identify_batches(identifier, paths, tally, len(paths), on_progress, options):
        collected += batch
    return tuple(collected), tally.summary(resumed=0, seconds=time.perf_counter() - started)


def _identify_batches(
    identifier: Identifier | ClusterIdentifier,
    paths: Iterable[Path | str],
    tally: Tally,
    total: int,
    on_progress: OnProgress | None,
    options: IdentifyOptions,
) -> Iterator[tuple[Record, ...]]:
    """Yield records in batches; a batch is counted and reported once the caller has processed it."""
    records = identifier.identify(paths, **options)
    for batch in _batches(records, identifier.batch_size(options.get("batch_size", "auto"))):
        yield batch
        tally.add(batch)
        if on_progress:
            on_progress(tally.images, total)


def _batches(records: Iterable[Record], size: int) -> Iterator[tuple[Record, ...]]:
    records = iter(records)
    while batch := tuple(islice(records, size)):
        yield batch
