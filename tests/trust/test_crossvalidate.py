"""Cross-validation by gathering and by herbarium: no held-out image is used for training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from leafid.catalog import write_catalog
from leafid.curation import fold_split, training_split, units_outside_test
from leafid.errors import SplitError, UsageError
from leafid.files import sha256_of
from leafid.jobs import Job
from leafid.learning import Run, blocked_folds
from leafid.trust import crossvalidate
from leafid.trust.evaluation.baselines import fit_baselines
from leafid.trust.evaluation.crossvalidate import fold_job
from tests.identify.small_bundle import COLOURS, leaf


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """Return a job with four herbaria; the third has the only sheets of one taxon, the fourth no usable sheet."""
    rows: list[tuple[str, str, str, str, str]] = []
    for herbarium in ("K", "L"):
        for name in COLOURS:
            for number in range(4):
                path = tmp_path / "data" / f"{herbarium}-{name}-{number}.png"
                path.parent.mkdir(exist_ok=True)
                leaf(name, len(rows)).save(path)
                rows.append((sha256_of(path)[:12], path.name, name, herbarium, f"g{len(rows)}"))
    for number in range(4):
        path = tmp_path / "data" / f"P-{number}.png"
        leaf("Coffea canephora", 900 + number, noise=60).save(path)
        rows.append((sha256_of(path)[:12], path.name, "Rosa gallica", "P", f"g{len(rows)}"))
    for number in range(2):  # names that are misapplied
        path = tmp_path / "data" / f"U-{number}.png"
        leaf("Coffea canephora", 950 + number).save(path)
        rows.append((sha256_of(path)[:12], path.name, "Mitragyna hirsuta auct. non Havil.", "U", f"g{len(rows)}"))
    columns = ["image_id", "path", "scientificName", "institutionCode", "gathering_id"]
    write_catalog(pd.DataFrame(rows, columns=columns), tmp_path / "data" / "catalog.csv")
    return Job.model_validate(
        {
            "name": "three",
            "recipe": "none",
            "sources": [{"kind": "folder", "path": str(tmp_path)}],
            "output": {"data": str(tmp_path / "data"), "runs": str(tmp_path / "runs" / "three")},
            "curation": {"near_duplicates": "allow", "split": {"val": 0.3}},
            "sheets": {"size": 32},
            "model": {"backbone": "mobilenet_v3_small", "weights": "none"},
            "training": {"max_epochs": 1, "batch_size": 8, "workers": 0, "device": "cpu", "augmentation": "none"},
        }
    )


def test_each_herbarium_is_the_test_once_and_impossible_folds_are_reported(job: Job) -> None:
    calls: list[tuple[int, int, str]] = []
    result = crossvalidate(job, by="institution", device="cpu", on_fold=lambda *fold: calls.append(fold))
    assert calls == [(1, 4, "K"), (2, 4, "L"), (3, 4, "P"), (4, 4, "U")]
    first, second, third, fourth = result.folds
    for fold in (first, second):
        assert fold.evaluation is not None and fold.evaluation.read == 12
        split = Run.open(fold.run).split
        assert set(split.loc[split["split"] == "test", "institutionCode"]) == {fold.value}
        assert fold.value not in set(split.loc[split["split"] != "test", "institutionCode"])
    assert third.evaluation is None and "Rosa gallica" in (third.problem or "")
    assert fourth.evaluation is None and not fourth.run.exists()
    assert fourth.problem is not None and fourth.problem.startswith("no image of U can be used for a test: 2 ")
    table = pd.read_csv(result.folder / "crossvalidation.csv")
    assert table["institution"].tolist() == ["K", "L", "P", "U"]
    assert table["accuracy"].notna().tolist() == [True, True, False, False]
    assert [baseline.name for baseline in first.baselines] == [
        "logistic regression on one view",
        "LDA on one view",
    ]
    summary = pd.read_csv(result.folder / "crossvalidation_summary.csv").set_index("method")
    assert list(summary.index) == ["leafid", *(baseline.name for baseline in first.baselines)]
    scores = [fold.evaluation.macro_f1 or 0.0 for fold in (first, second) if fold.evaluation]
    assert summary["macro_f1_mean"].iloc[0] == pytest.approx(sum(scores) / 2, abs=1e-5)
    assert "mean ± sd" in str(result)


def test_folds_by_gathering_hold_out_every_image_once_but_those_of_test(job: Job) -> None:
    result = crossvalidate(job, folds=3, device="cpu")
    of_test = set(training_split(job).split.query("split == 'test'")["image_id"])
    assert len(of_test) >= 4
    held_out: list[str] = []
    for fold in result.folds:
        assert fold.evaluation is not None and fold.problem is None
        split = Run.open(fold.run).split
        assert not of_test & set(split["image_id"])
        held_out += list(split.loc[split["split"] == "test", "image_id"])
    every = set(training_split(job).split["image_id"])
    assert sorted(held_out) == sorted(every - of_test)


def test_copies_of_an_image_and_near_duplicates_are_in_one_fold_and_a_single_plant_is_never_held_out(job: Job) -> None:
    curated = training_split(job)
    names = curated.split["scientificName"]
    single = curated.split[names == "Rosa gallica"].index[1:]
    curated = replace(curated, split=curated.split.drop(single).assign(split="train"))
    first, other = curated.split["image_id"].iloc[0], curated.split["image_id"].iloc[5]
    rows, units = units_outside_test(curated, [(first, other)])
    assert units[0] == units[5] and len(set(units)) == len(rows) - 1
    labels = np.array(curated.taxonomy.labels(list(rows["scientificName"])), dtype=np.int64)
    folds = blocked_folds(labels, units, 4)
    for number in range(4):
        split = fold_split(curated, rows, units, folds, number).split.set_index("image_id")
        assert split.loc[first, "split"] == split.loc[other, "split"]
        assert (split.loc[split["scientificName"] == "Rosa gallica", "split"] == "train").all()


def test_a_number_of_folds_out_of_range_is_refused(job: Job) -> None:
    with pytest.raises(UsageError, match="--folds 2: give a number from 3 to 20"):
        crossvalidate(job, folds=2)


def test_baselines_tell_two_clouds_apart() -> None:
    random = np.random.default_rng(0)
    labels = np.tile([3, 5], 20)
    features = (random.normal(size=(40, 6)) + 2 * (labels == 5)[:, None]).astype(np.float32)
    for baseline in fit_baselines(features[:20], labels[:20], features[20:], np.append(labels[20:-1], 7)):
        assert 0.8 < baseline.accuracy <= 0.95 and np.isfinite(baseline.nll)  # taxon 7 has no training image


def test_a_column_that_is_missing_or_has_too_few_values_is_refused(job: Job) -> None:
    with pytest.raises(SplitError, match="no column 'herbarium'"):
        crossvalidate(job, by="herbarium")
    with pytest.raises(SplitError, match="two or more values"):
        crossvalidate(job, by="domain")


def test_the_job_of_a_fold_differs_in_its_split_alone(job: Job) -> None:
    of_fold = fold_job(job, "institution", "K")
    assert of_fold.curation.split.test_values == ("K",) and of_fold.curation.split.val == 0.3
    assert of_fold.model_dump(exclude={"curation"}) == job.model_dump(exclude={"curation"})
