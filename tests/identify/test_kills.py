"""Repeated `kill -9` at random moments neither loses nor doubles a record, and the run can be completed."""

import random
import signal
import time
from pathlib import Path

import pytest

from leafid.errors import ExitCode
from leafid.identify import Record, read_records
from leafid.identify.outputs.parquet_files import ROWS_PER_FILE
from tests.identify.processes import agree, reach, rows_of, start, stopped

FORMATS = {
    "csv": ("results.csv", ROWS_PER_FILE),
    "jsonl": ("results.jsonl", ROWS_PER_FILE),
    "parquet": ("results.parquet", ROWS_PER_FILE),
    "parquet in parts": ("results.parquet", 30),
}
"""Name of the result and number of records of a Parquet file."""

KILLS = 2
"""Number of kills for each format; ``tests/faults`` kills the command more often."""


def killed(
    bundle: Path,
    inputs: list[str],
    output: Path,
    chance: random.Random,
    *,
    kills: int,
    rows_per_file: int = ROWS_PER_FILE,
) -> int:
    """Start or resume a run and kill it, ``kills`` times; return how many processes were still running.

    Half of the kills are spread over the writing of records; the others come a random time after the start, while the
    process loads, reads existing records, identifies, or finishes the file.
    """
    caught = kept = 0
    goals = sorted(chance.sample(range(4, len(inputs)), (kills + 1) // 2))
    for number in range(kills):
        process = start(bundle, inputs, output, "resume", rows_per_file=rows_per_file)
        if number % 2:
            time.sleep(chance.random())
        else:
            reach(process, output, goals[number // 2])
            time.sleep(chance.random() * 0.005)
        caught += stopped(process, signal.SIGKILL) == -signal.SIGKILL
        now = rows_of(output)
        assert now >= kept
        kept = now
    return caught


@pytest.mark.parametrize("form", FORMATS)
def test_a_repeatedly_killed_run_can_be_completed(
    bundle_folder: Path, photos: list[Path], expected: list[Record], tmp_path: Path, form: str
) -> None:
    name, rows_per_file = FORMATS[form]
    output = tmp_path / name
    inputs = [str(path) for path in photos]
    caught = killed(bundle_folder, inputs, output, random.Random(form), kills=KILLS, rows_per_file=rows_per_file)
    assert caught >= (KILLS + 1) // 2
    process = start(bundle_folder, inputs, output, "resume", rows_per_file=rows_per_file)
    process.join(240)
    assert process.exitcode == ExitCode.SOME_FAILED
    agree(list(read_records(output)), expected)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    if rows_per_file < ROWS_PER_FILE:
        assert [path.name for path in sorted(output.iterdir())] == [f"part-{n:05}.parquet" for n in range(1, 9)]
