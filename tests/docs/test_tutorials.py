"""All commands of the tutorials run, in order, on drawn leaves and with a bundle that the first of them trains."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from PIL import Image
from typer.testing import CliRunner

from leafid.bundle import bundle_folder, pack_bundle
from leafid.cli import app
from leafid.errors import ExitCode
from tests.docs.tutorials import DOCS, steps_of
from tests.identify.small_bundle import COLOURS, leaf

PAGES = sorted(DOCS.glob("*.md"))
WITH_STEPS = [page.stem for page in PAGES if any(step.commands and not step.not_run for step in steps_of(page))]
TINY = (
    "recipe=none",
    "curation.near_duplicates=allow",
    "curation.split={val: 0.25, test: 0.25}",
    "sheets.size=32",
    "model={backbone: shufflenet_v2_x1_0, weights: none}",
    "training={max_epochs: 1, batch_size: 4, augmentation: none, workers: 0}",
)
"""What the test adds to `leafid train`; what is typed takes minutes and pretrained weights."""
DOCUMENTED_ADDRESS = "http://127.0.0.1:8080"
UNTIL_CTRL_C = ("serve", "review")
"""Commands that print an address, and end with Ctrl-C."""


def _press_ctrl_c_after_records_in(file: Path) -> None:
    """Press Ctrl-C when a file has a header and a record."""
    while not (file.is_file() and file.read_bytes().count(b"\n") > 1):
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)


class Reader:
    """Somebody who does what a page says, in a folder of their own."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.started: list[subprocess.Popen[str]] = []
        self.address = ""
        monkeypatch.chdir(folder)
        monkeypatch.syspath_prepend(str(folder))

    def do(self, page: str) -> None:
        """Write the files of a page, and run its commands."""
        for step in steps_of(DOCS / f"{page}.md"):
            if step.file:
                (self.folder / step.file).write_text(step.content, encoding="utf-8")
            elif not step.not_run:
                for command in step.commands:
                    self.run(command)

    def run(self, command: str) -> None:
        """Run a command; it must succeed."""
        words = shlex.split(command.replace(DOCUMENTED_ADDRESS, self.address))
        while re.fullmatch(r"[A-Z_]+=.*", words[0]):  # PYTHONPATH=. has been seen to above
            words.pop(0)
        if words[0] != "leafid":
            fails = ["--fail"] if words[0] == "curl" else []
            subprocess.run([*words, *fails], check=True, capture_output=True, timeout=240)
        elif words[1] in UNTIL_CTRL_C:
            self.start(words)
        else:
            self.call(command, words[1:])

    def call(self, command: str, words: list[str]) -> None:
        """Call a command of leafid in this process, since importing torch takes ten seconds."""
        if words[0] == "train":
            words += [word for setting in TINY for word in ("--set", setting)]
        watched = None
        if words[0] == "watch":
            signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore Ctrl-C
            watched = threading.Thread(target=_press_ctrl_c_after_records_in, args=(Path(words[-1]),), daemon=True)
            watched.start()
        finished = CliRunner().invoke(app, words)
        expected = ExitCode.INTERRUPTED if watched else ExitCode.OK
        assert finished.exit_code == expected, f"{command}\n{finished.output}\n{finished.exception!r}"

    def start(self, words: list[str]) -> None:
        """Start a command that runs until Ctrl-C on a free port, and wait for its address."""
        command = [sys.executable, "-m", *words, "--port", "0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.started.append(process)
        assert process.stdout is not None
        found = re.search(r"http://\S+\d", process.stdout.readline())
        assert found, words
        self.address = found[0]

    def stop(self) -> None:
        """Press Ctrl-C in what is still running."""
        for process in self.started:
            process.send_signal(signal.SIGINT)
        try:
            assert all(process.wait(60) == ExitCode.OK for process in self.started)
        finally:
            for process in self.started:
                process.kill()
                process.communicate()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder in which everything of the page on training was done."""
    folder = tmp_path_factory.mktemp("training")
    for name in COLOURS:
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(8):
            seed = number + 100 * list(COLOURS).index(name)  # the same grain would be a duplicate
            leaf(name, seed).save(folder / "photos" / name / f"{number:02}.jpg", quality=95)
    with pytest.MonkeyPatch.context() as monkeypatch:
        Reader(folder, monkeypatch).do("training")
    yield folder


@pytest.fixture
def reader(tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """Return a reader with photos of two plants, a bundle, and a result to correct."""
    bundle = bundle_folder(trained / "runs" / "my-leaves")
    pack_bundle(bundle, tmp_path / "bundle.zip")
    shutil.copytree(bundle, tmp_path / "BUNDLE")
    shutil.copy(trained / "my-leaves.yaml", tmp_path)
    pictures = DOCS / "figures" / "photographs"
    for source, copy in (("good", "plant-1/a"), ("underside", "plant-1/b"), ("upright", "plant-2/a")):
        (tmp_path / "photos" / copy).parent.mkdir(parents=True, exist_ok=True)
        Image.open(pictures / f"{source}.jpg").resize((360, 270)).save(tmp_path / "photos" / f"{copy}.jpg", quality=95)
    shutil.copy(pictures / "good.jpg", tmp_path / "leaf.jpg")
    shutil.copytree(tmp_path / "photos", tmp_path / "incoming")
    reading = Reader(tmp_path, monkeypatch)
    yield reading
    reading.stop()


def test_the_page_on_training_leaves_a_tested_bundle(trained: Path) -> None:
    run = trained / "runs" / "my-leaves"
    assert (run / "evaluation" / "test" / "evaluation.json").is_file()
    assert (trained / "data" / "my-leaves" / "audit" / "audit.html").is_file()
    assert (trained / "my-leaves.zip").is_file()


@pytest.mark.parametrize("page", [page for page in WITH_STEPS if page != "training"])
def test_every_command_of_the_page_runs(reader: Reader, page: str) -> None:
    reader.do(page)


def _typed_but_not_run() -> list[str]:
    texts = [step for page in [*PAGES, DOCS.parent / "README.md"] for step in steps_of(page) if step.not_run]
    return [command for step in texts for command in step.commands if "leafid " in command]


@pytest.mark.parametrize(
    "command", [command for command in _typed_but_not_run() if re.search(r"\bleafid [a-z]", command)]
)
def test_a_command_that_is_not_run_has_only_options_that_exist(command: str) -> None:
    words = shlex.split(command)
    words = words[words.index("leafid") + 1 :]
    parser = typer.main.get_command(app)
    while hasattr(parser, "commands"):
        parser = parser.commands[words.pop(0)]
    parser.make_context("leafid", words)
