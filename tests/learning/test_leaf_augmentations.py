"""Leaf augmentations keep most of the leaf, change only what they should, and are deterministic by seed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from leafid.learning.data.leaf_augmentations import LEAF_AUGMENTATIONS

View = NDArray[np.uint8]
PAPER, PLANT = (225, 220, 205), (80, 95, 45)
LABEL = (120, 120, 120)


def sheet(side: int = 128) -> View:
    """A broad leaf on cream paper, a grey label in the corner, and the white border of a view of an oblong sheet."""
    view = np.full((side, side, 3), 255, np.uint8)
    view[:, side // 8 : -side // 8] = PAPER
    down, right = np.mgrid[:side, :side] / side
    view[((down - 0.45) / 0.35) ** 2 + ((right - 0.5) / 0.2) ** 2 < 1] = PLANT
    view[-side // 10 : -side // 20, -side // 4 : -side // 8 - 4] = LABEL
    return view


PLANT_HERE = (sheet() == PLANT).all(axis=2)
PADDING = (sheet() == 255).all(axis=2)


def changed(before: View, after: View) -> NDArray[np.bool_]:
    """Return a mask of the pixels that differ clearly."""
    return np.asarray(np.abs(before.astype(int) - after).max(axis=2) > 12)


@pytest.mark.parametrize("name", LEAF_AUGMENTATIONS)
@given(seed=st.integers(0, 2**32))
def test_shape_is_kept_and_the_same_seed_gives_the_same_view(name: str, seed: int) -> None:
    view = sheet()
    first, again = (LEAF_AUGMENTATIONS[name](view, np.random.default_rng(seed)) for _ in range(2))
    assert first.shape == view.shape and first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert np.array_equal(view, sheet())  # the input is not changed


@pytest.mark.parametrize(("name", "most"), [("torn", 0.28), ("insect holes", 0.25), ("mounting strip", 0.5)])
@given(seed=st.integers(0, 2**32))
def test_most_of_the_leaf_is_kept(name: str, most: float, seed: int) -> None:
    view = sheet()
    lost = changed(view, LEAF_AUGMENTATIONS[name](view, np.random.default_rng(seed)))[PLANT_HERE].mean()
    assert lost <= most
    if name == "torn":
        assert lost > 0.005


@pytest.mark.parametrize("name", ["torn", "insect holes", "mounting strip"])
def test_a_part_of_the_leaf_is_usually_changed(name: str) -> None:
    lost = [
        changed(sheet(), LEAF_AUGMENTATIONS[name](sheet(), np.random.default_rng(seed)))[PLANT_HERE].mean()
        for seed in range(20)
    ]
    assert np.median(lost) > 0.01


def test_drying_changes_the_plant_between_green_and_brown_and_keeps_the_paper() -> None:
    redness = []
    for seed in range(40):
        after = LEAF_AUGMENTATIONS["dried or fresh"](sheet(), np.random.default_rng(seed))
        assert not changed(sheet(), after)[~PLANT_HERE & ~(sheet() == LABEL).all(axis=2)].any()
        red, green, blue = after[PLANT_HERE].mean(axis=0)
        assert blue < min(red, green)  # neither blue nor pink
        redness.append(red - green)
    assert min(redness) < -35 and max(redness) > -5  # -15 before


def test_other_paper_keeps_the_plant_and_removes_label_and_border() -> None:
    papers = []
    for seed in range(20):
        after = LEAF_AUGMENTATIONS["other paper"](sheet(), np.random.default_rng(seed))
        assert changed(sheet(), after)[PLANT_HERE].mean() < 0.1
        assert after[PADDING].min() < 255
        papers.append(np.median(after[~PLANT_HERE], axis=0))
        far = (sheet() == LABEL).all(axis=2)
        assert np.abs(after[far].mean(axis=0) - papers[-1]).max() < 40
    assert np.ptp(papers, axis=0).min() > 50


def test_holes_have_the_colour_of_the_paper() -> None:
    after = LEAF_AUGMENTATIONS["insect holes"](sheet(), np.random.default_rng(1))
    hole = PLANT_HERE & (after.min(axis=2) > 180)
    assert hole.any()
    assert np.abs(np.median(after[hole], axis=0) - PAPER).max() < 15


@pytest.mark.parametrize("name", LEAF_AUGMENTATIONS)
@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (225, 220, 205)])
def test_a_view_without_a_plant_does_not_fail(name: str, colour: tuple[int, int, int]) -> None:
    view = np.full((64, 64, 3), colour, np.uint8)
    assert LEAF_AUGMENTATIONS[name](view, np.random.default_rng(0)).shape == view.shape
