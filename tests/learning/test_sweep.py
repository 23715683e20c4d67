"""Hyperparameter search: trials, best trial, resuming."""

from pathlib import Path

import pytest

from leafid.errors import JobError, UsageError
from leafid.jobs import Job, SweepSettings, with_settings
from leafid.learning import best_trial, sweep

from .conftest import MakeJob

pytest.importorskip("optuna", reason="Optuna is an extra: pip install leafid[sweep]")

SPACE = {"training.learning_rate": {"low": 1e-4, "high": 1e-2, "scale": "log"}, "model.dropout": [0.0, 0.5]}


def swept(make_job: MakeJob, trials: int) -> Job:
    settings = SweepSettings.model_validate({"trials": trials, "space": SPACE})
    return make_job(max_epochs=1).model_copy(update={"sweep": settings})


def test_trials_cover_the_space_and_a_sweep_is_resumed(make_job: MakeJob, tmp_path: Path) -> None:
    first = list(sweep(swept(make_job, 2), out=tmp_path))
    assert [trial.number for trial in first] == [0, 1]
    for trial in first:
        assert 1e-4 <= trial.settings["training.learning_rate"] <= 1e-2
        assert trial.settings["model.dropout"] in (0.0, 0.5)
        assert (trial.run / "bundle" / "bundle.json").is_file()
    more = list(sweep(swept(make_job, 3), out=tmp_path))
    assert [trial.number for trial in more] == [2]
    assert more[0].settings not in [trial.settings for trial in first]  # a search that continues tries something new
    best = best_trial(swept(make_job, 3), out=tmp_path)
    scores = [trial.val_macro_f1 or 0.0 for trial in [*first, *more]]
    assert best is not None and best.val_macro_f1 == max(scores)
    assert list(sweep(swept(make_job, 3), out=tmp_path)) == []


def test_lists_with_few_combinations_are_each_tried_once(make_job: MakeJob, tmp_path: Path) -> None:
    settings = SweepSettings.model_validate({"trials": 5, "space": {"model.dropout": [0.0, 0.3, 0.5]}})
    job = make_job(max_epochs=1).model_copy(update={"sweep": settings})
    tried = sweep(job, out=tmp_path)
    dropouts = [next(tried).settings["model.dropout"]]
    tried.close()  # type: ignore[attr-defined]
    dropouts += [trial.settings["model.dropout"] for trial in sweep(job, out=tmp_path)]
    assert sorted(dropouts) == [0.0, 0.3, 0.5]


def test_a_sweep_whose_choices_have_changed_begins_anew_and_says_so(
    make_job: MakeJob, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (first,) = sweep(swept(make_job, 1), out=tmp_path)
    other = SweepSettings.model_validate({"trials": 1, "space": SPACE | {"model.dropout": [0.0, 0.3, 0.5]}})
    (second,) = sweep(make_job(max_epochs=1).model_copy(update={"sweep": other}), out=tmp_path)
    assert "choices of the sweep have changed: its 1 earlier trials" in caplog.text
    assert first.run != second.run and first.run.is_dir() and second.run.is_dir()


def test_a_job_without_a_sweep_is_refused(make_job: MakeJob, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no section `sweep`"):
        list(sweep(make_job(), out=tmp_path))


def test_settings_are_replaced_by_name(make_job: MakeJob) -> None:
    job = with_settings(make_job(), {"training.max_epochs": 3, "sheets.views.plant": 1})
    assert (job.training.max_epochs, job.sheets.views.plant) == (3, 1)
    with pytest.raises(JobError, match=r"training\.patients"):
        with_settings(make_job(), {"training.patients": 3})


@pytest.mark.parametrize(
    "space", [{}, {"a": [1]}, {"a": {"low": 2, "high": 1}}, {"a": {"low": 0, "high": 1, "scale": "log"}}]
)
def test_invalid_spaces_are_refused(space: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="space"):
        SweepSettings.model_validate({"space": space})
