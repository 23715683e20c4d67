"""The scale is found from a ruler in millimetres, and from nothing else."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from leafid.demo.gatherings import sheet_spec
from leafid.demo.sheet import draw_sheet
from leafid.sheets import find_ruler_scale

Image8 = NDArray[np.uint8]


def _ruler(px_per_tick: float, *, longest_every: int = 10, middle_every: int = 5, ticks: int = 100) -> Image8:
    """Draw a light ruler on darker paper, four times as large and then reduced, so that ticks lie between pixels."""
    rng = np.random.default_rng(7)
    large = np.full((4 * 420, 4 * 700), 175, np.uint8)
    step, top, left = 4 * px_per_tick, 1200, 120
    right = round(left + (ticks + 8) * step)
    large[top : top + round(16 * step), left:right] = 236
    for tick in range(ticks + 1):
        length = 7.0 if tick % longest_every == 0 else 5.0 if tick % middle_every == 0 else 3.0
        x = round(left + (4 + tick) * step)
        large[top : top + round(length * step), x - round(0.12 * step) : x + round(0.12 * step) + 1] = 30
    small = cv2.resize(large, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    noisy = np.clip(small + rng.normal(0, 3, small.shape), 0, 255).astype(np.uint8)
    return np.repeat(noisy[..., None], 3, axis=2)


@pytest.mark.parametrize("px_per_mm", [3.3, 4.27, 5.6])
def test_scale_of_a_ruler_at_any_side(px_per_mm: float) -> None:
    picture = _ruler(px_per_mm)
    for turns in range(4):
        scale = find_ruler_scale(np.ascontiguousarray(np.rot90(picture, turns)))
        assert scale is not None
        assert scale.px_per_mm == pytest.approx(px_per_mm, rel=0.005)


def test_scale_of_a_drawn_sheet() -> None:
    sheet = draw_sheet(sheet_spec(1, seed=99, px_per_mm=4.0))
    scale = find_ruler_scale(sheet.image)
    assert scale is not None and scale.px_per_mm == pytest.approx(4.0, rel=0.003)


@pytest.mark.parametrize(("longest", "middle"), [(16, 8), (8, 4), (1000, 1000), (1000, 5)])
def test_other_divisions_give_no_scale(longest: int, middle: int) -> None:
    assert find_ruler_scale(_ruler(4.4, longest_every=longest, middle_every=middle)) is None


def test_blank_and_squared_paper_give_no_scale() -> None:
    paper = np.full((400, 600, 3), 230, np.uint8)
    assert find_ruler_scale(paper) is None
    paper[::5] = paper[:, ::5] = 150
    assert find_ruler_scale(paper) is None
    assert find_ruler_scale(np.zeros((3, 2, 3), np.uint8)) is None
