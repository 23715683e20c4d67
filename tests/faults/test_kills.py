"""Commands that are killed at random moments, and two at once on one output: every input has one record in the end."""

import random
import shutil
import signal
import time
from pathlib import Path

import pytest

from leafid.errors import ExitCode
from tests.faults.commands import Command, complete
from tests.faults.figures import LONG, SEED, Figures, figures_of, rounds

KILLS = rounds(1, 17)
"""Of each of the six commands."""

pytestmark = pytest.mark.timeout(4 * 3600 if LONG else 300)
SHORT = ("identify csv", "watch", "measure")
NAMES = ("identify csv", "identify jsonl", "identify parquet", "watch", "measure", "collect")


def _disturb(command: Command, workplace: Path, chance: random.Random, figures: Figures) -> bool:
    """Start a command and end it at a random moment; return whether it was still running."""
    run = command.start(workplace)
    goal = chance.randrange(-6, len(command.inputs))
    number = chance.choice((signal.SIGKILL, signal.SIGKILL, signal.SIGTERM))
    end = time.monotonic() + 120
    if goal < 0:  # while it starts
        time.sleep(chance.random() * 2)
    else:
        while not run.has_records(goal) and run.process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.random() * 0.1)
    run.signal(number)
    exit_code = run.wait(figures)
    assert exit_code in (-number, command.exit_code), (command.name, exit_code, run.messages())
    return exit_code == -number


@pytest.mark.parametrize("name", NAMES if LONG else SHORT)
def test_killed_commands_can_be_continued(
    all_commands: dict[str, Command], workplace: Path, tmp_path: Path, name: str
) -> None:
    command, figures = all_commands[name], figures_of(f"kills: {name}")
    chance = random.Random(f"kills {SEED} {name}")
    kills = 0
    while kills < KILLS:
        place = Path(shutil.copytree(workplace, tmp_path / f"round {kills}"))
        kept: set[str] = set()
        for _ in range(min(chance.choice((1, 2, 3)), KILLS - kills)):
            _disturb(command, place, chance, figures)
            kills += 1
            now = command.records(place)
            assert len(now) == len(set(now)) and kept <= set(now), (kept, now)
            kept = set(now) if name != "collect" else set()
        complete(command, place, figures)
        shutil.rmtree(place)
    figures.check()


@pytest.mark.parametrize("name", ["identify csv", "identify parquet", "measure"] if LONG else ["identify csv"])
def test_of_two_processes_on_one_output_one_is_refused_or_waits(
    all_commands: dict[str, Command], workplace: Path, tmp_path: Path, name: str
) -> None:
    command, figures = all_commands[name], figures_of(f"two at once: {name}")
    other = Path(shutil.copytree(workplace / "photos", tmp_path / "other" / "photos")).parent
    for _ in range(rounds(1, 8)):
        first = command.start(workplace)
        (other / "messages.txt").touch()
        second = command.start(workplace)
        codes = {first.wait(figures), second.wait(figures)}
        assert command.exit_code in codes and codes <= {command.exit_code, ExitCode.USER_ERROR}, first.messages()
        complete(command, workplace, figures)
        for output in command.outputs:
            (workplace / output).unlink(missing_ok=True)
    figures.check()
