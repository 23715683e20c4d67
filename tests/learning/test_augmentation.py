"""Augmentation: deterministic by seed, graded by strength, and leaves stay recognisable."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from leafid.jobs import Strength
from leafid.learning.data.augmentation import augment, margin, output_side

STRENGTHS: tuple[Strength, ...] = ("none", "light", "medium", "strong")


def leaf(side: int) -> NDArray[np.uint8]:
    """A green bar on white paper, a fifth of the side wide and three fifths long."""
    view = np.full((side, side, 3), 255, np.uint8)
    view[side // 5 : side * 4 // 5, side * 2 // 5 : side * 3 // 5] = (30, 110, 40)
    return view


@pytest.mark.parametrize("strength", STRENGTHS)
def test_the_same_seed_gives_the_same_view_of_the_output_side(strength: Strength) -> None:
    view = leaf(round(64 * margin(strength)))
    before = view.copy()
    first = [augment(view, strength, seed) for seed in range(5)]
    again = [augment(view, strength, seed) for seed in reversed(range(5))]
    assert all(np.array_equal(one, other) for one, other in zip(first, reversed(again), strict=True))
    assert all(one.shape == (64, 64, 3) and one.dtype == np.uint8 for one in first)
    assert np.array_equal(view, before)


@pytest.mark.parametrize("strength", STRENGTHS)
def test_a_higher_strength_changes_more(strength: Strength) -> None:
    expected = {"none": 0.0, "light": 4.0, "medium": 15.0, "strong": 20.0}
    view = leaf(round(64 * margin(strength)))
    plain = leaf(64).astype(float)
    change = np.mean([np.abs(augment(view, strength, seed) - plain).mean() for seed in range(40)])
    assert change >= expected[strength]
    if strength == "none":
        assert change == 0


@pytest.mark.parametrize("strength", ["light", "medium", "strong"])
def test_a_leaf_stays_green_on_light_paper(strength: Strength) -> None:
    for seed in range(40):
        view = augment(leaf(round(64 * margin(strength))), strength, seed).astype(int)
        dark = view[view.sum(axis=2) < 450]
        assert len(dark) > 0.02 * 64 * 64
        assert np.median(dark[:, 1] - dark[:, 0]) > -8  # not turned red; a grey view with noise is neither
        assert np.median(view.reshape(-1, 3), axis=0).min() > 120  # most pixels are paper


def test_proportions_are_kept() -> None:
    """The length-width ratio of a leaf is a character of the taxon: rotation and scaling must not change it."""
    for seed in range(30):
        view = augment(leaf(round(96 * margin("medium"))), "medium", seed)
        y, x = np.nonzero(view.astype(int).sum(axis=2) < 450)
        touches = min(y.min(), x.min()) == 0 or max(y.max(), x.max()) == 95
        spread = np.sqrt(np.linalg.eigvalsh(np.cov(y, x)))
        if not touches and len(y) > 300:
            assert spread[1] / spread[0] > 1.8


def test_light_turns_by_at_most_20_degrees_scales_by_0_95_to_1_15_and_moves_within_the_margin() -> None:
    side = 128
    plain = leaf(side)
    angles, scales, places = [], [], []
    for seed in range(60):
        view = augment(leaf(round(side * margin("light"))), "light", seed)
        inside = view.astype(int).sum(axis=2) < 450
        y, x = np.nonzero(inside)
        _, vectors = np.linalg.eigh(np.cov(x, y))
        angles.append(abs(np.degrees(np.arctan(vectors[0, -1] / vectors[1, -1]))))
        scales.append(np.sqrt(inside.sum() / (plain.astype(int).sum(axis=2) < 450).sum()))
        places.append(np.hypot(x.mean() - (side - 1) / 2, y.mean() - (side - 1) / 2) / side)
    assert 15 < max(angles) < 21
    assert 0.93 < min(scales) < 0.99
    assert 1.11 < max(scales) < 1.17
    assert 0.05 < max(places) < 0.15 * np.sqrt(0.5) + 0.02


@given(side=st.integers(32, 2048))
def test_output_side_inverts_the_margin(side: int) -> None:
    assert output_side(round(side * margin("light"))) == side


def test_grey_views_stay_grey() -> None:
    grey = leaf(round(64 * margin("strong"))).mean(axis=2).astype(np.uint8)
    view = np.repeat(grey[..., None], 3, axis=2)
    assert all(not np.ptp(augment(view, "strong", seed), axis=2).any() for seed in range(40))


def test_changes_are_drawn_independently_of_each_other() -> None:
    """A view that is mirrored is not always the one whose brightness changes."""
    side = round(64 * margin("light"))
    view = np.full((side, side, 3), 128, np.uint8)
    view[:, : side // 3] = (30, 110, 40)
    found = set()
    for seed in range(60):
        changed = augment(view, "light", seed)
        mirrored = bool(changed[:, 48:].astype(int).sum() < changed[:, :16].astype(int).sum())
        found.add((mirrored, int(np.median(changed)) != 128))
    assert len(found) == 4


@pytest.mark.parametrize(
    ("strength", "least", "most"), [("light", 0.0, 0.0), ("medium", 0.15, 0.3), ("strong", 0.15, 0.3)]
)
def test_some_views_lose_their_finest_texture_as_compressed_photos_do(
    strength: Strength, least: float, most: float
) -> None:
    """Compression sets weak high frequencies of nearly all blocks of 8 x 8 pixels to 0; else only strong blur does."""
    view = np.random.default_rng(0).integers(115, 140, size=(round(64 * margin(strength)),) * 2, dtype=np.uint8)
    compressed = []
    for seed in range(80):
        changed = augment(np.repeat(view[..., None], 3, axis=2), strength, seed)[..., 0].astype(np.float32)
        blocks = changed.reshape(8, 8, 8, 8).swapaxes(1, 2).reshape(-1, 8, 8)
        highest = [abs(cv2.dct(np.ascontiguousarray(block))[7, 7]) for block in blocks]
        compressed.append(np.mean(np.array(highest) < 0.6) > 0.9)
    assert least <= np.mean(compressed) <= most
