"""All steps as separate processes: synthesize, collect, audit, train, evaluate, identify."""

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
name: steps
recipe: none
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
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a small job has been trained."""
    here = tmp_path_factory.mktemp("steps")
    (here / "job.yaml").write_text(JOB)
    leafid(here, "synthesize", "drawn", "--sheets", "24", "--seed", "5")
    leafid(here, "collect", "job.yaml")
    leafid(here, "train", "job.yaml")
    return here


def test_a_run_contains_what_is_needed_to_evaluate_and_repeat_it(workspace: Path) -> None:
    run = workspace / "runs" / "steps"
    for name in ("job.yaml", "split.csv", "metrics.csv", "run.json", "logs", "checkpoints", "bundle/bundle.json"):
        assert (run / name).exists(), name
    assert {file.suffix for file in (run / "bundle").iterdir()} == {".json", ".safetensors", ".md", ".csv", ".zip"}
    assert "nothing about alkaloid" in (run / "bundle" / "MODEL_CARD.md").read_text()


def test_no_gathering_crosses_the_split(workspace: Path) -> None:
    with (workspace / "runs" / "steps" / "split.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 24
    sides: dict[str, set[str]] = {}
    for row in rows:
        sides.setdefault(row["gathering_id"], set()).add(row["split"])
    assert all(len(side) == 1 for side in sides.values())
    assert len(sides) < 24  # the drawn herbarium has duplicates


def test_evaluation_reports_every_test_image(workspace: Path) -> None:
    leafid(workspace, "evaluate", "runs/steps", "--on", "test")
    folder = workspace / "runs" / "steps" / "evaluation" / "test"
    figures = json.loads((folder / "evaluation.json").read_text())
    with (workspace / "runs" / "steps" / "split.csv").open() as opened:
        tested = sum(row["split"] == "test" for row in csv.DictReader(opened))
    with (folder / "predictions.csv").open() as opened:
        assert len(list(csv.DictReader(opened))) == tested
    assert "macro_f1" in json.dumps(figures)
    assert (folder / "confusion.png").is_file()


def test_identification_gives_one_record_per_image_and_lists_failures(workspace: Path) -> None:
    photos = workspace / "photos"
    shutil.copytree(workspace / "drawn" / "images", photos)
    broken = photos / "broken.jpg"
    broken.write_text("<html>not found</html>")
    count = sum(1 for _ in photos.iterdir())
    shown = leafid(
        workspace, "identify", "runs/steps/bundle", "photos", "-o", "results.csv", expected=ExitCode.SOME_FAILED
    )
    assert "says nothing about alkaloids" in " ".join(shown.split())
    with (workspace / "results.csv").open(newline="") as opened:
        records = list(csv.DictReader(opened))
    assert len(records) == count
    failed = [record for record in records if record["status"] == "failed"]
    assert [Path(record["path"]).name for record in failed] == ["broken.jpg"]
    assert failed[0]["reason"].startswith("not_an_image")
    assert all(re.fullmatch(r"steps@[0-9a-f]{12}-[0-9a-f]{6}", record["bundle"]) for record in records)


def test_a_second_training_does_not_overwrite_the_first(workspace: Path) -> None:
    before = (workspace / "runs" / "steps" / "bundle" / "model.safetensors").read_bytes()
    finished = subprocess.run([LEAFID, "train", "job.yaml"], capture_output=True, text=True, cwd=workspace, check=False)
    assert finished.returncode == ExitCode.USER_ERROR
    assert "is a finished run" in finished.stderr and "--out" in finished.stderr
    assert (workspace / "runs" / "steps" / "bundle" / "model.safetensors").read_bytes() == before


def test_an_audit_can_be_opened(workspace: Path) -> None:
    leafid(workspace, "audit", "job.yaml")
    assert "<html" in (workspace / "data" / "steps" / "audit" / "audit.html").read_text()
