"""Infinite settings are refused where a job is read, with the line and the setting."""

from pathlib import Path

import pytest

from leafid.errors import JobError
from leafid.jobs import load_job

MINIMAL = "name: leaves\nsources:\n  - {kind: folder, path: photos}\n"


@pytest.mark.parametrize("value", [".inf", "-.inf", ".nan", "1.0e400"])
@pytest.mark.parametrize(
    "setting", ["training.learning_rate", "training.weight_decay", "training.ema_epochs", "model.dropout"]
)
def test_settings_that_are_not_finite_are_refused(tmp_path: Path, setting: str, value: str) -> None:
    section, name = setting.split(".")
    path = tmp_path / "job.yaml"
    path.write_text(f"{MINIMAL}{section}: {{{name}: {value}}}\n", encoding="utf-8")
    with pytest.raises(JobError, match=rf"line 4: {section}\.{name}: \S+ must be a finite number"):
        load_job(path)


def test_the_ranges_of_a_sweep_are_finite(tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    sweep = "sweep: {space: {training.learning_rate: {low: 1e-4, high: .inf}}}\n"
    path.write_text(MINIMAL + sweep, encoding="utf-8")
    with pytest.raises(JobError, match="must be a finite number"):
        load_job(path)
