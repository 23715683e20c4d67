"""Numbers of secondary veins from two readers: their mean, how sure it is, and when none is given."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.characters import NotMeasuredReason
from leafid.characters.assessment import Evidence, why_no_veins
from leafid.characters.values import FULL_QUALITY
from leafid.characters.veins.two_readers import MIN_QUALITY, SideCount, both_readers
from leafid.characters.veins.vein_count import VeinCount, VeinSets, vein_sets
from leafid.characters.veins.vein_paths import VeinPath
from leafid.sheets import SecondaryCount
from tests.characters.leaves import drawn_leaf, parsed

SURE = SideCount(ridges=10.2, ridges_deviation=0.6, network=10.6, network_deviation=0.7)


def test_the_number_is_the_mean_of_both() -> None:
    assert SURE.number == 10
    assert replace(SURE, network=11.0).number == 11
    assert replace(SURE, ridges=9.0, network=10.0).number == 10


def test_a_clear_leaf_gets_a_number_and_an_unclear_one_none() -> None:
    assert 0.9 < SURE.quality < 1
    assert replace(SURE, network_deviation=2.2, ridges_deviation=1.8).quality < MIN_QUALITY
    assert replace(SURE, network=14.5).quality == 0


def test_a_number_that_is_not_as_sure_on_any_photograph_excludes_no_taxon() -> None:
    side = SideCount(ridges=10.5, ridges_deviation=1.0, network=12.3, network_deviation=1.4)
    assert MIN_QUALITY < side.quality < FULL_QUALITY


@given(
    ridges=st.floats(0, 25),
    network=st.floats(0, 25),
    deviation=st.floats(0, 3),
    more=st.floats(0.01, 2),
)
def test_less_evidence_is_never_surer(ridges: float, network: float, deviation: float, more: float) -> None:
    side = SideCount(ridges, deviation, network, deviation)
    assert 0 <= replace(side, network_deviation=deviation + more).quality <= side.quality <= 1
    assert replace(side, ridges_deviation=deviation + more).quality <= side.quality
    assert min(ridges, network) - 0.5 <= side.number <= max(ridges, network) + 0.5


def _path(row: int, strength: float = 0.5) -> VeinPath:
    columns = np.linspace(10, 60, 16)
    return VeinPath(row, strength, np.stack([columns, row - (columns - 10) * 0.8], axis=1), 38.0)


def _evenly_spaced(number: int) -> list[VeinPath]:
    return [_path(60 + 60 * index) for index in range(number)]


def test_evenly_spaced_strong_paths_are_all_chosen() -> None:
    sets = vein_sets([*_evenly_spaced(8), _path(205, 0.1)], _evenly_spaced(8), 600.0)
    assert [len(side) for side in (sets.likeliest().left, sets.likeliest().right)] == [8, 8]
    assert sets.likely.sum() == pytest.approx(1)
    assert sets.expected() == pytest.approx([8, 8], abs=0.6)
    assert (sets.deviations() < 1.2).all()


def test_sets_of_a_given_number_are_the_best_of_that_number() -> None:
    weak = _path(205, 0.1)
    sets = vein_sets([*_evenly_spaced(8), weak], _evenly_spaced(8), 600.0)
    chosen = sets.of((8, 6))
    assert weak not in chosen.left and len(chosen.left) == 8 and len(chosen.right) == 6
    assert len(sets.of((30, 0)).left) == len(sets.left) - 1
    assert [path.start for path in chosen.left] == sorted(path.start for path in chosen.left)


def test_a_side_without_paths_has_no_veins() -> None:
    sets = vein_sets([], [], 600.0)
    assert sets.likeliest() == VeinCount((), ()) == sets.of((3, 3))
    assert (sets.expected() == 0).all() and (sets.deviations() == 0).all()


def test_both_readers_are_brought_together_side_by_side() -> None:
    leaf = drawn_leaf("Coffea canephora", 6)
    counts = [SecondaryCount(number, number + 0.4, 0.8, (0.0, 1.0)) for number in (7, 9)]
    read = replace(parsed(leaf), count_left=counts[0], count_right=counts[1])
    sets = VeinSets(((), (_path(60),)), ((), (_path(60),)), np.array([[0.0, 0.0], [0.25, 0.75]]))
    left, right = both_readers(sets, read)
    assert (left.ridges, left.network, left.network_deviation) == (1.0, 7.4, 0.8)
    assert (right.ridges, right.network) == (0.75, 9.4)


def test_no_veins_are_counted_where_several_leaves_were_taken_for_one() -> None:
    leaf = Evidence(0.85, 0.97, vein_lean=0.6, strength=0.3, elevation_deg=40, count_uncertainty=0.8)
    veins = VeinCount(tuple(_evenly_spaced(8)), tuple(_evenly_spaced(8)))
    assert why_no_veins(leaf, veins, 600.0) is None
    assert why_no_veins(replace(leaf, symmetry=0.5), veins, 600.0) is NotMeasuredReason.VEINS_UNCERTAIN
    assert why_no_veins(leaf, veins, 60.0) is NotMeasuredReason.VEINS_NOT_VISIBLE  # 7 pixels apart: a fern's leaflets
