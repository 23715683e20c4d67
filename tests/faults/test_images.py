"""Mutated images of every kind give an image or an ``ImageError``, in bounded time and memory."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from tests.faults.figures import LONG, SEED, figures_of, rounds
from tests.faults.image_seeds import extension, image_file, kinds
from tests.faults.image_worker import outcome

FILES = rounds(300, 10_000)
MOST_SECONDS = 20.0
"""CPU time for one file; a whole process waits five times as long for one."""
MOST_MB = 1600.0
"""Peak memory of the process; the budget of images is 1000 MB, see ``leafid.images.memory``."""


def _reports(first: int, last: int, folder: Path) -> Iterator[list[object]]:
    """Yield the reports of one process, which may die or hang."""
    command = [sys.executable, "-m", "tests.faults.image_worker", *map(str, (SEED, first, last)), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        while True:
            watch = Timer(5 * MOST_SECONDS, process.kill)
            watch.start()
            line = process.stdout.readline()
            watch.cancel()
            if not line.endswith("\n"):
                return
            yield json.loads(line)


@pytest.mark.parametrize("kind", kinds())
def test_whole_files_of_every_kind_are_images(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"leaf{extension(kind)}"
    path.write_bytes(image_file(kind, 0))
    assert outcome(path) == "image"


@pytest.mark.timeout(4 * 3600 if LONG else 300)
def test_mutated_files_give_an_image_or_a_reason(tmp_path: Path) -> None:
    figures = figures_of("mutated images")
    faults: dict[str, list[int]] = {}  # what happened -> the files
    number = 0
    while number < FILES:
        begun = number
        for report in _reports(number, FILES, tmp_path):
            begun = int(str(report[0])) + 1
            if len(report) == 1:
                figures.inputs += 1
                continue
            _, seconds, peak, found = report
            assert isinstance(seconds, float) and isinstance(peak, float)
            number = begun
            figures.records += 1
            figures.longest_s, figures.peak_mb = max(figures.longest_s, seconds), max(figures.peak_mb, peak)
            if "Traceback" in str(found):
                figures.tracebacks += 1
                faults.setdefault(str(found).partition(": ")[2], []).append(number - 1)
        if number < FILES:  # the process died or was too slow
            faults.setdefault("ended the process, or took too long", []).append(begun - 1)
            number = begun
    figures.lost = figures.inputs - figures.records
    assert not faults, "\n".join(
        f"{len(files)} times, such as file {files[0]}: {what}" for what, files in faults.items()
    )
    figures.check()
    assert figures.longest_s < MOST_SECONDS and figures.peak_mb < MOST_MB, figures
