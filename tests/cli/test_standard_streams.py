"""Standard streams that are closed, full or broken cost what is printed, never the work."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from leafid.cli import standard_streams as streams
streams.open_missing_streams()
streams.make_streams_lossy()
with open(sys.argv[1], "w") as work:
    for number in range(1000):
        print("Blätter 叶", "x" * 1000, flush=number % 2 == 0)
        print("error", file=sys.stderr)
        work.write("r")
    work.write(f" lost: {streams.printing_error()}")
"""


@pytest.mark.parametrize(
    ("redirection", "lost"),
    [
        ("> /dev/full 2>&1", "No space left on device"),
        (">&- 2>&- <&-", "None"),
        ("2> /dev/full | head -c 10", "Broken pipe"),
        ("> /dev/null 2>&1", "None"),
    ],
)
def test_work_goes_on_whatever_happens_to_what_is_printed(tmp_path: Path, redirection: str, lost: str) -> None:
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")
    command = f"set -o pipefail; '{sys.executable}' '{script}' '{tmp_path / 'work'}' {redirection}"
    subprocess.run(["bash", "-c", command], check=True, timeout=60, stdout=subprocess.DEVNULL)
    work = (tmp_path / "work").read_text(encoding="utf-8")
    assert work.startswith("r" * 1000 + " lost: ") and lost in work, "the file holds the work and nothing else"


def test_what_cannot_be_printed_is_said(tmp_path: Path) -> None:
    leafid = Path(sys.executable).with_name("leafid")
    command = ["bash", "-c", f"'{leafid}' columns > /dev/full"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == "leafid: standard output cannot be written: No space left on device.\n"
    assert done.returncode == 2


def test_a_reader_that_stops_ends_a_printing_command_quietly() -> None:
    leafid = Path(sys.executable).with_name("leafid")
    command = ["bash", "-c", f"'{leafid}' columns | head -n 0; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (141, "", "")
