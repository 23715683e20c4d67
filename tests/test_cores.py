"""Commands that work on several images at once keep the threads of numpy and OpenCV out of each other's way."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from leafid.cli import app

VARIABLES = ("OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")


@pytest.mark.parametrize("command", [["identify", "no-bundle", "leaf.jpg"], ["watch", "no-bundle", ".", "-o", "a.csv"]])
def test_commands_keep_libraries_to_one_thread(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "")
        monkeypatch.delenv(variable)
    assert CliRunner().invoke(app, command).exit_code
    assert [os.environ.get(variable) for variable in VARIABLES] == ["1", "1"]


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("3", "3")])
def test_opencv_has_one_thread_unless_the_user_says_otherwise(given: str | None, expected: str) -> None:
    program = (
        "from leafid.cores import keep_libraries_to_one_thread\n"
        "keep_libraries_to_one_thread()\n"
        "import cv2\n"
        "print(cv2.getNumThreads())"
    )
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    if given:
        environment["OPENCV_FOR_THREADS_NUM"] = given
    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True
    )
    assert finished.stdout.strip() == expected
