"""The table of measured leaves that the command writes."""

import csv
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from leafid.characters import column_documentation, measure_to_file, table_columns
from leafid.errors import OutputError
from leafid.files import Existing
from leafid.version import __version__
from tests.characters.leaves import drawn_leaf, on_paper

LEAFID = str(Path(sys.executable).with_name("leafid"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a leaf, an empty sheet, and a file that is not an image."""
    folder = tmp_path_factory.mktemp("images")
    leaf = drawn_leaf("Coffea canephora", 6, px_per_mm=4)
    Image.fromarray(on_paper(leaf)).save(folder / "a leaf.png")
    Image.new("RGB", (400, 500), (228, 224, 214)).save(folder / "blank.png")
    (folder / "broken.jpg").write_bytes(b"no image")
    return folder


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def _leafid(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [LEAFID, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_writes_a_row_for_every_image(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "characters.csv"
    run = _leafid("measure", str(folder), "-o", str(table), "--px-per-mm", "4")
    assert run.returncode == 3, run.stderr
    rows = _rows(table)
    assert [Path(row["path"]).name for row in rows] == ["a leaf.png", "blank.png", "broken.jpg"]
    leaf, blank, broken = rows
    traits = drawn_leaf("Coffea canephora", 6).traits
    assert leaf["status"] == "measured" and leaf["leaf"] == "1"
    assert float(leaf["secondary_vein_pairs"]) == pytest.approx((traits.pairs_left + traits.pairs_right) / 2, abs=1)
    assert float(leaf["blade_length_cm"]) == pytest.approx(traits.length_mm / 10, rel=0.07)
    assert "Coffea canephora" in leaf["flora_fit"]
    assert (blank["status"], blank["reason"], blank["secondary_vein_pairs"]) == ("not_measured", "no_leaf", "")
    assert broken["status"] == "failed" and broken["reason"].startswith("not_an_image")
    assert "1 leaves measured" in run.stdout and "1 could not be read" in run.stdout


def test_an_existing_table_is_not_lost(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "characters.csv"
    table.write_text("notes", encoding="utf-8")
    existing: Existing
    for existing in ("refuse", "resume", "replace"):
        with pytest.raises(OutputError, match="was not written by this command of leafid"):
            measure_to_file([folder / "blank.png"], table, leaves=1, existing=existing)
    assert table.read_text(encoding="utf-8") == "notes"
    table.unlink()
    measure_to_file([folder / "blank.png"], table, leaves=1)
    with pytest.raises(OutputError, match=r"already exists\. Add --resume to continue it, or --force"):
        measure_to_file([folder / "blank.png"], table, leaves=1)
    measure_to_file([folder / "blank.png"], table, leaves=1, existing="replace")
    assert len(_rows(table)) == 1


def test_error_for_a_missing_folder(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        measure_to_file([folder / "blank.png"], tmp_path / "nowhere" / "characters.csv", leaves=1)


def test_processes_give_the_same_rows_in_the_same_order(folder: Path, tmp_path: Path) -> None:
    paths = [folder / name for name in ("broken.jpg", "a leaf.png", "blank.png")]
    measure_to_file(paths, tmp_path / "one.csv", leaves=2)
    measure_to_file(paths, tmp_path / "two.csv", leaves=2, workers=2)
    assert (tmp_path / "one.csv").read_text("utf-8") == (tmp_path / "two.csv").read_text("utf-8")


def test_an_interrupted_table_is_completed_wherever_it_ends(folder: Path, tmp_path: Path) -> None:
    """One image has two leaves, so that a cut between its rows must not lose the second; one image is named twice."""
    leaf = Image.open(folder / "a leaf.png")
    pair = Image.new("RGB", (2 * leaf.width, leaf.height), (228, 224, 214))
    pair.paste(leaf, (0, 0))
    pair.paste(leaf, (leaf.width, 0))
    pair.save(tmp_path / "pair.png")
    paths = [folder / "blank.png", tmp_path / "pair.png", folder / "broken.jpg", folder / "blank.png"]
    whole, table = tmp_path / "whole.csv", tmp_path / "cut.csv"
    summary = measure_to_file(paths, whole, leaves=2)
    content = whole.read_bytes()
    lines = content.splitlines(keepends=True)
    assert len(lines) == 6
    ends = [len(b"".join(lines[:number])) for number in range(7)]
    progress: list[int] = []
    pair_begins, between, pair_ends = ends[2], ends[3], ends[4]
    for end in (0, 40, ends[1], ends[1] + 9, pair_begins + 30, between, between + 30, pair_ends, ends[5] - 1, ends[6]):
        table.write_bytes(content[:end])
        progress.clear()
        resumed = measure_to_file(
            paths, table, leaves=2, existing="resume", on_progress=lambda done, _: progress.append(done)
        )
        assert table.read_bytes() == content, end
        assert (resumed, progress[-1]) == (summary, 4), end
        if end in (between, pair_ends, ends[6]):  # of a whole image nothing is measured again
            assert progress[0] == {between: 1, pair_ends: 2, ends[6]: 4}[end]


def test_a_killed_measurement_is_resumed(tmp_path: Path) -> None:
    for number in range(30):
        Image.new("RGB", (500, 600), (228, 224, 214)).save(tmp_path / f"{number:02}.png")
    table = tmp_path / "characters.csv"
    command = [LEAFID, "measure", str(tmp_path), "-o", str(table), "--workers", "1"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    waited = time.monotonic()
    while running.poll() is None and time.monotonic() - waited < 60:
        if table.exists() and table.read_bytes().count(b"\n") > 4:
            break
        time.sleep(0.002)
    running.kill()
    running.wait()
    assert _leafid(*command[1:]).returncode == 2  # the table exists
    assert _leafid(*command[1:], "--resume", "--force").returncode == 2
    run = _leafid(*command[1:], "--resume")
    assert run.returncode == 0, run.stderr
    assert [Path(row["path"]).stem for row in _rows(table)] == [f"{number:02}" for number in range(30)]
    assert "30 images" in run.stdout


def test_another_table_is_not_resumed(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "characters.csv"
    measure_to_file([folder / "blank.png", folder / "broken.jpg"], table, leaves=1)
    with pytest.raises(OutputError, match=r"blank\.png, not among these images"):
        measure_to_file([folder / "broken.jpg"], table, leaves=1, existing="resume")
    content = table.read_text("utf-8")
    table.write_text(content.replace(__version__, "0.0.1"), encoding="utf-8", newline="")
    with pytest.raises(OutputError, match=r"measured by leafid 0\.0\.1"):
        measure_to_file([folder / "blank.png", folder / "broken.jpg"], table, leaves=1, existing="resume")
    lines = content.splitlines(keepends=True)
    table.write_text("".join([lines[0], lines[1].rpartition(",")[0] + "\n", lines[2]]), encoding="utf-8", newline="")
    with pytest.raises(OutputError, match=r"row 1: \d+ values, but \d+ columns"):
        measure_to_file([folder / "blank.png", folder / "broken.jpg"], table, leaves=1, existing="resume")
    table.write_text("path,note\na.png,notes\n", encoding="utf-8")
    with pytest.raises(OutputError, match="was not written by this command of leafid"):
        measure_to_file([folder / "blank.png"], table, leaves=1, existing="resume")
    assert table.read_text("utf-8") == "path,note\na.png,notes\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--leaves", "3"], "measured with --leaves 2, now it would be with --leaves 3"),
        (["--leaves", "2", "--px-per-mm", "4"], "measured without --px-per-mm, now it would be with --px-per-mm 4.0"),
    ],
)
def test_a_table_is_not_resumed_with_other_settings(
    folder: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    """Else its first half would be measured otherwise than its second, and nobody could tell."""
    table = tmp_path / "characters.csv"
    paths = [folder / "blank.png", folder / "broken.jpg"]
    measure_to_file(paths, table, leaves=2)
    content = table.read_bytes()
    run = _leafid("measure", *map(str, paths), "-o", str(table), "--resume", *options)
    assert run.returncode == 2 and message in " ".join(run.stderr.split()), run.stderr
    assert table.read_bytes() == content


def test_the_command_refuses_what_it_cannot_write(folder: Path, tmp_path: Path) -> None:
    run = _leafid("measure", str(folder), "-o", str(tmp_path / "characters.xlsx"))
    assert run.returncode == 2
    assert "name a file that ends in .csv" in run.stderr


def test_every_column_is_explained() -> None:
    documentation = column_documentation()
    for name, meaning in table_columns().items():
        assert f"| `{name}` | {meaning} |" in documentation
        assert meaning


def test_importing_the_package_is_cheap() -> None:
    code = "import sys, leafid.characters; sys.exit(bool({'cv2', 'torch', 'pandas', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
