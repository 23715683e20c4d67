"""`leafid export` and `leafid identify` as processes: engines, shards, lists on standard input, derived outputs."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from leafid.errors import ExitCode
from leafid.identify import read_records
from tests.characters.leaves import drawn_leaf, on_paper
from tests.identify.small_bundle import COLOURS, leaf

LEAFID = Path(sys.executable).with_name("leafid")


def _leafid(*words: str | Path, typed: str = "", cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(LEAFID), *map(str, words)]
    return subprocess.run(command, input=typed, capture_output=True, text=True, cwd=cwd, timeout=120, check=False)


@pytest.fixture
def photos(tmp_path: Path) -> list[str]:
    """Return the names of six leaves in a folder."""
    names = [f"{number}.png" for number in range(6)]
    for number, name in enumerate(names):
        leaf(list(COLOURS)[number % 3], number).save(tmp_path / name)
    return names


def test_a_list_on_standard_input_in_shards_with_all_outputs(
    bundle_folder: Path, photos: list[str], tmp_path: Path
) -> None:
    shown = _leafid(
        *("identify", bundle_folder, "-", "--shard", "2/2", "--engine", "torch", "-o", "half.csv"),
        *("--darwin-core", "dwc.csv", "--report", "report.html"),
        typed="\n".join(photos),
        cwd=tmp_path,
    )
    assert shown.returncode == ExitCode.OK, shown.stderr
    assert [record.path for record in read_records(tmp_path / "half.csv")] == photos[3:]
    with (tmp_path / "dwc.csv").open(encoding="utf-8", newline="") as opened:
        assert [row["associatedMedia"] for row in csv.DictReader(opened)] == photos[3:]
    assert "The bundle colours was never calibrated" in shown.stdout
    assert "data:image/jpeg" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Darwin Core: dwc.csv, 3 rows\n" in shown.stdout and "Report: report.html" in shown.stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--resume"], "--resume continues a result file. Name it with -o."),
        (["--heat-maps", "all"], "--heat-maps adds heat maps to the report. Name the report with --report"),
        (["-o", "r.csv", "--report", "r.pdf"], "--report r.pdf: name a file that ends in .html"),
        (["--batch-size", "0"], "--batch-size 0: give a whole number of at least 1, or auto"),
    ],
)
def test_options_that_do_not_fit_together_are_refused_before_loading(
    tmp_path: Path, options: list[str], message: str
) -> None:
    refused = _leafid("identify", "nowhere", "leaf.png", *options, cwd=tmp_path)
    assert refused.returncode == ExitCode.USER_ERROR
    assert message in refused.stderr


def test_many_images_need_a_result_file(tmp_path: Path) -> None:
    names = [f"{number}.png" for number in range(41)]
    refused = _leafid("identify", "nowhere", *names, cwd=tmp_path)
    assert refused.returncode == ExitCode.USER_ERROR
    assert "41 images are too many for the terminal. Name a result file: -o results.csv" in refused.stderr


def test_characters_are_shown_in_the_terminal(bundle_folder: Path, tmp_path: Path) -> None:
    Image.fromarray(on_paper(drawn_leaf("Coffea canephora", 6))).save(tmp_path / "leaf.png")
    shown = _leafid("identify", bundle_folder, "leaf.png", "--characters", cwd=tmp_path)
    assert shown.returncode == ExitCode.OK, shown.stderr
    assert "pairs of secondary veins" in " ".join(shown.stdout.split())


def test_a_missing_engine_is_refused(bundle_folder: Path, photos: list[str], tmp_path: Path) -> None:
    for words in (("identify", bundle_folder, "0.png"), ("watch", bundle_folder, ".", "-o", "results.csv")):
        shown = _leafid(*words, "--engine", "onnx", cwd=tmp_path)
        assert shown.returncode == ExitCode.USER_ERROR
        assert "leafid export" in shown.stderr


def test_export_compares_on_drawn_sheets(bundle_folder: Path, photos: list[str], tmp_path: Path) -> None:
    copy = tmp_path / "bundle"
    shutil.copytree(bundle_folder, copy)
    shown = _leafid("export", copy, "--to", "onnx", "--sheets", "1", cwd=tmp_path)
    assert shown.returncode == ExitCode.OK, shown.stderr
    assert "on 1 images" in shown.stdout and "same first taxon for 100.0%" in shown.stdout
    identified = _leafid("identify", copy, *photos, "--engine", "onnx", cwd=tmp_path)
    assert identified.returncode == ExitCode.OK, identified.stderr
