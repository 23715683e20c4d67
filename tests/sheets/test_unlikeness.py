"""Leaves of one picture are compared in form, colour, texture and ground, whatever their order and direction."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from leafid.sheets.input_gate.unlikeness import UNLIKENESS, unlikeness_features
from leafid.sheets.leaf_parser.overview import FoundLeaf

_COMPARED = UNLIKENESS - 5
_FINE = np.random.default_rng(0).random((8, 32, 32)).astype(np.float32)
_PAPER, _GREEN, _RED = (200.0, 128.0, 128.0), (110.0, 100.0, 160.0), (110.0, 180.0, 160.0)


def _leaf(centre: tuple[int, int], half: tuple[int, int], *, upwards: bool = True) -> FoundLeaf:
    """An ellipse of 64 x 64 cells, its base below or above."""
    cells = np.zeros((64, 64), np.float32)
    cv2.ellipse(cells, centre, half, 0, 0, 360, (1.0,), -1)
    ends = (np.array([centre[0], centre[1] + sign * half[1]]) * 4.0 + 2 for sign in ((1, -1) if upwards else (-1, 1)))
    base, apex = ends
    return FoundLeaf(cells, base, apex, 0.9)


def _colours(*painted: tuple[FoundLeaf, tuple[float, float, float]]) -> np.ndarray:
    lab = np.full((64, 64, 3), _PAPER, np.float32)
    for leaf, colour in painted:
        lab[leaf.cells > 0] = colour
    return lab


def test_a_picture_with_one_leaf_has_nothing_to_compare() -> None:
    leaf = _leaf((30, 30), (8, 20))
    assert not unlikeness_features([leaf], _colours((leaf, _GREEN)), _FINE)[:-2].any()


def test_like_leaves_differ_in_nothing_even_when_one_lies_the_other_way_round() -> None:
    one, other = _leaf((16, 30), (8, 20)), _leaf((46, 30), (8, 20), upwards=False)
    even = np.ones((8, 32, 32), np.float32)
    features = unlikeness_features([one, other], _colours((one, _GREEN), (other, _GREEN)), even)
    assert features[:_COMPARED] == pytest.approx(0, abs=0.05)


@pytest.mark.parametrize("swapped", [False, True])
def test_form_and_colour_count_in_any_order(swapped: bool) -> None:
    slim, round_ = _leaf((14, 30), (4, 22)), _leaf((44, 30), (16, 18))
    leaves = [round_, slim] if swapped else [slim, round_]
    painted = _colours((slim, _GREEN), (round_, _RED))
    width, form, _, _, colour, ground, *_ = unlikeness_features(leaves, painted, _FINE)
    assert width > 1 and form > 0.5 and colour > 2 and ground < 0.1


def test_small_leaves_beside_a_large_one_are_not_compared() -> None:
    large, small = _leaf((24, 32), (16, 28)), _leaf((54, 32), (2, 6))
    assert not unlikeness_features([large, small], _colours((large, _GREEN), (small, _RED)), _FINE)[:-2].any()


def test_a_seam_through_the_whole_picture_is_seen_and_an_edge_in_a_part_of_it_is_not() -> None:
    lab = np.full((48, 64, 3), _PAPER, np.float32) + np.random.default_rng(0).normal(0, 1, (48, 64, 3))
    halves, part = lab.copy(), lab.copy()
    halves[:, 30:] -= 20
    part[:20, 30:] -= 20
    whole, none = (unlikeness_features([], picture.astype(np.float32), _FINE)[-2] for picture in (halves, part))
    assert whole > none + 1
