"""Blocked folds."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leafid.learning.linear_probe.folds import MAX_FOLDS, blocked_folds, has_others_outside_fold


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
