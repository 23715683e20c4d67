"""The data files of ``leafid demo`` are found in a checkout and contained in a wheel."""

import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from leafid.errors import InstallationError
from leafid.shipped import shipped
from leafid.version import __version__

CHECKOUT = Path(__file__).parents[1]


def test_shipped_files_are_found_in_a_checkout() -> None:
    assert shipped("configs/demo.yaml").is_file()
    for name in ("leaf_characters", "identification_characters", "identification_questions", "identification_states"):
        assert shipped(f"data/{name}.csv").is_file()


def test_a_missing_file_is_explained() -> None:
    with pytest.raises(InstallationError, match="Install it again"):
        shipped("configs/no-such-job.yaml")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the wheel and the source distribution of this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(folder)]
    subprocess.run(command, check=True, capture_output=True, cwd=CHECKOUT)
    return folder


def test_a_wheel_contains_every_file_of_the_package_and_all_jobs_and_tables(built: Path) -> None:
    names = set(zipfile.ZipFile(next(built.glob("*.whl"))).namelist())
    package = {path.relative_to(CHECKOUT / "src").as_posix() for path in _files(CHECKOUT / "src" / "leafid")}
    jobs = {f"leafid/_shipped/{path.relative_to(CHECKOUT).as_posix()}" for path in _files(CHECKOUT / "configs")}
    tables = {f"leafid/_shipped/data/{path.name}" for path in (CHECKOUT / "data").glob("*.csv")}
    for some in (
        "leafid/py.typed",
        "leafid/serve/static/page.js",
        "leafid/sheets/leaf_parser/weights/leaf.safetensors",
    ):
        assert some in package
    assert len(tables) >= 6 and "leafid/_shipped/configs/demo.yaml" in jobs
    assert not (package | jobs | tables) - names


def test_a_source_distribution_contains_what_tests_and_builds_need(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    folders = ("tests", "scripts", "packaging")
    needed = {path.relative_to(CHECKOUT).as_posix() for folder in folders for path in _files(CHECKOUT / folder)}
    needed |= {"Makefile", "pyproject.toml", "requirements.lock", "requirements-identify.lock", "CHANGELOG.md"}
    assert not needed - names


def test_the_version_is_the_same_everywhere() -> None:
    citation, recipe, changelog = (
        (CHECKOUT / name).read_text(encoding="utf-8")
        for name in ("CITATION.cff", "packaging/conda/recipe.yaml", "CHANGELOG.md")
    )
    assert f"\nversion: {__version__}\n" in citation
    assert f'version: "{__version__}"' in recipe
    released = re.search(r"^date-released: (\S+)$", citation, re.MULTILINE)
    assert released is not None
    assert f"\n## {__version__} - {released[1]}\n" in changelog


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
