"""Settings and fixtures of the whole suite."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("leafid", deadline=None, max_examples=40, derandomize=bool(os.environ.get("CI")))
settings.load_profile("leafid")

SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Real data beside the checkout, where there is any; it is not part of the project."""


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of real data beside the checkout; without it, the test is skipped."""
    if not SHARED.is_dir():
        pytest.skip("needs the real data in ../shared, which is not part of the project")
    return SHARED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of the engines last: a process that has loaded OpenVINO crashes when it is forked.

    Identification reads images in threads and does not fork; the tests of training and of kills do.
    """
    items.sort(key=lambda item: "test_engines" in item.nodeid)
