"""`kill -9` at any moment, again and again: no record is lost, none is doubled, and the run is completed."""

import random
import signal
import time
from pathlib import Path

import pytest

from leafid.errors import ExitCode
from leafid.identify import Record, read_records
from tests.identify.processes import agree, reach, rows_of, start, stopped

KILLS = {".csv": 7, ".jsonl": 7, ".parquet": 6}
"""How often the run of each format is killed: twenty times in all."""


def killed(bundle: Path, inputs: list[str], output: Path, chance: random.Random, *, kills: int) -> int:
    """Begin or resume a run and kill it, so many times; return how many processes were still at work.

    Half the kills come while records are written, spread over the run, so that it is caught everywhere; the others
    come a random time after the process began: while it loads, reads what is there, works, or finishes the file.
    """
    caught = kept = 0
    goals = sorted(chance.sample(range(4, len(inputs)), (kills + 1) // 2))
    for number in range(kills):
        process = start(bundle, inputs, output, "resume")
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


@pytest.mark.parametrize("ending", KILLS)
def test_killed_again_and_again_then_completed(
    bundle_folder: Path, photos: list[Path], expected: list[Record], tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"results{ending}"
    inputs = [str(path) for path in photos]
    caught = killed(bundle_folder, inputs, output, random.Random(ending), kills=KILLS[ending])
    assert caught >= (KILLS[ending] + 1) // 2
    process = start(bundle_folder, inputs, output, "resume")
    process.join(240)
    assert process.exitcode == ExitCode.SOME_FAILED
    agree(list(read_records(output)), expected)
    assert [path.name for path in tmp_path.iterdir()] == [output.name]
