"""The data files of ``leafid demo`` are found in a checkout and contained in a wheel."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from leafid.errors import InstallationError
from leafid.shipped import shipped


def test_shipped_files_are_found_in_a_checkout() -> None:
    assert shipped("configs/demo.yaml").is_file()
    for name in ("leaf_characters", "identification_characters", "identification_questions", "identification_states"):
        assert shipped(f"data/{name}.csv").is_file()


def test_a_missing_file_is_explained() -> None:
    with pytest.raises(InstallationError, match="Install it again"):
        shipped("configs/no-such-job.yaml")


def test_a_wheel_contains_shipped_files(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        check=True,
        capture_output=True,
    )
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert "leafid/_shipped/configs/demo.yaml" in names
    assert "leafid/_shipped/data/leaf_characters.csv" in names
    assert "leafid/_shipped/data/authorship.csv" in names and "leafid/identify/templates/sample.html" in names
    assert "leafid/_shipped/data/identification_states.csv" in names
    assert "leafid/serve/static/states/domatia/tufts.svg" in names
    assert "leafid/py.typed" in names
