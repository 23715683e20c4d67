"""The whole walk as a user types it: draw, collect, audit, train, evaluate, identify, each a process of its own."""

import csv
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from leafid.errors import ExitCode

LEAFID = Path(sys.executable).with_name("leafid")
JOB = """
name: walk
seed: 3
taxa:
  target: Mitragyna speciosa
  look_alikes:
    - Mitragyna diversifolia
    - Mitragyna hirsuta
    - Mitragyna rotundifolia
    - Neolamarckia cadamba
    - Coffea canephora
sources:
  - kind: table
    path: drawn/sheets.csv
curation: {split: {val: 0.2, test: 0.2}}
sheets: {size: 32}
model: {backbone: shufflenet_v2_x1_0, weights: none}
training: {max_epochs: 2, batch_size: 8, augmentation: light, workers: 0}
"""


def leafid(cwd: Path, *words: str, expected: ExitCode = ExitCode.OK) -> str:
    finished = subprocess.run([LEAFID, *words], capture_output=True, text=True, cwd=cwd, timeout=280, check=False)
    assert finished.returncode == expected, finished.stderr
    assert "Traceback" not in finished.stderr
    return finished.stdout


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a small job has been walked up to its bundle."""
    here = tmp_path_factory.mktemp("walk")
    (here / "job.yaml").write_text(JOB)
    leafid(here, "draw", "drawn", "--sheets", "24", "--seed", "5")
    leafid(here, "collect", "job.yaml")
    leafid(here, "train", "job.yaml")
    return here


def test_a_run_holds_what_is_needed_to_judge_and_repeat_it(walked: Path) -> None:
    run = walked / "runs" / "walk"
    for name in ("job.yaml", "split.csv", "metrics.csv", "run.json", "logs", "checkpoints", "bundle/bundle.json"):
        assert (run / name).exists(), name
    assert {file.suffix for file in (run / "bundle").iterdir()} == {".json", ".safetensors", ".md", ".csv", ".zip"}
    assert "nothing about alkaloid" in (run / "bundle" / "MODEL_CARD.md").read_text()


def test_no_gathering_crosses_the_split(walked: Path) -> None:
    with (walked / "runs" / "walk" / "split.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 24
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row["gathering_id"], set()).add(row["split"])
    assert all(len(side) == 1 for side in sides.values())
    assert len(sides) < 24  # the drawn herbarium has duplicates


def test_evaluation_reports_every_test_image(walked: Path) -> None:
    leafid(walked, "evaluate", "runs/walk", "--on", "test")
    folder = walked / "runs" / "walk" / "evaluation" / "test"
    figures = json.loads((folder / "evaluation.json").read_text())
    with (walked / "runs" / "walk" / "split.csv").open() as opened:
        tested = sum(row["split"] == "test" for row in csv.DictReader(opened))
    with (folder / "predictions.csv").open() as opened:
        assert len(list(csv.DictReader(opened))) == tested
    assert "macro_f1" in json.dumps(figures)
    assert (folder / "confusion.png").is_file()


def test_identification_gives_one_record_per_image_and_says_which_failed(walked: Path) -> None:
    photos = walked / "photos"
    shutil.copytree(walked / "drawn" / "images", photos)
    broken = photos / "broken.jpg"
    broken.write_text("<html>not found</html>")
    count = sum(1 for _ in photos.iterdir())
    shown = leafid(walked, "identify", "runs/walk/bundle", "photos", "-o", "results.csv", expected=ExitCode.SOME_FAILED)
    assert "says nothing about alkaloids" in " ".join(shown.split())
    with (walked / "results.csv").open(newline="") as opened:
        records = list(csv.DictReader(opened))
    assert len(records) == count
    failed = [record for record in records if record["status"] == "failed"]
    assert [Path(record["path"]).name for record in failed] == ["broken.jpg"]
    assert failed[0]["reason"].startswith("not_an_image")
    assert all(re.fullmatch(r"walk@[0-9a-f]{12}-[0-9a-f]{6}", record["bundle"]) for record in records)


def test_a_second_training_does_not_overwrite_the_first(walked: Path) -> None:
    before = (walked / "runs" / "walk" / "bundle" / "model.safetensors").read_bytes()
    finished = subprocess.run([LEAFID, "train", "job.yaml"], capture_output=True, text=True, cwd=walked, check=False)
    assert finished.returncode == ExitCode.USER_ERROR
    assert "--resume" in finished.stderr
    assert (walked / "runs" / "walk" / "bundle" / "model.safetensors").read_bytes() == before


def test_an_audit_can_be_opened(walked: Path) -> None:
    leafid(walked, "audit", "job.yaml")
    assert "<html" in (walked / "data" / "walk" / "audit" / "audit.html").read_text()
