"""Full disks, folders that are read-only, inputs that vanish or are replaced during the run."""

import os
import random
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from leafid.errors import ExitCode
from tests.faults.commands import BROKEN, Command, complete
from tests.faults.figures import LONG, SEED, figures_of, rounds
from tests.faults.image_seeds import mutated_image

pytestmark = pytest.mark.timeout(4 * 3600 if LONG else 300)
NAMES = ("identify csv", "identify jsonl", "identify parquet", "measure", "collect")


@pytest.mark.parametrize("name", NAMES if LONG else ("identify csv",))
def test_a_full_disk_stops_with_a_sentence_and_can_be_continued(
    all_commands: dict[str, Command], workplace: Path, tmp_path: Path, name: str
) -> None:
    command, figures = all_commands[name], figures_of(f"full disk: {name}")
    chance = random.Random(f"disks {SEED} {name}")
    for number in range(rounds(1, 6)):
        place = Path(shutil.copytree(workplace, tmp_path / f"round {number}"))
        size = chance.randrange(100, 4000)
        run = command.start(place, prepare=partial(resource.setrlimit, resource.RLIMIT_FSIZE, (size, size)))
        exit_code = run.wait(figures)
        assert exit_code in (ExitCode.USER_ERROR, command.exit_code), run.messages()
        if exit_code == ExitCode.USER_ERROR:
            assert "cannot be written" in run.messages() and "leafid: " in run.messages(), run.messages()
        complete(command, place, figures)
        shutil.rmtree(place)
    figures.check()


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """Make a folder read-only: by its mode, or for root, who is above that, by a file system of its own."""
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("root may not mount a file system here")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("name", [*NAMES, "watch"] if LONG else ("identify csv",))
def test_a_read_only_folder_is_refused_in_a_sentence(
    all_commands: dict[str, Command], workplace: Path, name: str
) -> None:
    command, figures = all_commands[name], figures_of(f"read-only: {name}")
    folder = workplace / ("data" if name == "collect" else "closed")
    folder.mkdir()
    closed = {output: f"closed/{output}" for output in command.outputs}
    words = tuple(closed.get(word, word) for word in command.words)
    with _read_only(folder):
        run = Command(command.name, words, (), (), command.records).start(workplace)
        exit_code = run.wait(figures)
        assert exit_code == ExitCode.USER_ERROR, run.messages()
        assert str(folder.name) in run.messages() and not list(folder.iterdir())
    figures.check()


@pytest.mark.parametrize("name", [*NAMES[:4], "watch"] if LONG else ("identify jsonl",))
def test_inputs_that_vanish_or_are_replaced_have_one_record(
    all_commands: dict[str, Command], workplace: Path, tmp_path: Path, name: str
) -> None:
    command, figures = all_commands[name], figures_of(f"changing inputs: {name}")
    chance = random.Random(f"changes {SEED} {name}")
    for number in range(rounds(1, 6)):
        place = Path(shutil.copytree(workplace, tmp_path / f"round {number}"))
        run = command.start(place)
        photos = sorted((place / "photos").iterdir())
        changes = 0
        while run.process.poll() is None and not (place / command.outputs[0]).exists():
            time.sleep(0.005)  # until the folder is listed: what vanishes before has no record
        while run.process.poll() is None and changes < 200 and not run.has_records(len(command.inputs)):
            _change(chance.choice(photos), changes, chance)
            changes += 1
            time.sleep(0.01)
        if chance.random() < 0.5 and command.ends:
            shutil.rmtree(place / "photos", ignore_errors=True)  # the whole folder vanishes
        for path in photos:  # what is left to do finds files again
            path.parent.mkdir(exist_ok=True)
            if not path.exists():
                shutil.copyfile(workplace / "photos" / f"{BROKEN[0]:02}.jpg", path)
        if command.ends:
            assert run.wait(figures) in (ExitCode.OK, ExitCode.SOME_FAILED), run.messages()
            figures.add_records(command.records(place), list(command.inputs))
        else:
            run.signal(9)
            run.wait(figures)
            complete(command, place, figures)
        shutil.rmtree(place)
    figures.check()


def _change(photo: Path, number: int, chance: random.Random) -> None:
    """Remove a photo, replace it by another at once, or write into it."""
    _, content = mutated_image(number, SEED)
    match chance.randrange(4):
        case 0:
            photo.unlink(missing_ok=True)
        case 1:
            other = photo.with_name("other.tmp")
            other.write_bytes(content)
            other.replace(photo)
        case 2:
            photo.write_bytes(content)
        case _:
            with photo.open("ab") as opened:
                opened.truncate(chance.randrange(1 + photo.stat().st_size))
