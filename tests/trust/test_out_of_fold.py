"""Folds are stretches of a series, and nothing is judged by its own fold."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leafid.trust.familiarity import TrainingFeatures
from leafid.trust.out_of_fold import FOLDS, familiarity_out_of_fold, folds_of_series, known_elsewhere


def test_a_fold_is_a_stretch_of_each_taxon() -> None:
    labels = np.repeat([0, 1], 8)
    folds = folds_of_series(labels, [f"g{n}" for n in range(16)])
    assert folds.tolist() == [0, 0, 1, 1, 2, 2, 3, 3] * 2


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 12)), min_size=1, max_size=60))
def test_a_gathering_lies_in_one_fold(images: list[tuple[int, int]]) -> None:
    labels = np.array([label for label, _ in images], dtype=np.int64)
    gatherings = [f"g{gathering}" for _, gathering in images]  # some under several names
    folds = folds_of_series(labels, gatherings)
    assert len(folds) == len(labels) and 0 <= folds.min() and folds.max() < FOLDS
    assert len({(name, int(fold)) for name, fold in zip(gatherings, folds, strict=True)}) == len(set(gatherings))
    there = known_elsewhere(labels, folds)
    for place, label in enumerate(labels):
        assert there[place] == (label in labels[folds != folds[place]])


def test_an_image_is_compared_with_other_folds_only() -> None:
    random = np.random.default_rng(0)
    series = np.repeat(random.normal(size=(4, 20)), 5, axis=0) + random.normal(
        0, 0.05, (20, 20)
    )  # four leaves, 5 times
    labels = np.zeros(20, dtype=np.int64)
    folds = folds_of_series(labels, [str(n) for n in range(20)])
    familiar = familiarity_out_of_fold("nearest_neighbour", np.zeros((20, 1)), series, labels, folds)
    by_random_folds = familiarity_out_of_fold("nearest_neighbour", np.zeros((20, 1)), series, labels, np.arange(20) % 4)
    assert familiar.max() < 0.8 < by_random_folds.min()
    others = TrainingFeatures.of(series[5:], labels[5:])
    assert np.allclose(familiar[:5], others.nearest(series[:5]))
