"""The commands as processes: fast help, one-sentence errors without traceback, documented exit codes."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from leafid.cli import app
from leafid.errors import ExitCode

LEAFID = Path(sys.executable).with_name("leafid")
COMMANDS = sorted(
    str(command.name or command.callback.__name__).replace("_", "-")
    for command in app.registered_commands
    if command.callback and not command.hidden
)


def leafid(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LEAFID, *words], capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


@pytest.mark.parametrize("statement", ["import leafid", "import leafid.cli"])
def test_importing_is_fast(statement: str) -> None:
    program = (
        f"import sys; {statement}\n"
        "heavy = {'torch', 'torchvision', 'lightning', 'pandas', 'cv2', 'albumentations'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_help_takes_under_half_a_second() -> None:
    fastest = 10.0
    for _ in range(3):  # CPU time, because other processes may use the machine
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert leafid("--help").returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        fastest = min(fastest, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert fastest < 0.5


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    shown = leafid(command, "--help")
    assert shown.returncode == 0
    assert "Usage" in shown.stdout


@pytest.mark.parametrize(
    ("words", "new"),
    [("look --help", "preview"), ("draw out --sheets 3", "synthesize"), ("doubts", "label-issues")],
)
def test_a_renamed_command_names_its_successor(words: str, new: str) -> None:
    old, *rest = words.split()
    finished = leafid(old, *rest)
    assert finished.returncode == ExitCode.USER_ERROR
    assert finished.stderr == f"leafid: `leafid {old}` is now `leafid {new}`.\n"


def test_extras_in_brackets_are_shown_in_the_help() -> None:
    assert "leafid[ray]" in leafid("identify", "--help").stdout
    exported = leafid("export", "--help").stdout
    assert all(extra in exported for extra in ("leafid[train]", "leafid[openvino]", "leafid[int8]"))


def test_the_help_states_the_limits() -> None:
    assert "says nothing about alkaloids" in " ".join(leafid("--help").stdout.split())


def test_the_version_is_shown() -> None:
    assert re.fullmatch(r"leafid \d+\.\d+\.\d+\n", leafid("--version").stdout)
    command = [sys.executable, "-m", "leafid", "--version"]
    as_module = subprocess.run(command, capture_output=True, text=True, check=True)
    assert as_module.stdout == leafid("--version").stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "nowhere.yaml"], "There is no file nowhere.yaml"),
        (["collect", "nowhere.yaml"], "There is no file nowhere.yaml"),
        (["evaluate", "nowhere"], "nowhere"),
        (["identify", "nowhere", "photo.jpg"], "There is no bundle nowhere"),
        (["trian"], "No such command"),
    ],
)
def test_a_mistake_gives_one_sentence(tmp_path: Path, words: list[str], expected: str) -> None:
    finished = leafid(*words, cwd=tmp_path)
    assert finished.returncode == ExitCode.USER_ERROR
    assert expected in finished.stderr
    assert "Traceback" not in finished.stderr


def test_job_check_prints_the_effective_job_and_schema_prints_json(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text("name: a\nsources: [{kind: folder, path: x}]\n")
    shown = leafid("job", "check", "job.yaml", "--set", "training.max_epochs=7", cwd=tmp_path)
    assert "max_epochs: 7" in shown.stdout
    assert '"$schema"' in leafid("job", "schema").stdout


def test_the_columns_of_all_tables_are_printed() -> None:
    shown = leafid("columns").stdout
    assert all(f"| `{column}` |" in shown for column in ("gathering_id", "prediction_set", "apex_form", "base_x"))


def test_a_defect_is_saved_to_a_file_and_not_printed(tmp_path: Path) -> None:
    # A broken pandas simulates a defect.
    (tmp_path / "pandas.py").write_text("raise RuntimeError('broken on purpose')\n")
    (tmp_path / "job.yaml").write_text("name: a\nsources: [{kind: table, path: t.csv}]\n")
    (tmp_path / "t.csv").write_text("path,scientificName\nx.png,Mitragyna speciosa\n")
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png")
    finished = subprocess.run(
        [LEAFID, "collect", "job.yaml"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        check=False,
    )
    assert finished.returncode == ExitCode.INTERNAL_ERROR
    assert "defect of leafid" in finished.stderr
    assert "Traceback" not in finished.stderr
    report = re.search(r"\S+leafid-defect-\S+\.txt", finished.stderr)
    assert report is not None
    assert "broken on purpose" in Path(report.group()).read_text()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "latin-1"])
def test_output_in_a_small_encoding_has_replacement_characters(tmp_path: Path, encoding: str) -> None:
    Image.new("RGB", (90, 120), (60, 170, 70)).save(tmp_path / "葉.jpg")
    ran = subprocess.run(
        [LEAFID, "preview", "葉.jpg", "-o", "葉o.png"],
        capture_output=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=120,
        check=False,
    )
    assert ran.returncode == ExitCode.OK, ran.stderr
    assert ran.stdout.startswith(b"?o.png: ") and (tmp_path / "葉o.png").is_file()


def test_previewing_a_strip_is_refused_in_one_sentence(tmp_path: Path) -> None:
    Image.new("RGB", (5000, 2)).save(tmp_path / "strip.png")
    ran = leafid("preview", "strip.png", "-o", "look.png", cwd=tmp_path)
    assert ran.returncode == ExitCode.USER_ERROR and not (tmp_path / "look.png").exists()
    assert ran.stderr.startswith("leafid: strip.png cannot be shown: too_narrow: 5000 x 2 pixels")
