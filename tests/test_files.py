"""Locks: one process at a time, nobody deletes a file that another one writes, and its loss is noticed."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from leafid.errors import OutputError
from leafid.files import exclusive_lock
from leafid.identify import Record, Status
from leafid.identify.outputs.parquet_files import journal_path
from leafid.identify.outputs.writers import open_output


def test_a_lock_keeps_others_out_until_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    with exclusive_lock(path, "busy"), pytest.raises(OutputError, match="busy"), exclusive_lock(path, "busy"):
        pass
    assert not path.exists()
    with exclusive_lock(path, "busy"):
        assert path.exists()


def test_a_forked_worker_does_not_keep_the_lock_of_a_killed_process(tmp_path: Path) -> None:
    program = """
import os, sys, time
from pathlib import Path
from leafid.files import exclusive_lock
with exclusive_lock(Path(sys.argv[1]), "busy"):
    if os.fork() == 0:
        time.sleep(20)  # a worker that does not notice at once that its parent is gone
        os._exit(0)
    print("held", flush=True)
    time.sleep(20)
"""
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        process.kill()
    with exclusive_lock(path, "busy"):
        pass


RACER = """
import sys
from pathlib import Path
from leafid.errors import OutputError
from leafid.identify.outputs.writers import open_output

won = 0
for number in range(60):
    path = Path(sys.argv[1]) / f"{number}.csv"
    sys.stdout.write("r"); sys.stdout.flush(); sys.stdin.read(1)  # both start each round together
    try:
        with open_output(path, existing="resume"):
            won += 1
            assert path.exists(), "the file of the winner is gone"
            sys.stdin.read(1)
            assert path.exists(), "the file of the winner is gone"
    except OutputError:
        sys.stdin.read(1)
print(f"won {won}")
"""


def test_the_loser_of_a_race_for_an_output_does_not_delete_the_file_of_the_winner(tmp_path: Path) -> None:
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", RACER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    for _ in range(60):
        for racer in racers:
            assert racer.stdout is not None and racer.stdout.read(1) == "r"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("g")
            racer.stdin.flush()
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("e")
            racer.stdin.flush()
    results = [racer.communicate()[0] for racer in racers]
    assert all(racer.returncode == 0 for racer in racers)
    assert sum(int(result.rpartition("won ")[2]) for result in results) >= 60


def test_an_output_that_cannot_be_begun_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError), open_output(tmp_path / "a.xyz"):
        pass
    assert not list(tmp_path.iterdir())


RECORD = Record(path="a.jpg", status=Status.FAILED, reason="missing: gone", bundle="b@1", leafid_version="1")


def _remove(path: Path) -> None:
    path.unlink()


def _remove_folder(path: Path) -> None:
    path.unlink()
    path.parent.rmdir()


def _replace(path: Path) -> None:
    other = path.with_name("other")
    other.touch()
    other.replace(path)


def _move(path: Path) -> None:
    path.rename(path.with_name("moved"))


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("change", [_remove, _remove_folder, _replace, _move])
def test_a_result_that_is_taken_away_while_it_is_written_is_noticed(
    tmp_path: Path, ending: str, change: Callable[[Path], None]
) -> None:
    path = tmp_path / "results" / f"r{ending}"
    with pytest.raises(OutputError, match="was removed, moved or replaced"), open_output(path) as writer:
        writer.write([RECORD])
        change(path if ending != ".parquet" else journal_path(path))
        writer.write([RECORD])
