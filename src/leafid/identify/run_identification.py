"""Whole runs: many images into a file that can be resumed, or a few into memory."""

import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Unpack

from leafid.files import Existing
from leafid.identify.identifier import Identifier, IdentifyOptions
from leafid.identify.outputs.parquet_files import ROWS_PER_FILE
from leafid.identify.outputs.writers import open_output
from leafid.identify.ray_cluster import ClusterIdentifier
from leafid.identify.records import Record
from leafid.identify.resume import Resumed
from leafid.identify.summary import Summary, Tally
from leafid.progress import OnProgress


def identify_to_file(
    identifier: Identifier | ClusterIdentifier,
    paths: Sequence[Path | str],
    output: Path,
    *,
    existing: Existing = "refuse",
    rows_per_file: int = ROWS_PER_FILE,
    on_progress: OnProgress | None = None,
    **options: Unpack[IdentifyOptions],
) -> Summary:
    """Write one record for each path to a ``.csv``, ``.jsonl`` or ``.parquet`` file, as they come, in order.

    Args:
        identifier: names the photos.
        paths: image files and web addresses, see ``find_inputs``.
        output: the result file; folders above it are made.
        existing: when it is there, ``refuse``; ``resume``: keep its records and add those that are missing, in order;
            ``replace`` it. To resume when there is nothing yet is to begin.
        rows_per_file: records from which on a ``.parquet`` output is a folder of several files.
        on_progress: told how many of the paths are done.
        options: see ``Identifier.identify``; as many records as go through the network together are written together.

    Raises:
        OutputError: the output exists, cannot be written, or cannot be resumed: it holds records that
            were made otherwise (see ``check_alike``) or of images that are not among ``paths``.
    """
    resumed = Resumed(identifier, paths, output, options)
    with open_output(output, existing=existing, on_earlier=resumed.add, rows_per_file=rows_per_file) as writer:
        rest = resumed.still_to_do()
        tally = resumed.tally
        earlier = tally.images
        started = time.perf_counter()
        for batch in _told(identifier, rest, tally, len(paths), on_progress, options):
            writer.write(batch)
        seconds = time.perf_counter() - started
    return tally.summary(earlier=earlier, seconds=seconds)


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
    for batch in _told(identifier, paths, tally, len(paths), on_progress, options):
        collected += batch
    return tuple(collected), tally.summary(earlier=0, seconds=time.perf_counter() - started)


def _told(
    identifier: Identifier | ClusterIdentifier,
    paths: Iterable[Path | str],
    tally: Tally,
    total: int,
    on_progress: OnProgress | None,
    options: IdentifyOptions,
) -> Iterator[tuple[Record, ...]]:
    """Identify, and give the records batch by batch; a batch counts, and is told of, once it has been dealt with."""
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
