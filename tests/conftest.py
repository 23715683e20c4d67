"""Settings and fixtures of the whole suite."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("leafid", deadline=None, max_examples=40, derandomize=bool(os.environ.get("CI")))
settings.load_profile("leafid")

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Real data beside the checkout, where there is any; it is not part of the project."""


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep the cache of the user who runs the tests as it is; subprocesses inherit the variable."""
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data beside the checkout; without it, the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("needs the real data in ../shared, which is not part of the project")
    return SHARED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of compiled engines, which `make test` runs in a process of their own.

    OpenVINO crashes in a process that has trained networks and started many others before.
    """
    for item in items:
        if item.path.parent.name == "identify" and "engines" in item.path.name:
            item.add_marker("engines")
