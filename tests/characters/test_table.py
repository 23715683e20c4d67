"""Measured leaves as a table, as the command writes it."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from leafid.characters import column_documentation, measure_to_file, table_columns
from leafid.errors import OutputError
from tests.characters.leaves import drawn_leaf, on_paper

LEAFID = str(Path(sys.executable).with_name("leafid"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A leaf, an empty sheet, and a file that is no image."""
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
    table.write_text("mine", encoding="utf-8")
    with pytest.raises(OutputError, match="is there already: replace it with --force"):
        measure_to_file([folder / "blank.png"], table, leaves=1)
    assert table.read_text(encoding="utf-8") == "mine"
    measure_to_file([folder / "blank.png"], table, leaves=1, replace=True)
    assert len(_rows(table)) == 1


def test_a_folder_that_is_not_there_is_told_in_a_sentence(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        measure_to_file([folder / "blank.png"], tmp_path / "nowhere" / "characters.csv", leaves=1)


def test_processes_give_the_same_rows_in_the_same_order(folder: Path, tmp_path: Path) -> None:
    paths = [folder / name for name in ("broken.jpg", "a leaf.png", "blank.png")]
    measure_to_file(paths, tmp_path / "one.csv", leaves=2)
    measure_to_file(paths, tmp_path / "two.csv", leaves=2, workers=2)
    assert (tmp_path / "one.csv").read_text("utf-8") == (tmp_path / "two.csv").read_text("utf-8")


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
