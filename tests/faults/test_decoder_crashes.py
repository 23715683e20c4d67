"""A decoder that crashes the process costs one record: in threads, in worker processes, and on a Ray cluster."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

from leafid.errors import ExitCode
from leafid.identify import read_records
from tests.cli.crashing_decoder import environment, mark
from tests.faults.commands import BROKEN, LEAFID, Command
from tests.faults.figures import LONG, figures_of

CRASHING = (3, 11)
"""Photos on which the decoder crashes."""


def _run(words: tuple[str, ...], workplace: Path) -> str:
    for number in CRASHING:
        mark(workplace / "photos" / f"{number:02}.jpg")
    done = subprocess.run(
        [str(LEAFID), *words],
        cwd=workplace,
        env=environment(workplace / "hook"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == ExitCode.SOME_FAILED, done.stderr
    assert "Traceback" not in done.stderr and "defect" not in done.stderr
    return done.stderr


def test_identify(all_commands: dict[str, Command], workplace: Path) -> None:
    command, figures = all_commands["identify csv"], figures_of("crashes: identify")
    messages = _run(command.words, workplace)
    assert messages.count("the decoder crashed on it (SIGSEGV)") == len(CRASHING)
    failed = {record.path: record.reason or "" for record in read_records(workplace / "results.csv") if record.reason}
    for number in CRASHING:
        assert failed[f"photos/{number:02}.jpg"] == "not_processed: the decoder crashed on it (SIGSEGV)"
    figures.add_records(command.records(workplace), list(command.inputs))
    figures.check()


@pytest.mark.skipif(not LONG, reason="starts many processes; the long form does it")
def test_measure_in_processes(all_commands: dict[str, Command], workplace: Path) -> None:
    command, figures = all_commands["measure"], figures_of("crashes: measure")
    _run(tuple("2" if word == "1" else word for word in command.words), workplace)
    table = (workplace / "table.csv").read_text()
    assert table.count("its process ended: the decoder crashed on it, or memory ran out") == len(CRASHING)
    figures.add_records(command.records(workplace), list(command.inputs))
    figures.check()


@pytest.mark.skipif(not LONG or find_spec("ray") is None, reason="starts a Ray cluster; the long form does it")
def test_ray(all_commands: dict[str, Command], workplace: Path) -> None:
    command, figures = all_commands["identify jsonl"], figures_of("crashes: Ray")
    _run((*command.words, "--engine-cluster", "ray"), workplace)
    failed = [record for record in read_records(workplace / "results.jsonl") if record.status == "failed"]
    assert len(failed) == len(CRASHING) + len(BROKEN)
    assert sum("workers ended on it 3 times" in (record.reason or "") for record in failed) == len(CRASHING)
    figures.add_records(command.records(workplace), list(command.inputs))
    figures.check()
