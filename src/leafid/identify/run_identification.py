"""Identification of many images into a file that can be resumed, or of a few into memory."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Unpack

from leafid.files import Existing
from leafid.identify.cluster.ray_cluster import ClusterIdentifier
from leafid.identify.identifier import Identifier
from leafid.identify.inputs.given_columns import GivenByPath, GivenColumns
from leafid.identify.outputs.failed_records import remove_failed_records
from leafid.identify.outputs.parquet_files import ROWS_PER_FILE
from leafid.identify.outputs.writers import open_output
from leafid.identify.plants.grouping import Plant
from leafid.identify.plants.resume import PlantResumeState, number_of_records
from leafid.identify.question import IdentifyOptions
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
    given: GivenColumns | None = None,
    byte_order_mark: bool = False,
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
        given: the given columns of each path, which records carry; see ``Inputs.given``.
        byte_order_mark: whether a new CSV output begins with one, by which Excel recognises UTF-8.
        on_progress: called with the number of paths done so far.
        options: see ``Identifier.identify``. Records are written in batches of a forward pass.

    Raises:
        OutputError: the output exists, cannot be written, or cannot be resumed because it contains incompatible
            records (see ``check_resumable``) or records of images that are not among ``paths``.
    """
    names = given.names if given else ()
    if retry_failed and existing == "resume" and output.exists():
        remove_failed_records(output, ResumeState(identifier, paths, output, options, names).add)
    resumed = ResumeState(identifier, paths, output, options, names)
    with open_output(
        output,
        existing=existing,
        on_existing=resumed.add,
        rows_per_file=rows_per_file,
        given=names,
        byte_order_mark=byte_order_mark,
    ) as writer:
        remaining = resumed.remaining()
        tally = resumed.tally
        already_done = tally.images
        started = time.perf_counter()
        for batch in _identify_batches(identifier, paths, remaining, given, tally, on_progress, options):
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
    given: GivenByPath | None = None,
    byte_order_mark: bool = False,
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
        given: the given columns of each photo; the record of a plant carries those of all its photos.
        byte_order_mark: see ``identify_to_file``.
        on_progress: called with the number of records so far.
        options: see ``Identifier.identify``.

    Raises:
        OutputError: as ``identify_to_file``; or the existing records are of photos, or of other plants.
    """
    names = given.names if given else ()
    resumed = PlantResumeState(identifier, plants, output, options, photos_too=photos_too, given=names)
    with open_output(
        output,
        existing=existing,
        on_existing=resumed.add,
        rows_per_file=rows_per_file,
        given=names,
        byte_order_mark=byte_order_mark,
    ) as writer:
        tally = resumed.tally
        already_done, started = tally.images, time.perf_counter()
        records = identifier.identify_plants(resumed.remaining_plants(), photos_too=photos_too, **options)
        for record in resumed.missing(_with_given(records, given)):
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
    given: GivenByPath | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[IdentifyOptions],
) -> tuple[tuple[Record, ...], Summary]:
    """Return one record for each plant, and their summary; arguments as in ``identify_plants_to_file``."""
    tally = Tally()
    collected: list[Record] = []
    started = time.perf_counter()
    expected = number_of_records(plants, photos_too=photos_too)
    for record in _with_given(identifier.identify_plants(plants, photos_too=photos_too, **options), given):
        collected.append(record)
        tally.add([record])
        if on_progress:
            on_progress(tally.images, expected)
    return tuple(collected), tally.summary(resumed=0, seconds=time.perf_counter() - started)


def identify_to_list(
    identifier: Identifier | ClusterIdentifier,
    paths: Sequence[Path | str],
    *,
    given: GivenColumns | None = None,
    on_progress: OnProgress | None = None,
    **options: Unpack[IdentifyOptions],
) -> tuple[tuple[Record, ...], Summary]:
    """Return one record for each path, and their summary; arguments as in ``identify_to_file``."""
    tally = Tally()
    collected: list[Record] = []
    started = time.perf_counter()
    for batch in _identify_batches(identifier, paths, range(len(paths)), given, tally, on_progress, options):
        collected += batch
    return tuple(collected), tally.summary(resumed=0, seconds=time.perf_counter() - started)


def _identify_batches(
    identifier: Identifier | ClusterIdentifier,
    paths: Sequence[Path | str],
    positions: Sequence[int],
    given: GivenColumns | None,
    tally: Tally,
    on_progress: OnProgress | None,
    options: IdentifyOptions,
) -> Iterator[tuple[Record, ...]]:
    """Yield records of the paths at ``positions`` in batches; a batch is counted once the caller has processed it."""
    records = identifier.identify((paths[position] for position in positions), **options)
    if given is not None and given.names:
        paired = zip(records, positions, strict=True)
        records = (replace(record, given=given.of(position)) for record, position in paired)
    for batch in _batches(records, identifier.batch_size(options.get("batch_size", "auto"))):
        yield batch
        tally.add(batch)
        if on_progress:
            on_progress(tally.images, len(paths))


def _with_given(records: Iterable[Record], given: GivenByPath | None) -> Iterator[Record]:
    """Yield the records of plants and of their photos with the given columns of these photos."""
    for record in records:
        photos = [photo.path for photo in record.photos] or [record.path]
        yield replace(record, given=given.of(photos)) if given and given.names else record


def _batches(records: Iterable[Record], size: int) -> Iterator[tuple[Record, ...]]:
    records = iter(records)
    while batch := tuple(islice(records, size)):
        yield batch
