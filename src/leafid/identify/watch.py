"""Watching a folder: photos are named as they arrive, until Ctrl-C.

The folder is asked again and again what it holds. Systems can also tell of changes (inotify and its kin), but not of
those that another machine makes on a network share, which is where imaging stations put their photos; and whether a
file is complete must be asked for anyway.
"""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Unpack

from leafid.errors import OutputError, UsageError
from leafid.identify.identifier import Identifier, IdentifyOptions
from leafid.identify.inputs import images_below, with_pages
from leafid.identify.outputs.writers import check_output, open_output, path_in_output
from leafid.identify.records import Record
from leafid.identify.resume import check_alike
from leafid.identify.summary import Summary, Tally

INTERVAL = 1.0
"""Seconds between two looks at the folder."""

SETTLE = 3.0
"""Seconds for which a file must keep its size and its time before it counts as complete."""

ENDINGS = (".csv", ".jsonl")
"""Endings of results that can be read while they grow."""


def check_watching(folder: Path, output: Path, *, interval: float = INTERVAL, settle: float = SETTLE) -> None:
    """Check, before anything slow is done, that a folder can be watched into a file.

    Raises:
        UsageError: there is no such folder, or a number is out of range.
        OutputError: the ending is none of ``ENDINGS``, or ``output`` is a folder.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is no folder that can be watched.")
    if not (interval > 0 and settle >= 0):
        raise UsageError(f"interval ({interval:g} s) must be above 0 and settle ({settle:g} s) not below 0.")
    if output.suffix not in ENDINGS:
        raise OutputError(f"{output}: records are appended as photos arrive; name a file that ends in .csv or .jsonl.")
    check_output(output, "resume")


def watch_folder(
    identifier: Identifier,
    folder: Path,
    output: Path,
    *,
    interval: float = INTERVAL,
    settle: float = SETTLE,
    on_record: Callable[[Record], None] | None = None,
    on_trouble: Callable[[str], None] | None = None,
    **options: Unpack[IdentifyOptions],
) -> Summary:
    """Name the photos in a folder and below it, those that are there and those that arrive, until Ctrl-C.

    A photo has one record, whatever becomes of its file later: watching the same folder into the same output again
    goes on with the photos that have none.

    Args:
        identifier: names the photos.
        folder: may be a network share, which may also go away and come back.
        output: a ``.csv`` or ``.jsonl`` file; what is there is kept.
        interval: seconds between two looks.
        settle: seconds for which a file must not change before it is opened.
        on_record: called with each record once it is written.
        on_trouble: told, once each time, that the folder cannot be read.
        options: see ``Identifier.identify``.

    Raises:
        UsageError, OutputError: see ``check_watching``; or the output cannot be written, or its records were made
            otherwise (see ``check_alike``).
    """
    check_watching(folder, output, interval=interval, settle=settle)
    tally = Tally()
    there: set[str] = set()

    def keep(record: Record) -> None:
        check_alike(record, identifier, options, place=f"{output}, record {tally.images + 1}")
        there.add(path_in_output(record.path, output))
        tally.add([record])

    started = time.perf_counter()
    with open_output(output, existing="resume", on_earlier=keep) as writer:
        earlier = tally.images
        arrivals = _Arrivals(folder, settle)
        try:
            while True:
                arrived, _ = with_pages(_complete(arrivals, on_trouble))
                new = [path for path in arrived if path_in_output(path, output) not in there]
                for record in identifier.identify(new, **options):
                    writer.write([record])
                    keep(record)
                    if on_record:
                        on_record(record)
                time.sleep(interval)
        except KeyboardInterrupt:
            pass
    return tally.summary(earlier=earlier, seconds=time.perf_counter() - started)


def _complete(arrivals: "_Arrivals", on_trouble: Callable[[str], None] | None) -> list[Path]:
    try:
        found = arrivals.complete()
    except OSError as error:
        if on_trouble and not arrivals.lost:
            on_trouble(f"{arrivals.folder} cannot be read ({error.strerror or error}); waiting for it")
        arrivals.lost = True
        return []
    arrivals.lost = False
    return found


class _Arrivals:
    """What a folder holds, and since when each file has not changed."""

    def __init__(self, folder: Path, settle: float) -> None:
        self.folder = folder
        self.lost = False
        self._settle = settle
        self._unchanged: dict[Path, tuple[tuple[int, int], float]] = {}
        self._given: set[Path] = set()

    def complete(self) -> list[Path]:
        """Return the images that have become complete since the last call, in order.

        Raises:
            OSError: the folder cannot be read.
        """
        os.scandir(self.folder).close()  # raises where the search below only takes note
        now = time.monotonic()
        before, self._unchanged = self._unchanged, {}
        complete = []
        for path in images_below(self.folder):
            if path in self._given:
                continue
            mark = _mark(path)
            if mark is None:
                continue
            known, since = before.get(path, (mark, now))
            since = since if known == mark else now
            if now - since >= self._settle and path in before:
                complete.append(path)
            else:
                self._unchanged[path] = (mark, since)
        self._given.update(complete)
        return complete


def _mark(path: Path) -> tuple[int, int] | None:
    """Size and time of a file, which change while it is written; None when it has gone meanwhile."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0) if path.is_symlink() else None  # a broken link becomes a failed record
    return found.st_size, found.st_mtime_ns
