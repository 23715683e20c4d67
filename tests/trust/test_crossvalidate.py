"""Leave-one-group-out cross-validation: no image of the held-out group is used for training."""

from pathlib import Path

import pandas as pd
import pytest

from leafid.catalog import write_catalog
from leafid.errors import SplitError
from leafid.files import sha256_of
from leafid.jobs import Job
from leafid.learning import Run
from leafid.trust import crossvalidate
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
    result = crossvalidate(job, device="cpu", on_fold=lambda *fold: calls.append(fold))
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
    table = pd.read_csv(result.table)
    assert table["institution"].tolist() == ["K", "L", "P", "U"]
    assert table["accuracy"].notna().tolist() == [True, True, False, False]
    assert "mean accuracy" in str(result)


def test_a_column_that_is_missing_or_has_too_few_values_is_refused(job: Job) -> None:
    with pytest.raises(SplitError, match="no column 'herbarium'"):
        crossvalidate(job, by="herbarium")
    with pytest.raises(SplitError, match="two or more values"):
        crossvalidate(job, by="domain")


def test_the_job_of_a_fold_differs_in_its_split_alone(job: Job) -> None:
    of_fold = fold_job(job, "institution", "K")
    assert of_fold.curation.split.test_values == ("K",) and of_fold.curation.split.val == 0.3
    assert of_fold.model_dump(exclude={"curation"}) == job.model_dump(exclude={"curation"})
