"""The bundle and the workplace of the harness; prints its figures at the end of the run."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.faults.commands import Command, commands, make_workplace
from tests.faults.figures import table


@pytest.fixture(scope="session")
def engine_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a bundle with references and an engine that runs without torch."""
    if not (find_spec("onnx") and find_spec("onnxruntime")):
        pytest.skip("leafid[onnx] is not installed")
    folder = tmp_path_factory.mktemp("engine") / "bundle"
    # In a process of its own: this one stays without torch, which takes long to import.
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.bundle", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def all_commands(engine_bundle: Path) -> dict[str, Command]:
    """Return the commands that are disturbed."""
    return commands(engine_bundle)


@pytest.fixture(scope="session")
def _first_workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workplace(tmp_path_factory.mktemp("workplace") / "first")


@pytest.fixture
def workplace(_first_workplace: Path, tmp_path: Path) -> Path:
    """Return a folder with photos and a job."""
    return Path(shutil.copytree(_first_workplace, tmp_path / "work"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    if lines := table():
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.line(line)
