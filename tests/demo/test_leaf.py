"""Drawn leaves lie within the ranges in floras, and their truth agrees with their pixels."""

import itertools
import math

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafid.demo import (
    DEMO_TAXA,
    DrawnLeaf,
    Vein,
    draw_leaf,
    fold,
    insect_holes,
    leaf_ranges,
    sample_leaf,
    sample_plant,
    tear,
)
from leafid.demo.outline import blade_outline
from leafid.demo.venation import blade_venation, departure_angle_deg

TAXA = st.sampled_from(DEMO_TAXA)
SEEDS = st.integers(0, 2**32)


def drawn(taxon: str, seed: int, px_per_mm: float = 3.0, direction_deg: float = 0.0) -> DrawnLeaf:
    rng = np.random.default_rng(seed)
    plant = sample_plant(taxon, rng)
    return draw_leaf(sample_leaf(plant, rng), plant.look, rng, px_per_mm=px_per_mm, direction_deg=direction_deg)


@given(TAXA, SEEDS)
@settings(max_examples=150, deadline=None)
def test_leaf_characters_lie_in_the_ranges_of_the_flora(taxon: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ranges = leaf_ranges(taxon)
    traits = sample_leaf(sample_plant(taxon, rng), rng)
    for value, interval in (
        (traits.length_mm, ranges.length_mm),
        (traits.width_mm, ranges.width_mm),
        (traits.petiole_mm, ranges.petiole_mm),
        (traits.vein_angle_deg, ranges.vein_angle_deg),
    ):
        assert interval.low - 1e-6 <= value <= interval.high + 1e-6
    low, high = ranges.vein_pairs
    assert low <= traits.pairs_left <= high and low <= traits.pairs_right <= high
    assert traits.apex_form in ranges.apex_forms and traits.base_form in ranges.base_forms


@given(TAXA, SEEDS)
@settings(max_examples=80, deadline=None)
def test_veins_lie_in_the_blade_and_do_not_cross(taxon: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    traits = sample_leaf(sample_plant(taxon, rng), rng)
    blade = blade_outline(traits, rng)
    veins = blade_venation(blade, rng)
    assert (len(veins.left), len(veins.right)) == (traits.pairs_left, traits.pairs_right)
    assert blade.width_mm() == pytest.approx(traits.width_mm, rel=1e-6)
    for side, secondaries in ((-1, veins.left), (1, veins.right)):
        for vein in secondaries:
            assert vein[0, 0] == 0
            assert np.all(np.abs(vein[:, 0]) <= blade.half_width(side, vein[:, 1]) + 1e-6)
            assert abs(vein[-1, 0]) >= 0.5 * blade.half_width(side, vein[-1:, 1]).item()
        for lower, upper in itertools.pairwise(secondaries):
            across = np.linspace(0, min(abs(lower[-1, 0]), abs(upper[-1, 0])) * 0.5, 10)
            below = np.interp(across, np.abs(lower[:, 0]), lower[:, 1])
            above = np.interp(across, np.abs(upper[:, 0]), upper[:, 1])
            assert np.all(below < above)


@given(TAXA, SEEDS)
@settings(max_examples=60, deadline=None)
def test_mean_vein_angle_is_the_sampled_one(taxon: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    traits = sample_leaf(sample_plant(taxon, rng), rng)
    veins = blade_venation(blade_outline(traits, rng), rng)
    assert veins.mean_angle_deg() == pytest.approx(traits.vein_angle_deg, abs=1)


def test_departure_angle_of_a_straight_vein() -> None:
    t = np.linspace(0, 30, 20)
    assert departure_angle_deg(np.stack([-t * math.sin(0.7), 5 + t * math.cos(0.7)], axis=1)) == pytest.approx(
        math.degrees(0.7)
    )


@pytest.mark.parametrize("taxon", DEMO_TAXA)
def test_pixels_agree_with_the_truth(taxon: str) -> None:
    leaf = drawn(taxon, 5, direction_deg=0.0)
    rows = np.flatnonzero(leaf.mask.any(axis=1))
    lowest_of_lobes = leaf.blade.sinus_mm
    bend = math.radians(abs(leaf.traits.bend_deg))
    height_mm = (rows[-1] - rows[0] + 1) / 3.0
    assert height_mm == pytest.approx(leaf.traits.length_mm + lowest_of_lobes, rel=0.03 + bend / 6)
    assert set(np.unique(leaf.veins)) == {0, *Vein}
    assert not np.any(leaf.veins[~leaf.mask])
    base, apex = leaf.midrib_px[[0, -1]]
    assert np.hypot(*(apex - base)) / 3.0 == pytest.approx(leaf.traits.length_mm, rel=0.03)
    inner = leaf.midrib_px[5:-5].astype(int)
    assert np.mean(leaf.veins[inner[:, 1], inner[:, 0]] == Vein.MIDRIB) > 0.95


def test_secondaries_can_be_counted_in_the_vein_mask() -> None:
    leaf = drawn("Mitragyna speciosa", 3, px_per_mm=12)
    secondary = (leaf.veins == Vein.SECONDARY).astype(np.uint8)
    components, _, stats, _ = cv2.connectedComponentsWithStats(secondary, connectivity=8)
    long = int((np.hypot(stats[1:, 2], stats[1:, 3]) > 12 * 6).sum())
    assert components > 1
    # A tertiary or the midrib never cuts a secondary, which would count it twice.
    assert long == pytest.approx(leaf.traits.pairs_left + leaf.traits.pairs_right, abs=1)


@pytest.mark.parametrize("px_per_mm", [1.0, 4.0, 20.0])
def test_scale_changes_pixels_not_the_leaf(px_per_mm: float) -> None:
    leaf = drawn("Mitragyna diversifolia", 9, px_per_mm=px_per_mm)
    assert leaf.traits == drawn("Mitragyna diversifolia", 9).traits
    area_mm2 = leaf.mask.sum() / px_per_mm**2
    assert area_mm2 == pytest.approx(drawn("Mitragyna diversifolia", 9, px_per_mm=6).mask.sum() / 36, rel=0.03)


def test_damage_updates_the_truth() -> None:
    leaf = drawn("Mitragyna hirsuta", 2)
    rng = np.random.default_rng(0)
    for damaged in (fold(leaf, rng), tear(leaf, rng), insect_holes(leaf, rng, 6)):
        assert damaged.mask.sum() < leaf.mask.sum()
        assert not np.any(damaged.veins[~damaged.mask])
        assert damaged.traits == leaf.traits
    assert fold(leaf, rng).folded and tear(leaf, rng).torn


def test_on_background_keeps_the_paper_beside_the_leaf() -> None:
    leaf = drawn("Mitragyna hirsuta", 2)
    paper = np.full(leaf.image.shape, 222, np.uint8)
    laid = leaf.on_background(paper)
    assert np.all(laid[leaf.coverage == 0] == 222)
    assert np.array_equal(laid[leaf.coverage == 255], leaf.image[leaf.coverage == 255])
