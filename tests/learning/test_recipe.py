"""The recipe of a job adapts to its images: it counts leaves on a sample of them."""

from pathlib import Path

import numpy as np
import pytest

from leafid.jobs import with_settings
from leafid.learning import resolve_recipe
from leafid.learning.recipe import dataset_facts, median_leaves
from tests.learning.conftest import MakeJob


def test_leaves_are_counted_on_the_images(make_job: MakeJob, data: Path) -> None:
    facts = dataset_facts(make_job())
    assert facts.images_per_taxon == 12  # 24 training images of two taxa
    assert facts.leaves_per_image <= 2 and not facts.gpu


def test_images_that_cannot_be_read_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    assert median_leaves([tmp_path / "broken.jpg"]) == 0


def test_a_job_without_settings_is_adapted_and_says_why(make_job: MakeJob, caplog: pytest.LogCaptureFixture) -> None:
    content = make_job().model_dump(mode="json") | {"recipe": "balanced"}
    for section in ("sheets", "model", "training"):
        content[section] = {"weights": "imagenet"} if section == "model" else {}
    job = type(make_job()).model_validate(content)
    with caplog.at_level("INFO"):
        effective = resolve_recipe(job)
    assert effective.sheets.size == 224 and effective.training.probe_augmented_copies == 0
    assert "photos of single leaves" in caplog.text and "12 training images per taxon" in caplog.text
    assert resolve_recipe(effective) == effective
    swept = with_settings(job, {"training.max_epochs": 3})
    assert resolve_recipe(swept).sheets == effective.sheets and np.isclose(swept.training.max_epochs, 3)
