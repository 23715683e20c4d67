"""The store of prepared views: lossless, atomic, filled once, and resumed after a kill."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from leafid.jobs import Preprocessing, ViewCounts
from leafid.learning.data.bags import KINDS
from leafid.learning.data.samples import Draw, ImageDataset, collate
from leafid.learning.data.view_store import ViewStore
from leafid.sheets import CropKind, prepare_file
from tests.sheets.test_preparation import sheet

VIEWS = Preprocessing(size=48, views=ViewCounts(plant=1, leaves=3))
COUNTS = (1, 3, 2)
"""Leaves on the sheets: bags of 2, 4 and 3 views."""


@pytest.fixture(scope="module")
def sheets(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Synthetic sheets with one, three and two leaves."""
    folder = tmp_path_factory.mktemp("sheets")
    paths = [folder / f"{number}.png" for number in range(len(COUNTS))]
    for path, leaves in zip(paths, COUNTS, strict=True):
        Image.fromarray(sheet(leaves)).save(path)
    return paths


@pytest.fixture(scope="module")
def store(sheets: list[Path], tmp_path_factory: pytest.TempPathFactory) -> ViewStore:
    """A store with the views of these sheets."""
    store = ViewStore(tmp_path_factory.mktemp("store"), VIEWS)
    assert store.fill(["a", "b", "c"], sheets, workers=1) == 3
    return store


def test_stored_views_are_exactly_those_of_identification(store: ViewStore, sheets: list[Path]) -> None:
    for image_id, path, leaves in zip("abc", sheets, COUNTS, strict=True):
        views, prepared = store.read(image_id), prepare_file(path, VIEWS)
        assert len(views.pixels) == 1 + leaves
        assert np.array_equal(np.stack(views.pixels), np.stack(prepared.views))
        assert tuple(views.kinds) == prepared.kinds
        last = store.read(image_id, lambda kinds: [len(kinds) - 1])
        assert np.array_equal(last.pixels[0], views.pixels[-1]) and last.kinds == views.kinds[-1:]


def test_every_view_is_drawn_and_the_seed_decides(store: ViewStore) -> None:
    samples = ImageDataset(store, ["a", "b", "c"], [0, 1, 0], drawn=1, augmentation="none")
    views = store.read("b")  # the plant and three leaves
    drawn = [samples[Draw(1, seed)].views.pixels for seed in range(40)]
    counts = [sum(np.array_equal(one, view) for (one,) in drawn) for view in views.pixels]
    assert sum(counts) == 40 and min(counts) >= 2
    assert np.array_equal(drawn[7][0], samples[Draw(1, 7)].views.pixels[0])


def test_a_batch_has_images_with_different_numbers_of_views(store: ViewStore) -> None:
    samples = ImageDataset(store, ["a", "b", "c"], [0, 1, 0], drawn=None, augmentation="none")
    batch = collate([samples[number] for number in range(3)])
    (pixels,), (image_index,), (kinds,) = batch.bags.pixels, batch.bags.image_index, batch.bags.kinds
    assert pixels.shape == (9, 3, 48, 48) and pixels.dtype == torch.uint8
    assert image_index.bincount().tolist() == [2, 4, 3] and batch.bags.images == 3
    assert [KINDS[int(kind)] for kind in kinds[:2]] == [CropKind.PLANT, CropKind.LEAF]
    assert batch.labels.tolist() == [0, 1, 0]


def test_views_of_different_sizes_are_grouped(sheets: list[Path], tmp_path: Path) -> None:
    wanted = VIEWS.model_copy(update={"overview_size": 96})
    store = ViewStore(tmp_path, wanted)
    store.fill(["a", "b"], sheets[:2], workers=0)
    samples = ImageDataset(store, ["a", "b"], [0, 1], drawn=None, augmentation="none")
    batch = collate([samples[index] for index in range(2)])
    assert [tuple(pixels.shape) for pixels in batch.bags.pixels] == [(4, 3, 48, 48), (2, 3, 96, 96)]
    assert [image_index.tolist() for image_index in batch.bags.image_index] == [[0, 1, 1, 1], [0, 1]]


def test_settings_that_change_views_change_the_folder_and_others_do_not(tmp_path: Path) -> None:
    settings = [
        VIEWS,
        VIEWS.model_copy(update={"background": "plain"}),
        VIEWS.model_copy(update={"views": ViewCounts(plant=1, leaves=4)}),
        VIEWS.model_copy(update={"tile_side": 96}),
        VIEWS.model_copy(update={"size": 49}),
    ]
    assert len({ViewStore(tmp_path, one).folder for one in settings}) == 5
    assert ViewStore(tmp_path, VIEWS, enlarged=1.15).folder != ViewStore(tmp_path, VIEWS).folder
    limit = VIEWS.model_copy(update={"max_pixels": 10_000_000})
    assert ViewStore(tmp_path, limit).folder == ViewStore(tmp_path, VIEWS).folder


FILL = """
import sys
from pathlib import Path
from tests.learning.test_view_store import VIEWS
from leafid.learning.data.view_store import ViewStore
paths = sorted(Path(sys.argv[2]).glob("*.png")) * 60
ViewStore(Path(sys.argv[1]), VIEWS).fill([f"image{number}" for number in range(len(paths))], paths, workers=2)
"""


def test_filling_is_resumed_after_a_kill(sheets: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-c", FILL, str(tmp_path), str(sheets[0].parent)]
    process = subprocess.Popen(command, start_new_session=True)
    store = ViewStore(tmp_path, VIEWS)
    deadline = time.monotonic() + 100
    while len(list(store.folder.glob("*.zip"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in store.folder.glob("*.zip")}
    assert 5 <= len(before) < 180
    ids = [f"image{number}" for number in range(12)]
    stored = sum(store.path(image_id) in before for image_id in ids)
    calls: list[tuple[int, int]] = []
    new = store.fill(ids, sheets * 4, workers=0, on_progress=lambda done, total: calls.append((done, total)))
    assert new == 12 - stored
    assert calls == [(done, new) for done in range(1, new + 1)]
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert [len(store.read(image_id).pixels) for image_id in ids] == [2, 4, 3] * 4
