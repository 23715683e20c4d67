"""Fixtures: a small bundle, and an identifier that has loaded it."""

from pathlib import Path

import pytest
import torch

from leafid.identify import Identifier
from tests.identify.small_bundle import make_bundle


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a bundle that names colours; target is the green one."""
    torch.set_num_threads(1)
    return make_bundle(tmp_path_factory.mktemp("bundle")).folder


@pytest.fixture(scope="session")
def identifier(bundle_folder: Path) -> Identifier:
    """Return the loaded bundle."""
    return Identifier.load(bundle_folder, device="cpu")
