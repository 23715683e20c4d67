"""Samples from prepared views, and the order in which they are drawn."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from leafid.errors import RunError
from leafid.jobs import Preprocessing
from leafid.learning.data.augmentation import margin
from leafid.learning.data.samples import AugmentedCopy, EpochSampler, ImageDataset, sample_views, training_loader
from leafid.learning.data.view_store import ViewStore
from leafid.sheets import CropKind


@pytest.fixture
def store(data: Path, tmp_path: Path) -> ViewStore:
    """Prepared views of the first eight images."""
    store = ViewStore(tmp_path, Preprocessing(size=32), enlarged=margin("medium"))
    store.fill(ids(), [data / f"{number}.png" for number in range(8)], workers=0)
    return store


def ids() -> list[str]:
    return [f"image {number}" for number in range(8)]


def pixels_of(store: ViewStore, *, workers: int, epoch: int) -> NDArray[np.uint8]:
    samples = ImageDataset(store, ids(), [0, 1] * 4, drawn=1, augmentation="medium")
    loader = training_loader(samples, batch_size=4, balance="none", seed=3, workers=workers, pin=False)
    sampler = loader.sampler
    assert isinstance(sampler, EpochSampler)
    sampler.set_epoch(epoch)
    return torch.cat([batch.bags.pixels[0] for batch in loader]).numpy()


def test_samples_have_the_side_that_the_network_sees(store: ViewStore) -> None:
    for drawn in (1, None):
        sample = ImageDataset(store, ids(), [0, 1] * 4, drawn=drawn, augmentation="light")[5]
        assert [(view.shape, str(view.dtype)) for view in sample.views.pixels] == [((32, 32, 3), "uint8")]
        assert sample.views.kinds == [CropKind.IMAGE]
        assert sample.label == 1


def test_augmented_copies_differ_by_number_seed_and_image_and_are_deterministic(store: ViewStore) -> None:
    def view(copy: AugmentedCopy | None, index: int) -> NDArray[np.uint8]:
        samples = ImageDataset(store, ids(), [0, 1] * 4, drawn=None, augmentation="medium", copy=copy)
        return samples[index].views.pixels[0]

    first = view(AugmentedCopy(1, seed=0), 5)
    assert (view(AugmentedCopy(1, seed=0), 5) == first).all()
    assert (view(None, 5) != first).any()
    others = [(AugmentedCopy(2, 0), 5), (AugmentedCopy(1, 7), 5), (AugmentedCopy(1, 0), 4)]
    assert all((view(*other) != first).any() for other in others)
    of_subset = ImageDataset(
        store, ids(), [0, 1] * 4, drawn=None, augmentation="medium", copy=AugmentedCopy(1, 0)
    ).subset([5])
    assert (of_subset[0].views.pixels[0] == first).all()  # whatever other images there are


@given(
    kinds=st.lists(st.sampled_from(list(CropKind)), min_size=1, max_size=12),
    count=st.integers(1, 14),
    seed=st.integers(0, 99),
)
def test_drawn_views_are_of_as_many_kinds_as_possible(kinds: list[CropKind], count: int, seed: int) -> None:
    drawn = sample_views(kinds, count, np.random.default_rng(seed))
    assert len(drawn) == len(set(drawn)) == min(count, len(kinds))
    assert len({kinds[number] for number in drawn}) == min(count, len(set(kinds)))


def test_draws_depend_on_the_epoch_and_not_on_workers(store: ViewStore) -> None:
    first = pixels_of(store, workers=0, epoch=1)
    assert np.array_equal(first, pixels_of(store, workers=2, epoch=1))
    assert not np.array_equal(first, pixels_of(store, workers=0, epoch=2))


@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=60), batch=st.integers(1, 20), seed=st.integers(0, 99))
def test_unbalanced_epochs_draw_every_image_in_whole_batches(labels: list[int], batch: int, seed: int) -> None:
    sampler = EpochSampler(labels, batch_size=batch, balanced=False, seed=seed)
    drawn = Counter(draw.index for draw in sampler)
    assert drawn.total() == len(sampler)
    assert len(sampler) % batch == 0
    assert set(drawn) == set(range(len(labels)))
    assert max(drawn.values()) - min(drawn.values()) <= 1


@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=6), batch=st.integers(1, 20), seed=st.integers(0, 99))
def test_balanced_epochs_draw_every_taxon_equally_often(counts: list[int], batch: int, seed: int) -> None:
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    draws = [draw.index for draw in EpochSampler(labels, batch_size=batch, balanced=True, seed=seed)]
    by_taxon = Counter(labels[index] for index in draws)
    assert max(by_taxon.values()) - min(by_taxon.get(label, 0) for label in range(len(counts))) <= 1
    for label in range(len(counts)):
        by_image = [draws.count(index) for index, other in enumerate(labels) if other == label]
        assert max(by_image) - min(by_image) <= 1


def test_views_are_prepared_once(store: ViewStore, data: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in store.folder.iterdir()}
    assert len(before) == 8
    calls: list[tuple[int, int]] = []
    store.fill(
        [*ids(), "image 8"],
        [data / f"{number}.png" for number in range(9)],
        workers=1,
        on_progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(1, 1)]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_settings_have_another_folder(tmp_path: Path) -> None:
    folders = {
        ViewStore(tmp_path, Preprocessing(size=size, fit=fit)).folder for size in (32, 48) for fit in ("pad", "crop")
    }
    assert len(folders) == 4


def test_a_missing_view_is_named(store: ViewStore) -> None:
    store.path("image 2").unlink()
    with pytest.raises(RunError, match="of image image 2 cannot be read"):
        ImageDataset(store, ids(), [0] * 8, drawn=None, augmentation="none")[2]
