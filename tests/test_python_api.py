"""What Python programs import from leafid works as its documentation shows."""

import doctest
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import leafid
from leafid.bundle import bundle_folder
from leafid.errors import BundleError, JobError, UsageError
from leafid.identify import identifier as identifier_module
from leafid.identify.plants import grouping
from leafid.jobs import Job
from tests.identify.small_bundle import COLOURS, TARGET, leaf, make_bundle

PAGE = Path(__file__).parents[1] / "docs" / "python.md"
JOB = """
name: my-leaves
recipe: none
sources:
  - {kind: folder, path: photos}
curation: {split: {val: 0.25, test: 0.25}, near_duplicates: allow}
sheets: {size: 32}
model: {backbone: shufflenet_v2_x1_0, weights: none}
training: {max_epochs: 1, batch_size: 4, augmentation: none, workers: 0}
"""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in a folder with a run, two photos of the target, and a job with its images."""
    make_bundle(tmp_path / "runs" / "my-leaves" / "bundle")
    leaf(TARGET, 1).save(tmp_path / "leaf.jpg", quality=95)
    leaf(TARGET, 2).save(tmp_path / "twig.jpg", quality=95)
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def _run(values: dict[str, object], *headings: str) -> None:
    """Run the examples below headings of the page, one after the other."""
    for heading in headings:
        section = PAGE.read_text(encoding="utf-8").partition(f"## {heading}\n")[2].partition("\n## ")[0]
        (example,) = re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
        exec(compile(example, f"{PAGE.name}: {heading}", "exec"), values)


def test_the_examples_of_identification_run(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values: dict[str, object] = {}
    _run(values, "Identify", "Errors")
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in printed[:2]] == [
        [name, "identified", *TARGET.split()] for name in ("leaf.jpg", "twig.jpg")
    ]
    assert printed[2].startswith(TARGET) and getattr(values["embeddings"], "shape", None) == (2, 1024)
    assert printed[-1].startswith("There is no bundle no-such-bundle")
    table = values["table"]
    assert list(getattr(table, "scientific_name", ())) == [TARGET]
    assert leafid.to_frame([]).columns.tolist() == list(getattr(table, "columns", ()))


def test_the_example_of_measuring_prints_characters(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(PAGE.parent / "figures" / "photographs" / "good.jpg", workplace / "leaf.jpg")
    _run({}, "Measure leaves")
    assert "secondary_vein_pairs" in capsys.readouterr().out


def test_the_example_of_training_trains_and_evaluates(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workplace / "my-leaves.yaml").write_text(JOB)
    for number, name in enumerate(list(COLOURS) * 8):  # each with a seed of its own: the same grain is a duplicate
        path = workplace / "photos" / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        leaf(name, number).save(path)
    command = [sys.executable, "-c", "from leafid.cli import main; main()", "collect", "my-leaves.yaml"]
    subprocess.run(command, check=True, capture_output=True)
    bundle = bundle_folder(workplace / "runs" / "my-leaves")
    for file in sorted(bundle.parent.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    bundle.parent.rmdir()
    values: dict[str, object] = {}
    _run(values, "Train and evaluate")
    assert f"{tuple(sorted(COLOURS))}" in capsys.readouterr().out
    import torch

    logits = values["logits"]
    assert callable(logits)
    assert logits(torch.zeros((2, 3, 32, 32), dtype=torch.uint8)).shape == (2, 3)


@pytest.mark.parametrize("module", [identifier_module, grouping])
def test_examples_in_docstrings_run(workplace: Path, module: object) -> None:
    bundle = workplace / "runs" / "my-leaves"
    names = {"bundle": bundle, "identifier": leafid.Identifier.load(bundle, device="cpu")}
    results = doctest.testmod(module, extraglobs=names, optionflags=doctest.ELLIPSIS)  # type: ignore[arg-type]
    assert results.attempted and not results.failed


def test_mistakes_have_messages(tmp_path: Path) -> None:
    with pytest.raises(JobError, match=r"nowhere\.yaml"):
        leafid.train(tmp_path / "nowhere.yaml")
    with pytest.raises(BundleError, match="There is no bundle"):
        leafid.Bundle.load(tmp_path / "nowhere")
    job = Job.model_validate({"name": "x", "sources": [{"kind": "folder", "path": "y"}], "recipe": "none"})
    with pytest.raises(UsageError, match="overrides replace values of a job file"):
        leafid.train(job, overrides=["seed=1"])


def test_importing_leafid_imports_nothing_heavy() -> None:
    code = (
        "import sys, leafid; before = set(sys.modules)\n"
        "assert {'Identifier', 'Bundle', 'train', 'evaluate', 'to_frame', 'Plant'} <= set(dir(leafid))\n"
        "assert not {'numpy', 'torch', 'pandas', 'pydantic', 'leafid.python_api'} & before\n"
        "leafid.to_frame, leafid.Bundle, leafid.train\n"
        "assert not {'torch', 'pandas'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
