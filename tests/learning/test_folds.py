"""Blocked folds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leafid.learning.linear_probe.folds import (
    MAX_FOLDS,
    MAX_LEFT_OUT,
    NOT_FITTED,
    blocked_folds,
    has_others_outside_fold,
    held_out_folds,
    min_training_images,
)


def test_a_fold_is_a_contiguous_block_of_each_taxon() -> None:
    labels = np.repeat([0, 1], 16)
    folds = blocked_folds(labels, [f"g{n}" for n in range(32)])
    assert folds.tolist() == np.repeat([0, 1, 2, 3, 0, 1, 2, 3], 4).tolist()


def test_few_gatherings_are_a_fold_each() -> None:
    labels = np.repeat([0, 1], 6)
    assert blocked_folds(labels, [f"g{n}" for n in range(12)]).tolist() == [0, 1, 2, 3, 4, 5] * 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=60))
def test_a_gathering_is_never_divided(images: list[tuple[int, int]]) -> None:
    labels = np.array([label for label, _ in images], dtype=np.int64)
    gatherings = [f"g{gathering}" for _, gathering in images]  # some under several taxa
    folds = blocked_folds(labels, gatherings)
    assert len(folds) == len(labels) and 0 <= folds.min() and folds.max() < MAX_FOLDS
    assert len({(name, int(fold)) for name, fold in zip(gatherings, folds, strict=True)}) == len(set(gatherings))
    mask = has_others_outside_fold(labels, folds)
    for index, label in enumerate(labels):
        assert mask[index] == (label in labels[folds != folds[index]])


def test_a_series_of_photos_is_left_out_in_blocks_and_sheets_one_by_one() -> None:
    few, many, names = np.repeat([0, 1], 6), np.repeat([0, 1], 16), [f"g{n}" for n in range(32)]
    photos = held_out_folds(few, [f"g{n // 2}" for n in range(12)], ["field"] * 12)
    assert photos.tolist() == np.repeat(range(6), 2).tolist()  # few photos: each gathering
    blocks = blocked_folds(many, names).tolist()
    assert held_out_folds(many, names, [None] * 32).tolist() == blocks
    assert held_out_folds(many, names, ["specimen"] * 32).tolist() == list(range(32))
    assert held_out_folds(many, names, ["specimen", "field"] * 16).tolist() == list(range(32))  # eight photos each


def test_a_fold_of_very_many_gatherings_holds_one_of_a_taxon() -> None:
    labels = np.repeat(np.arange(100), 8)
    folds = held_out_folds(labels, [f"g{n}" for n in range(800)], [None] * 800)
    assert folds.max() == MAX_LEFT_OUT - 1
    assert len({(label, fold) for label, fold in zip(labels.tolist(), folds.tolist(), strict=True)}) == 800
    assert held_out_folds(np.zeros(9000, np.int64), [f"g{n}" for n in range(9000)], ["specimen"] * 9000).max() == 7


def test_images_that_no_head_was_fitted_to_help_no_other() -> None:
    labels, folds = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 2, NOT_FITTED, NOT_FITTED])
    assert has_others_outside_fold(labels, folds).tolist() == [True, True, False, True, False]
    assert min_training_images(folds) == 2
