"""Packages of npm that tests use in the browser; where they cannot be had, those tests are skipped."""

import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGES = ("ai-taxonomist@0.7.0", "axe-core@4.10", "tslib@2")


def npm_packages(folder: Path) -> Path:
    """Install the packages into a folder; return its ``node_modules``."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    command = [npm, "install", "--no-save", "--no-audit", "--no-fund", "--fetch-retries=0", *PACKAGES]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not answer in time")
    if done.returncode:
        pytest.skip("npm cannot install the packages")
    return folder / "node_modules"
