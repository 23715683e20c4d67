"""An installation that only identifies: what its lock has, and what works without the packages of the extra `train`."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PIL import Image

from leafid.installation import TRAINING_MODULES
from tests.characters.leaves import drawn_leaf, on_paper

CHECKOUT = Path(__file__).parents[1]
LEFT_OUT = ("imageio", "networkx", "scipy")
"""What scikit-image names and the lock leaves out, see packaging/identify-overrides.txt."""
DISTRIBUTIONS = {"sklearn": "scikit-learn"}
"""Packages whose name differs from the module's."""


def test_the_lock_has_all_dependencies_and_nothing_for_training() -> None:
    pins = _pins("requirements-identify.lock")
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert not {_name(line) for line in project["dependencies"]} - set(pins)
    training = {_name(line) for line in project["optional-dependencies"]["train"]}
    assert training == {DISTRIBUTIONS.get(module, module) for module in TRAINING_MODULES}
    assert not (training | set(LEFT_OUT) | {"openvino"}) & set(pins)
    assert not [name for name in pins if name.startswith(("nvidia", "cuda"))]


def test_the_lock_has_the_versions_that_are_tested() -> None:
    tested = _pins("requirements.lock")
    for name, versions in _pins("requirements-identify.lock").items():
        assert versions == tested[name], name


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-identify.lock"])
def test_locks_have_hashes_and_name_no_host(lock: str) -> None:
    text = (CHECKOUT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert len(entries) > 40 and all("--hash=sha256:" in entry for entry in entries)


def test_pages_specimens_and_measurements_need_nothing_for_training(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({(*TRAINING_MODULES, *LEFT_OUT)!r}))\n"  # as if not installed
        "import leafid.serve.server, leafid.serve.worker, leafid.serve.exports, leafid.serve.review.application\n"
        "import leafid.trust.references, leafid.trust.label_issues, leafid.identify.outputs.spreadsheet\n"
        "import leafid.identify.outputs.sample_reports, leafid.bundle.zip_bundles\n"
        "sys.argv = ['leafid', 'measure', 'leaf.png', '-o', 'leaves.csv', '--workers', '1']\n"
        "from leafid.cli import main\n"
        "main()\n"
    )
    Image.fromarray(on_paper(drawn_leaf("Coffea canephora", 6))).save(tmp_path / "leaf.png")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "1 leaves measured" in done.stdout


def _pins(lock: str) -> dict[str, set[str]]:
    """Return the versions of each package of a lock, by name; several where they depend on the version of Python."""
    pins: dict[str, set[str]] = {}
    for name, version in re.findall(
        r"^([a-z0-9-]+)==([^ ;]+)", (CHECKOUT / lock).read_text(encoding="utf-8"), re.MULTILINE
    ):
        pins.setdefault(name, set()).add(version)
    return pins


def _name(requirement: str) -> str:
    matched = re.match(r"[A-Za-z0-9_-]+", requirement)
    assert matched is not None
    return matched[0].lower().replace("_", "-")
