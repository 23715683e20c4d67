"""Processes that identify and can be killed, forked from a server that has imported torch."""

import multiprocessing
import os
import signal
import time
from contextlib import suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Literal

import pytest

from leafid.errors import OutputError
from leafid.files import Existing
from leafid.identify import Identifier, Record, find_inputs, identify_to_file, read_records
from leafid.identify.outputs.parquet_files import ROWS_PER_FILE

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.identify.processes", "leafid.learning"])

NOBODY = 65534


def start(
    bundle: Path,
    inputs: list[str],
    output: Path,
    existing: Existing,
    *,
    user: Literal["same", "nobody"] = "same",
    rows_per_file: int = ROWS_PER_FILE,
) -> BaseProcess:
    """Start a process that identifies into a file and returns the exit code of the command."""
    process = _CONTEXT.Process(target=_identify, args=(bundle, inputs, output, existing, user, rows_per_file))
    process.start()
    return process


def _identify(bundle: Path, inputs: list[str], output: Path, existing: Existing, user: str, rows_per_file: int) -> None:
    import torch

    # A background process ignores SIGINT, and its children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    torch.set_num_threads(1)
    identifier = Identifier.load(bundle, device="cpu")
    if user == "nobody" and os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    summary = identify_to_file(
        identifier,
        find_inputs(inputs).paths,
        output,
        existing=existing,
        batch_size=4,
        workers=2,
        rows_per_file=rows_per_file,
    )
    os._exit(summary.exit_code)


def agree(records: list[Record], expected: list[Record], *, ordered: bool = True) -> None:
    assert [record.path for record in records] == [record.path for record in expected]
    for record, other in zip(records, expected, strict=True):
        assert (record.status, record.scientific_name, record.reason) == (
            other.status,
            other.scientific_name,
            other.reason,
        )
        assert [one.probability for one in record.candidates] == pytest.approx(
            [one.probability for one in other.candidates], abs=1e-4
        )


def rows_of(output: Path) -> int:
    """Count the finished records of a running process."""
    try:
        return sum(1 for _ in read_records(output))
    except OutputError:
        return 0


def stopped(process: BaseProcess, number: int) -> int:
    """Send a signal; return the exit code of the process."""
    assert process.pid is not None
    with suppress(ProcessLookupError):  # it may have ended by itself
        os.kill(process.pid, number)
    process.join(120)
    assert process.exitcode is not None
    return process.exitcode


def reach(process: BaseProcess, output: Path, rows: int) -> None:
    while rows_of(output) < rows and process.is_alive():
        time.sleep(0.002)
