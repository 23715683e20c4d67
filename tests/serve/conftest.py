"""Fixtures: a running service with a small bundle, photos, and a browser."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.browser import headless_chromium
from tests.identify.small_bundle import COLOURS, leaf, make_bundle
from tests.serve.running import Running, running


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a bundle that identifies colours."""
    return make_bundle(tmp_path_factory.mktemp("bundle")).folder


@pytest.fixture(scope="session")
def undecided(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Return a running service whose bundle can exclude none of its three taxa."""
    folder = tmp_path_factory.mktemp("undecided") / "bundle"
    shutil.copytree(bundle, folder)
    info = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    info["calibration"]["temperature"] = 50.0
    (folder / "bundle.json").write_text(json.dumps(info), encoding="utf-8")
    with running(folder) as started:
        yield started


@pytest.fixture(scope="session")
def service(bundle: Path) -> Iterator[Running]:
    """Return a running service."""
    with running(bundle) as started:
        yield started


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return a photo of each taxon."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / f"{name.replace(' ', '-')}.png" for name in COLOURS]
    for path, name in zip(paths, COLOURS, strict=True):
        leaf(name, 1, side=200).save(path)
    return paths


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    """Return headless Chromium with a console log."""
    with headless_chromium("--window-size=1400,1000") as started:
        yield started
