"""Recipes: what a job leaves out comes from its recipe, adapted to the images; what it sets stays."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from leafid.jobs import DatasetFacts, Job, apply_recipe, dump_job, load_job
from tests.cli.test_commands import LEAFID

SHEETS = DatasetFacts(images_per_taxon=6, leaves_per_image=8, gpu=False)
LEAVES = DatasetFacts(images_per_taxon=74, leaves_per_image=1, gpu=False)


def job(**content: object) -> Job:
    return Job.model_validate({"name": "leaves", "sources": [{"kind": "folder", "path": "photos"}], **content})


def test_a_job_with_nothing_but_images_gets_the_balanced_recipe() -> None:
    effective, rules = apply_recipe(job(), SHEETS)
    assert effective.model.pooling == "covariance" and effective.training.mode == "probe"
    assert effective.sheets.views.model_dump() == {"image": 1, "plant": 1, "leaves": 8, "tiles": 12, "veins": 0}
    assert effective.sheets.background == "kept" and effective.sheets.orientation == "kept"
    assert (effective.sheets.size, effective.sheets.overview_size) == (320, 672)
    assert effective.training.probe_augmented_copies == 0
    assert any("8 leaves found per image" in rule for rule in rules) and any("no GPU" in rule for rule in rules)


def test_single_leaves_and_many_images_have_their_own_settings() -> None:
    effective, _ = apply_recipe(job(), LEAVES)
    assert effective.sheets.views.model_dump() == {"image": 0, "plant": 1, "leaves": 0, "tiles": 0, "veins": 0}
    assert effective.sheets.background == "plain" and effective.sheets.overview_size == 448
    assert effective.sheets.orientation == "upright" and effective.sheets.search_side == 320
    assert (effective.training.probe_augmented_copies, effective.training.augmentation) == (2, "strong")


def test_larger_photos_are_reduced_to_the_size_of_the_training_images() -> None:
    effective, rules = apply_recipe(job(), replace(SHEETS, shorter_side=700))
    assert effective.sheets.reduced_side == 768  # a multiple of 256: training images of about one size stay as they are
    assert any("up to 700 pixels" in rule and "reduced to 768" in rule for rule in rules)
    assert apply_recipe(job(), SHEETS)[0].sheets.reduced_side is None  # sizes that the catalog does not have


def test_settings_of_the_job_take_precedence() -> None:
    own = job(sheets={"views": {"plant": 1}, "size": 96}, training={"mode": "fine-tune"}, model={"scales": [1.0]})
    effective, _ = apply_recipe(own, SHEETS)
    assert effective.sheets.views.total == 1 and effective.sheets.size == 96
    assert effective.training.mode == "fine-tune" and effective.model.scales == (1.0,)
    assert effective.sheets.overview_size == 672  # not set by the job


@pytest.mark.parametrize("recipe", ["balanced", "fast", "accurate"])
def test_an_effective_job_stays_as_it_is_whatever_the_images(recipe: str, tmp_path: Path) -> None:
    effective, _ = apply_recipe(job(recipe=recipe), SHEETS)
    (tmp_path / "job.yaml").write_text(dump_job(effective))
    again = load_job(tmp_path / "job.yaml")
    assert again == effective and apply_recipe(again, LEAVES) == (effective, ())


def test_recipes_differ_in_views_and_mode() -> None:
    fast, balanced, accurate = (apply_recipe(job(recipe=each), SHEETS)[0] for each in ("fast", "balanced", "accurate"))
    assert fast.sheets.views.total == 1 and fast.model.scales == (1.0,)
    assert fast.sheets.search_side == balanced.sheets.search_side == 1024
    assert apply_recipe(job(recipe="fast"), LEAVES)[0].sheets.search_side == 320  # sheets need more
    assert balanced.sheets.views.veins == 0 and accurate.sheets.views.veins == 8
    assert accurate.training.mode == "fine-tune"
    accurate = apply_recipe(job(recipe="accurate"), LEAVES)[0]
    assert accurate.sheets.search_side == 1024  # it cuts more than the plant
    of_leaves = accurate.sheets.views
    assert (of_leaves.plant, of_leaves.leaves, of_leaves.tiles, of_leaves.veins) == (1, 2, 6, 2)
    assert apply_recipe(job(), DatasetFacts(6, 8, gpu=True))[0].training.mode == "fine-tune"


def test_random_weights_are_trained_with_average_pooling() -> None:
    effective, _ = apply_recipe(job(model={"weights": "none"}), SHEETS)
    assert effective.training.mode == "fine-tune" and effective.model.pooling == "average"


def test_without_a_recipe_the_defaults_of_the_schema_count() -> None:
    assert apply_recipe(job(recipe="none"), SHEETS) == (job(recipe="none"), ())


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([LEAFID, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("template", ["my-folder", "mitragyna"])
def test_a_new_job_passes_the_check_and_shows_its_recipe(template: str, tmp_path: Path) -> None:
    written = run("job", "new", tmp_path / "my leaves.yaml", "--for", template)
    assert written.returncode == 0, written.stderr
    checked = run("job", "check", tmp_path / "my leaves.yaml")
    assert checked.returncode == 0, checked.stderr
    effective = yaml.safe_load(checked.stdout)
    assert effective["model"]["pooling"] == "covariance" and effective["recipe"] == "balanced"
    assert "under 20 training images per taxon" in checked.stdout
    again = run("job", "new", tmp_path / "my leaves.yaml", "--for", template)
    assert again.returncode == 2 and "exists already" in again.stderr


def test_a_job_file_has_a_usable_name(tmp_path: Path) -> None:
    assert "ends in .yaml" in run("job", "new", tmp_path / "job.txt").stderr
