"""A synthetic task (broad leaves and narrow leaves), and one run trained on it that many tests share."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from leafid.catalog import write_catalog
from leafid.jobs import Job
from leafid.learning import Run, train

TAXA = ("Viola alba", "Viola biflora")
PARTS = ["train"] * 24 + ["val"] * 8 + ["test"] * 8

MakeJob = Callable[..., Job]


def drawn_leaf(label: int, random: np.random.Generator) -> Image.Image:
    """Draw a leaf: broad for label 1, narrow for 0."""
    return drawn_ellipse(16 if label else 4, random)


def drawn_ellipse(width: float, random: np.random.Generator) -> Image.Image:
    """Draw a green ellipse on paper, given half its width in pixels."""
    height = 20
    y, x = np.mgrid[:56, :48]
    top, left = random.uniform(24, 32), random.uniform(20, 28)
    inside = ((x - left) / width) ** 2 + ((y - top) / height) ** 2 < 1
    pixels = np.where(inside[..., None], (40, 110, 50), (235, 230, 215)) + random.normal(0, 6, (56, 48, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Draw the images of the task and write their catalog; returns the folder."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    rows = []
    for number, part in enumerate(PARTS):
        label = number % 2
        drawn_leaf(label, random).save(folder / f"{number}.png")
        rows.append(
            {
                "image_id": f"{number:016x}",
                "path": f"{number}.png",
                "scientificName": TAXA[label],
                "gathering_id": f"gathering {number}",
                "domain": "drawn",
                "split": part,
            }
        )
    write_catalog(pd.DataFrame(rows), folder / "catalog.csv")
    return folder


@pytest.fixture(scope="session")
def make_job(data: Path) -> MakeJob:
    """Return a function that makes small jobs on the task; keywords are settings of ``training``."""

    def make(*, model: dict[str, object] | None = None, **training: object) -> Job:
        return Job.model_validate(
            {
                "name": "leaves",
                "recipe": "none",
                "seed": 7,
                "sources": [{"kind": "folder", "path": str(data)}],
                "curation": {"split": {"by": "column"}},
                "sheets": {"size": 32},
                "model": {"backbone": "shufflenet_v2_x1_0", "weights": "none", "dropout": 0.2} | (model or {}),
                "training": {
                    "max_epochs": 5,
                    "batch_size": 8,
                    "learning_rate": 1e-3,
                    "workers": 0,
                    "device": "cpu",
                    "augmentation": "light",
                }
                | training,
                "output": {"data": str(data)},
            }
        )

    return make


@pytest.fixture(scope="session")
def trained(make_job: MakeJob, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Return a finished run on the task; tests only read it."""
    return train(make_job(), run=tmp_path_factory.mktemp("runs") / "leaves")
