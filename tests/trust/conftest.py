"""A run made by hand, whose bundle classifies colours."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
import torch

from leafid.curation import write_split
from leafid.files import write_text
from leafid.jobs import Job, dump_job
from leafid.learning import RunInfo
from tests.identify.small_bundle import COLOURS, TARGET, leaf, make_bundle

MISLABELLED = 2
"""Test images with the target's colour and the determination of another taxon."""


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    """Return a run with 9 train and 14 test images: 4 of each taxon, and 2 mislabelled."""
    torch.set_num_threads(1)
    run = tmp_path / "run"
    bundle = make_bundle(run / "bundle")
    rows = []
    images = [
        (name, name, split, n) for split, count in (("train", 3), ("test", 4)) for name in COLOURS for n in range(count)
    ]
    images += [(TARGET, "Coffea canephora", "test", 90 + n) for n in range(MISLABELLED)]
    for number, (colour, name, split, seed) in enumerate(images):
        path = tmp_path / "images" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        leaf(colour, seed).save(path)
        rows.append((f"i{number}", f"images/{number}.png", name, f"g{number // 2}", None, split))
    columns = ["image_id", "path", "scientificName", "gathering_id", "institutionCode", "split"]
    write_split(run / "split.csv", pd.DataFrame(rows, columns=columns))
    job = Job.model_validate(
        {
            "name": "colours",
            "recipe": "none",
            "sources": [{"kind": "folder", "path": "images"}],
            "sheets": bundle.info.preprocessing.model_dump(mode="json"),
            "training": {"mode": "probe"},
            "output": {"data": str(tmp_path / "data")},
        }
    )
    write_text(run / "job.yaml", dump_job(job))
    info = RunInfo(
        state="finished",
        command="leafid train",
        started=datetime(2026, 1, 1, tzinfo=UTC),
        device="cpu",
        git_commit=None,
        versions={},
        catalog=tmp_path / "catalog.csv",
        catalog_sha256="0" * 64,
        taxonomy=bundle.info.taxonomy,
    )
    write_text(run / "run.json", info.model_dump_json())
    return run
