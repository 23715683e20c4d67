"""Fixtures: a small bundle, its identifier, photos and their records."""

from pathlib import Path

import pytest
import torch

from leafid.identify import Identifier, Record
from tests.identify.small_bundle import COLOURS, leaf, make_bundle


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a bundle that identifies colours; the target is green."""
    torch.set_num_threads(1)
    return make_bundle(tmp_path_factory.mktemp("bundle")).folder


@pytest.fixture(scope="session")
def identifier(bundle_folder: Path) -> Identifier:
    """Return the loaded bundle."""
    return Identifier.load(bundle_folder, device="cpu")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return 240 leaves, some with unusual file names, one of them not an image."""
    folder = tmp_path_factory.mktemp("photos")
    paths = []
    for number, name in enumerate(list(COLOURS) * 80):
        hard = {5: "=SUM(1).jpg", 6: 'say "leaf", ok.jpg', 7: "zeile\nzwei\r.jpg", 8: "Blätter 叶.jpg", 9: "'quote.jpg"}
        paths.append(folder / (f"{number:03}" if number not in hard else "") / hard.get(number, f"{name}.jpg"))
        paths[-1].parent.mkdir(exist_ok=True)
        leaf(name, number).save(paths[-1])
    paths[100].write_text("no leaf")
    return paths


@pytest.fixture(scope="session")
def expected(identifier: Identifier, photos: list[Path]) -> list[Record]:
    """Return the records of all photos."""
    return list(identifier.identify(photos, batch_size=4))
