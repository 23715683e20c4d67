"""How long the harness runs, the seed of this run, and the table of figures that it prints at its end."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path

LONG = os.environ.get("LEAFID_FAULTS") == "long"
"""Whether this is the long form, which ``make faults`` runs."""

SEED = int(os.environ.get("LEAFID_FAULTS_SEED") or random.SystemRandom().randrange(2**31))
"""Drawn for each run; the table names it. Set LEAFID_FAULTS_SEED to repeat a run."""


def rounds(short: int, long: int) -> int:
    """Return the number of rounds of this form."""
    return long if LONG else short


@dataclass
class Figures:
    """What a part of the harness counted."""

    part: str
    inputs: int = 0
    records: int = 0
    tracebacks: int = 0
    lost: int = 0
    doubled: int = 0
    longest_s: float = 0.0
    peak_mb: float = 0.0

    def add_records(self, paths: list[str], expected: list[str]) -> None:
        """Compare the paths of the records with the inputs; each must have exactly one record."""
        self.inputs += len(expected)
        self.records += len(paths)
        self.lost += len(set(expected) - set(paths))
        self.doubled += len(paths) - len(set(paths))

    def add_message(self, text: str) -> None:
        """Count a traceback or a defect among what a process printed."""
        self.tracebacks += "Traceback" in text or "defect of leafid" in text or "could not be processed" in text

    @contextmanager
    def parsing(self) -> Iterator[None]:
        """Count one input that is parsed in this process, and its CPU time."""
        started = time.process_time()
        try:
            yield
        except Exception:  # what hypothesis raises to give up an example is none
            self.inputs += 1
            self.tracebacks += 1
            raise
        self.inputs += 1
        self.records += 1
        self.longest_s = max(self.longest_s, time.process_time() - started)

    @contextmanager
    def watching_memory(self) -> Iterator[None]:
        """Measure by how much the memory of this process grows at its peak."""
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # sets the peak back to the present size
        before = memory_mb("VmRSS")
        yield
        self.peak_mb = max(0.0, memory_mb("VmHWM") - before)

    def check(self) -> None:
        """Assert that every input has one record and nothing was raised."""
        assert (self.tracebacks, self.lost, self.doubled) == (0, 0, 0), self
        assert self.records == self.inputs, self


def memory_mb(name: str, process: str = "self") -> float:
    """Return ``VmRSS`` or the peak ``VmHWM`` of a process in megabytes; 0 where Linux does not tell it."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
    return 0.0


_all: list[Figures] = []


def figures_of(part: str) -> Figures:
    """Return new figures, which the table shows."""
    _all.append(Figures(part))
    return _all[-1]


def table() -> list[str]:
    """Return the lines of the table; empty if no part ran."""
    if not _all:
        return []
    names = [field.name for field in fields(Figures)]
    cells = [[_shown(getattr(one, name)) for name in names] for one in _all]
    widths = [max(len(row[column]) for row in [names, *cells]) for column in range(len(names))]
    lines = [
        "  ".join(cell.ljust(width) if not place else cell.rjust(width) for place, (cell, width) in columns)
        for columns in (list(enumerate(zip(row, widths, strict=True))) for row in [names, *cells])
    ]
    return [*lines, f"Repeat with LEAFID_FAULTS_SEED={SEED}"]


def _shown(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)
