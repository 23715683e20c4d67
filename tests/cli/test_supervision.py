"""A command whose decoder crashes goes on without the image at fault; signals reach the process that works."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from leafid.errors import ExitCode, FailureReason, ImageError
from leafid.images import InFlight, guard_image, note_images
from tests.cli.crashing_decoder import environment, mark

LEAFID = Path(sys.executable).with_name("leafid")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="commands are supervised on Linux only")

PROGRAM = """
import os, sys, time
from pathlib import Path
from leafid.cli.supervision import supervise_program, survive_crashes

supervise_program()
before = survive_crashes(reads_list=True)

from leafid.errors import ImageError
from leafid.images import open_image

print("pid", os.getpid(), flush=True)
for name in sys.stdin.read().split():
    try:
        open_image(Path(name))
        print(name, "opened", flush=True)
    except ImageError as error:
        print(name, error, flush=True)
print("crashes", before, flush=True)
if "wait" in sys.argv:
    time.sleep(60)
sys.exit(7)
"""


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """Return the names of five photos; the decoder crashes on two of them."""
    names = [f"{number}.png" for number in range(5)]
    for name in names:
        Image.effect_noise((64, 64), 40).save(tmp_path / name)
    for number in (1, 4):
        mark(tmp_path / names[number])
    return names


def test_each_crash_costs_one_image(photos: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input="\n".join(photos),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(tmp_path / "hook"),
        check=False,
    )
    assert done.returncode == 7, done.stderr
    assert done.stderr.splitlines() == [
        f"{name}: the decoder crashed on it (SIGSEGV). The other images are not affected."
        for name in ("1.png", "4.png")
    ]
    last = done.stdout.splitlines()[-6:]
    crashed = "not_processed: the decoder crashed on it (SIGSEGV)"
    assert last == ["0.png opened", f"1.png {crashed}", "2.png opened", "3.png opened", f"4.png {crashed}", "crashes 2"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_signals_end_the_process_that_works(tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "wait"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler) and None,
    ) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline().split()[1])
        assert worker != process.pid and process.stdout.readline() == "crashes 0\n"
        process.send_signal(number)
        assert process.wait(60) == -number
        end = time.monotonic() + 30
        while _is_running(worker) and time.monotonic() < end:
            time.sleep(0.01)
        assert not _is_running(worker)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_collect_lists_the_image_on_which_the_decoder_crashes(photos: list[str], tmp_path: Path) -> None:
    taxon = tmp_path / "sheets" / "Viola alba"
    taxon.mkdir(parents=True)
    for name in photos[:3]:
        (tmp_path / name).rename(taxon / name)
    (tmp_path / "job.yaml").write_text("name: violas\nsources: [{kind: folder, path: sheets}]\n")
    command = [str(LEAFID), "collect", "job.yaml"]
    hook = environment(tmp_path / "hook")
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=hook, check=False)
    assert done.returncode == ExitCode.SOME_FAILED, done.stderr
    with (tmp_path / "data" / "violas" / "failures.csv").open(newline="") as opened:
        (failure,) = csv.DictReader(opened)
    assert failure["path"].endswith("1.png") and failure["reason"] == FailureReason.NOT_PROCESSED


def test_images_in_work_are_noted_once_and_crashed_ones_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    notes = InFlight()
    monkeypatch.setattr("leafid.images.in_flight._in_flight", None)
    monkeypatch.setattr("leafid.images.in_flight._crashed", {})
    note_images(notes, {"b.png": "the decoder crashed on it"})
    with guard_image("a.png"), guard_image("a.png"):
        assert notes.names() == ["a.png"]
    assert notes.names() == []
    with pytest.raises(ImageError, match="not_processed: the decoder crashed on it"), guard_image("b.png"):
        raise AssertionError("it is not worked on")


def test_a_command_within_a_supervised_one_forks_no_second_time() -> None:
    """`leafid demo` collects, trains and then identifies in one process, which by then has threads."""
    program = (
        "import os; from leafid.cli.supervision import supervise_program, survive_crashes; supervise_program(); "
        "first = os.getpid(); survive_crashes(); child = os.getpid(); survive_crashes(); "
        "print(first != child, child == os.getpid())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "True True\n", done.stderr
