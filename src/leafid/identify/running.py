"""Whole runs: many images into a file that can be resumed, or a few into memory."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Unpack

from leafid.errors import OutputError
from leafid.files import Existing
from leafid.identify.identifier import Identifier, IdentifyOptions
from leafid.identify.parquet_results import ROWS_PER_FILE
from leafid.identify.ray_cluster import ClusterIdentifier
from leafid.identify.records import Record, Status
from leafid.identify.summary import Summary, Tally
from leafid.identify.writers import open_output, path_in_output
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
        OutputError: the output exists, cannot be written, or cannot be resumed: it holds records of another bundle
            or of images that are not among ``paths``.
    """
    resumed = _Resumed(identifier, paths, output, options.get("characters", False), options.get("keep_location", False))
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


class _Resumed:
    """What an interrupted run has left: which paths are done, and the count of their records."""

    def __init__(
        self,
        identifier: Identifier | ClusterIdentifier,
        paths: Sequence[Path | str],
        output: Path,
        characters: bool,
        keep_location: bool,
    ) -> None:
        self.tally = Tally()
        self._bundle = identifier.info.identifier
        self._paths = paths
        self._output = output
        self._characters = characters
        self._keep_location = keep_location
        self._open = Counter(self._form(path) for path in paths)

    def add(self, record: Record) -> None:
        """Take a record that is there already.

        Raises:
            OutputError: it is of another bundle, of an image that is not among the paths, has leaf characters
                where now none are asked for, or the reverse, or a position that is not to be kept.
        """
        number = self.tally.images + 1
        if record.bundle != self._bundle:
            raise OutputError(
                f"{self._output}, record {number}: answered by the bundle {record.bundle}, not by {self._bundle}. "
                "Resume with that bundle, or name another output."
            )
        if record.status is not Status.FAILED and (record.flora_sentence is not None) != self._characters:
            raise OutputError(
                f"{self._output}, record {number}: was written {'without' if self._characters else 'with'} leaf "
                f"characters. {'Leave out' if self._characters else 'Add'} --characters, or name another output."
            )
        if record.latitude is not None and not self._keep_location:
            raise OutputError(
                f"{self._output}, record {number}: holds the position of its photo. "
                "Add --keep-location, or name another output."
            )
        form = self._form(record.path)
        if not self._open[form]:
            raise OutputError(
                f"{self._output}, record {number}: {form} is not, or not so often, among the images named now. "
                "Resume with the images that the run was begun with, or name another output."
            )
        self._open[form] -= 1
        self.tally.add([record])

    def still_to_do(self) -> list[Path | str]:
        """Return the paths without a record, in order."""
        last_first = []
        for path in reversed(self._paths):
            form = self._form(path)
            if self._open[form]:
                self._open[form] -= 1
                last_first.append(path)
        return last_first[::-1]

    def _form(self, path: Path | str) -> str:
        return path_in_output(str(path), self._output)


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
