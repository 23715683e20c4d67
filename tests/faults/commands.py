"""The commands that the harness disturbs: how they are called and continued, and where their records are."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from leafid.errors import OutputError
from leafid.identify import read_records
from tests.faults.figures import Figures, memory_mb, rounds
from tests.faults.image_seeds import drawn

LEAFID = Path(sys.executable).with_name("leafid")
PHOTOS = 24
MOST_SECONDS = rounds(250, 1200)
"""Wall time after which a command counts as hanging; a busy machine slows it down many times."""
BROKEN = (5, 17)
"""Photos that are no images."""


def make_workplace(folder: Path) -> Path:
    """Write photos, some of them damaged, and a job that collects them."""
    (folder / "photos").mkdir(parents=True)
    for number in range(PHOTOS):
        drawn(number).resize((300, 300)).save(folder / "photos" / f"{number:02}.jpg")
    for number in BROKEN:
        (folder / "photos" / f"{number:02}.jpg").write_text("no leaf")
    taxa = folder / "sheets"
    for number in range(PHOTOS):
        path = taxa / ("Viola alba" if number % 2 else "Viola biflora") / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn(100 + number).save(path)
    (taxa / "Viola alba" / "01.png").write_text("no leaf")
    (folder / "job.yaml").write_text("name: violas\nsources: [{kind: folder, path: sheets}]\n")
    return folder


@dataclass(frozen=True)
class Command:
    """A command of leafid in a workplace.

    Attributes:
        name: its word.
        words: its arguments; repeated, they continue an interrupted run.
        outputs: the files that it writes.
        inputs: one text per expected record.
        records: reads the texts of the records that exist in a workplace.
        ends: whether it ends by itself; ``watch`` does not.
        exit_code: of a whole run.
    """

    name: str
    words: tuple[str, ...]
    outputs: tuple[str, ...]
    inputs: tuple[str, ...]
    records: Callable[[Path], list[str]]
    ends: bool = True
    exit_code: int = 3

    def start(self, workplace: Path, *, prepare: Callable[[], None] | None = None) -> "Run":
        """Start it; ``prepare`` runs in the process before."""
        return Run(self, workplace, prepare)


class Run:
    """A running command, whose messages go to a file, through another process: limits of the command do not apply."""

    def __init__(self, command: Command, workplace: Path, prepare: Callable[[], None] | None) -> None:
        self.command, self.workplace = command, workplace

        def begin() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background job ignores it, and hands that on
            if prepare is not None:
                prepare()

        self._log = workplace / "messages.txt"
        with self._log.open("wb") as log:
            self._writer = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=log)
        assert self._writer.stdin is not None
        with self._writer.stdin as messages:
            self.process = subprocess.Popen(
                [str(LEAFID), *command.words],
                cwd=workplace,
                stdin=subprocess.DEVNULL,
                stdout=messages,
                stderr=subprocess.STDOUT,
                preexec_fn=begin,
            )
        self._started = time.monotonic()

    def signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)

    def wait(self, figures: Figures) -> int:
        """Wait for the end, count messages of defects, time and memory; return the exit code."""
        peak = 0.0
        while self.process.poll() is None:
            assert time.monotonic() - self._started < MOST_SECONDS, (
                f"{self.command.name} does not end: {self.messages()}"
            )
            peak = max(peak, sum(memory_mb("VmHWM", str(pid)) for pid in self._processes()))
            time.sleep(0.02)
        with suppress(subprocess.TimeoutExpired):  # what the command started may outlive it
            self._writer.wait(10)
        figures.peak_mb = max(figures.peak_mb, peak)
        figures.longest_s = max(figures.longest_s, time.monotonic() - self._started)
        figures.add_message(self.messages())
        return self.process.returncode

    def messages(self) -> str:
        """Return what the command printed."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def has_records(self, number: int) -> bool:
        """Return whether the command has written so many records."""
        return len(self.command.records(self.workplace)) >= number

    def _processes(self) -> list[int]:
        own = [self.process.pid]
        with suppress(OSError, ValueError):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
            own += [int(child) for child in children.split()]
        return own


def complete(command: Command, workplace: Path, figures: Figures) -> None:
    """Let a command finish what is left, and compare its records with the inputs."""
    run = command.start(workplace)
    if not command.ends:
        end = time.monotonic() + MOST_SECONDS
        while not run.has_records(len(command.inputs)) and run.process.poll() is None and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.3)  # a doubled record would follow now
        run.signal(signal.SIGINT)
    exit_code = run.wait(figures)
    assert exit_code == (command.exit_code if command.ends else 130), (command.name, exit_code, run.messages())
    figures.add_records(command.records(workplace), list(command.inputs))


def _identified(output: str) -> Callable[[Path], list[str]]:
    def records(workplace: Path) -> list[str]:
        with suppress(OutputError):
            return [record.path for record in read_records(workplace / output)]
        return []

    return records


def _column(*tables: tuple[str, bool]) -> Callable[[Path], list[str]]:
    """Read the column ``path`` of tables, relative to the workplace or to the table; several leaves count once."""

    def records(workplace: Path) -> list[str]:
        found: list[str] = []
        for name, relative_to_table in tables:
            rows: list[dict[str, str]] = []
            with suppress(OSError), (workplace / name).open(encoding="utf-8", newline="") as opened:
                rows = [row for row in csv.DictReader(opened) if row.get("leaf") in (None, "", "1")]
            folder = Path(name).parent if relative_to_table else Path()
            found += [os.path.normpath(folder / row["path"]) for row in rows]
        return found

    return records


def commands(bundle: Path) -> dict[str, Command]:
    """Return the commands, by what is disturbed."""
    photos = tuple(f"photos/{number:02}.jpg" for number in range(PHOTOS))
    sheets = tuple(f"sheets/Viola {'alba' if number % 2 else 'biflora'}/{number:02}.png" for number in range(PHOTOS))
    engine = ("--engine", "onnx")

    def identify(output: str, *options: str) -> Command:
        words = ("identify", str(bundle), "photos", "-o", output, *engine, "--batch-size", "2", "--resume", *options)
        written = tuple(option for option in options if "." in option)
        return Command("identify", words, (output, *written), photos, _identified(output))

    derived = ("--references", "1", "--darwin-core", "dwc.csv", "--report", "report.html")
    watch = ("watch", str(bundle), "photos", "-o", "watched.csv", *engine, "--settle", "0", "--interval", "0.05")
    measure = ("measure", "photos", "-o", "table.csv", "--workers", "1", "--resume")
    collected = _column(("data/violas/catalog.csv", True), ("data/violas/failures.csv", False))
    return {
        "identify csv": identify("results.csv", *derived),
        "identify jsonl": identify("results.jsonl"),
        "identify parquet": identify("results.parquet", "--darwin-core", "dwc.csv"),
        "watch": Command("watch", watch, ("watched.csv",), photos, _identified("watched.csv"), ends=False),
        "measure": Command("measure", measure, ("table.csv",), photos, _column(("table.csv", False))),
        "collect": Command("collect", ("collect", "job.yaml"), ("data/violas/catalog.csv",), sheets, collected),
    }
