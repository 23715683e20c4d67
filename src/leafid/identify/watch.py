"""Watches a folder and identifies photos as they arrive, until Ctrl-C.

The folder is polled. File system notifications (inotify and others) do not report changes that another machine makes
on a network share, where imaging stations store photos, and they do not show whether a file is complete.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from leafid.destinations import check_destinations
from leafid.errors import OutputError, UsageError
from leafid.identify.identifier import Identifier
from leafid.identify.inputs.find_inputs import expand_pages, images_in_folder
from leafid.identify.outputs.writers import open_output, path_in_output, result_destinations
from leafid.identify.question import IdentifyOptions
from leafid.identify.records import Record
from leafid.identify.resume import check_given, check_resumable
from leafid.identify.summary import Summary, Tally

INTERVAL = 1.0
"""Seconds between two polls of the folder."""

SETTLE = 3.0
"""Seconds without a change of size and modification time after which a file counts as complete."""

EXTENSIONS = (".csv", ".jsonl")
"""File extensions of results that can be read while they grow."""


def check_watch(folder: Path, output: Path, *, interval: float = INTERVAL, settle: float = SETTLE) -> None:
    """Check early that a folder can be watched and the output written.

    Raises:
        UsageError: the folder does not exist, or a number is out of range.
        OutputError: the extension is not one of ``EXTENSIONS``, or ``output`` is a folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} cannot be watched: it is not a folder. Name an existing folder.")
    if not (interval > 0 and settle >= 0):
        raise UsageError(f"interval ({interval:g} s) must be above 0 and settle ({settle:g} s) not below 0.")
    if output.suffix not in EXTENSIONS:
        raise OutputError(f"{output}: records are appended as photos arrive. Name a file that ends in .csv or .jsonl.")
    check_destinations(result_destinations(output), existing="resume")


def watch_folder(
    identifier: Identifier,
    folder: Path,
    output: Path,
    *,
    interval: float = INTERVAL,
    settle: float = SETTLE,
    on_record: Callable[[Record], None] | None = None,
    on_error: Callable[[str], None] | None = None,
    **options: Unpack[IdentifyOptions],
) -> Summary:
    """Identify existing and arriving photos in a folder and its subfolders, until Ctrl-C.

    Each photo gets one record, even if its file changes later. Watching the same folder with the same output again
    continues with the photos that have no record.

    Args:
        identifier: the loaded bundle.
        folder: may be a network share that is unreachable at times.
        output: a ``.csv`` or ``.jsonl`` file; existing records are kept.
        interval: seconds between two polls.
        settle: seconds without a change after which a file is read.
        on_record: called with each record once it is written.
        on_error: called with a message whenever the folder becomes unreadable.
        options: see ``Identifier.identify``.

    Raises:
        UsageError, OutputError: see ``check_watch``; or the output cannot be written or contains incompatible records
            (see ``check_resumable``).
    """
    check_watch(folder, output, interval=interval, settle=settle)
    tally = Tally()
    recorded: set[str] = set()

    def keep(record: Record) -> None:
        location = f"{output}, record {tally.images + 1}"
        check_resumable(record, identifier, options, location=location)
        check_given(record, (), location)
        recorded.add(path_in_output(record.path, output))
        tally.add([record])

    started = time.perf_counter()
    with open_output(output, existing="resume", on_existing=keep) as writer:
        already_done = tally.images
        poller = _FolderPoller(folder, settle)
        try:
            while True:
                arrived = expand_pages(_poll(poller, on_error))
                new = [path for path in arrived if path_in_output(path, output) not in recorded]
                for record in identifier.identify(new, **options):
                    writer.write([record])
                    keep(record)
                    if on_record:
                        on_record(record)
                time.sleep(interval)
        except KeyboardInterrupt:
            pass
    return tally.summary(resumed=already_done, seconds=time.perf_counter() - started)


def _poll(poller: "_FolderPoller", on_error: Callable[[str], None] | None) -> list[Path]:
    try:
        found = poller.complete_files()
    except OSError as error:
        if on_error and not poller.unreachable:
            on_error(f"{poller.folder} cannot be read ({error.strerror or error}); waiting for it")
        poller.unreachable = True
        return []
    poller.unreachable = False
    return found


class _FolderPoller:
    """Polls a folder and remembers since when each file has not changed."""

    def __init__(self, folder: Path, settle: float) -> None:
        self.folder = folder
        self.unreachable = False
        self._settle = settle
        self._unchanged: dict[Path, tuple[tuple[int, int], float]] = {}
        self._returned: set[Path] = set()

    def complete_files(self) -> list[Path]:
        """Return the images that became complete since the last call, sorted by path.

        Raises:
            OSError: the folder cannot be read.
        """
        os.scandir(self.folder).close()  # raises OSError; the search below would not
        now = time.monotonic()
        before, self._unchanged = self._unchanged, {}
        complete = []
        for path in images_in_folder(self.folder):
            if path in self._returned:
                continue
            state = _file_state(path)
            if state is None:
                continue
            known, since = before.get(path, (state, now))
            since = since if known == state else now
            if now - since >= self._settle and path in before:
                complete.append(path)
            else:
                self._unchanged[path] = (state, since)
        self._returned.update(complete)
        return complete


def _file_state(path: Path) -> tuple[int, int] | None:
    """Return size and modification time of a file, which change while it is written; None if it was deleted."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0) if path.is_symlink() else None  # a broken link becomes a failed record
    return found.st_size, found.st_mtime_ns
