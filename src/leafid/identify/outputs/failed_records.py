"""Removes failed records from a result, so that a resumed run tries their images again."""

import os
from collections.abc import Callable
from pathlib import Path

from leafid.errors import OutputError
from leafid.identify.outputs.writers import open_output, read_records
from leafid.identify.records import Record, Status

EXTENSIONS = (".csv", ".jsonl")
"""Results from which records can be removed; part files of Parquet are not changed once they are written."""


def check_retry(path: Path) -> None:
    """Check early that failed records can be removed from a result.

    Raises:
        OutputError: it is not one of ``EXTENSIONS``.
    """
    if path.suffix not in EXTENSIONS:
        raise OutputError(f"{path}: --retry-failed works on results that end in .csv or .jsonl.")


def remove_failed_records(path: Path, check: Callable[[Record], None]) -> int:
    """Rewrite a result without its failed records, all at once; return how many they were.

    Args:
        path: the result; locked meanwhile.
        check: called with each record before anything is changed; what it raises leaves the result as it was.

    Raises:
        OutputError: the result cannot be read or written.
    """
    check_retry(path)
    removed = 0
    remaining = path.with_name(f".{path.stem}.{os.getpid()}.remaining{path.suffix}")
    try:
        with open_output(path, existing="resume"), open_output(remaining, existing="replace", like=path) as writer:
            for record in read_records(path):
                check(record)
                if record.status is Status.FAILED:
                    removed += 1
                else:
                    writer.write([record])
        if removed:
            remaining.replace(path)
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}.") from None
    finally:
        remaining.unlink(missing_ok=True)
    return removed
