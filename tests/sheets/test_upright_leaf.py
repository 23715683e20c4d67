"""A parsed leaf is cut out apex up, and its mask is refined by colour."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from leafid.sheets import cut_upright, refine_mask, unclear_outline
from tests.characters.leaves import drawn_leaf, on_paper, parsed


def _overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("direction", [0, 75, 200])
def test_the_apex_is_up_and_points_agree_with_pixels(direction: float) -> None:
    leaf = drawn_leaf("Coffea canephora", 6, direction_deg=direction)
    crop = cut_upright(on_paper(leaf), parsed(leaf), max_side=400)
    assert max(crop.pixels.shape[:2]) == pytest.approx(400, abs=2)
    apex, base = crop.midrib[0], crop.midrib[-1]
    assert apex[1] < 0.2 * crop.pixels.shape[0] and base[1] > 0.8 * crop.pixels.shape[0]
    assert abs(apex[0] - base[0]) < 1
    assert np.hypot(*(base - apex)) == pytest.approx(crop.scale * np.hypot(*np.ptp(leaf.midrib_px[[0, -1]], axis=0)))
    leaf_by_colour = crop.pixels.astype(int).min(axis=2) < 170  # the drawn leaf is darker than the paper
    assert _overlap(leaf_by_colour, crop.mask) > 0.95
    assert _overlap(crop.cut_mask(leaf.mask), crop.mask) > 0.99


def test_a_broad_leaf_is_reduced_by_the_area_of_its_blade() -> None:
    leaf = drawn_leaf("Coffea canephora", 6)
    crop = cut_upright(on_paper(leaf), parsed(leaf), max_side=400, max_blade=90)
    assert np.count_nonzero(crop.mask) == pytest.approx(90**2, rel=0.03)


def _coarse(mask: NDArray[np.bool_], factor: int) -> NDArray[np.bool_]:
    height, width = mask.shape
    small = cv2.resize(mask.astype(np.float32), (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (width, height)) > 0.35)


def test_a_coarse_mask_is_brought_to_the_leafs_edge() -> None:
    leaf = drawn_leaf("Mitragyna speciosa", 3, px_per_mm=12)
    pixels = on_paper(leaf)
    coarse = _coarse(leaf.mask, 36)
    coarse[: np.flatnonzero(leaf.mask.any(axis=1))[0] + 40] = False  # the tip lacks
    refined = refine_mask(pixels, coarse, leaf.midrib_px[-1]).mask
    assert _overlap(coarse, leaf.mask) < 0.975
    assert _overlap(refined, leaf.mask) > 0.985
    assert np.flatnonzero(refined.any(axis=1))[0] - np.flatnonzero(leaf.mask.any(axis=1))[0] < 12


def test_where_colours_tell_nothing_the_mask_stays_about_the_same() -> None:
    mask = np.zeros((400, 300), np.bool_)
    mask[60:340, 80:220] = True
    noise = np.random.default_rng(1).integers(90, 110, (400, 300, 3)).astype(np.uint8)
    refined = refine_mask(noise, mask, np.array([150.0, 60])).mask
    assert _overlap(refined, mask) > 0.97
    nothing = np.zeros_like(mask)
    assert not refine_mask(noise, nothing, np.array([150.0, 60])).mask.any()


def test_an_outline_is_unclear_where_the_leaf_goes_on() -> None:
    leaf = drawn_leaf("Mitragyna speciosa", 3, px_per_mm=12)
    pixels = on_paper(leaf)
    assert unclear_outline(pixels, leaf.mask) < 0.04
    rows = np.flatnonzero(leaf.mask.any(axis=1))
    part = leaf.mask.copy()
    part[: rows[0] + (rows[-1] - rows[0]) // 3] = False
    assert unclear_outline(pixels, part) > 0.1
    assert unclear_outline(pixels, np.zeros_like(part)) == 1
