"""The masks of a drawn sheet agree with its image."""

import numpy as np
import pytest

from leafid.demo import STEM, DrawnSheet, Furniture, draw_sheet, sheet_spec

PX_PER_MM = 1.5


@pytest.fixture(scope="module", params=[0, 7, 13])
def sheet(request: pytest.FixtureRequest) -> DrawnSheet:
    return draw_sheet(sheet_spec(request.param, seed=4, px_per_mm=PX_PER_MM))


def test_masks_are_consistent(sheet: DrawnSheet) -> None:
    blades = (sheet.leaves > 0) & (sheet.leaves != STEM)
    assert sheet.image.shape[:2] == sheet.leaves.shape == sheet.veins.shape == sheet.furniture.shape
    assert 0.03 < sheet.plant.mean() < 0.7
    assert np.any(sheet.leaves == STEM)
    assert not np.any(sheet.veins[~blades])
    assert not np.any(sheet.furniture[sheet.plant])
    for kind in (Furniture.LABEL, Furniture.RULER, Furniture.COLOUR_CHART, Furniture.STAMP, Furniture.STRAP):
        assert np.any(sheet.furniture == kind), kind


def test_leaves_are_numbered_and_their_visible_share_is_right(sheet: DrawnSheet) -> None:
    assert 3 <= len(sheet.drawn) <= 8
    assert [leaf.number for leaf in sheet.drawn] == list(range(1, len(sheet.drawn) + 1))
    for leaf in sheet.drawn:
        seen = int((sheet.leaves == leaf.number).sum())
        assert 0 <= leaf.visible_fraction <= 1
        if not (leaf.leaf.folded or leaf.leaf.torn):
            assert seen <= leaf.leaf.mask.sum()
        if not leaf.overlapped and not leaf.leaf.folded and not leaf.leaf.torn:
            assert leaf.visible_fraction > 0.9
        column, row = leaf.midrib_px[30].astype(int)
        if leaf.visible_fraction > 0.995:
            assert sheet.leaves[row, column] == leaf.number


def test_leaves_lie_on_the_paper(sheet: DrawnSheet) -> None:
    left, top, width, height = (side * PX_PER_MM for side in sheet.spec.herbarium.sheet)
    rows, columns = np.nonzero(sheet.plant)
    slack = 25 * PX_PER_MM
    assert columns.min() > left - slack and columns.max() < left + width + slack
    assert rows.min() > top - slack and rows.max() < top + height + slack


def test_plant_is_darker_than_paper(sheet: DrawnSheet) -> None:
    bare = (sheet.furniture == 0) & ~sheet.plant
    left, top, width, height = (int(side * PX_PER_MM) for side in sheet.spec.herbarium.sheet)
    paper = np.zeros_like(bare)
    paper[top + 8 : top + height - 8, left + 8 : left + width - 8] = True
    assert np.median(sheet.image[sheet.plant]) < np.median(sheet.image[bare & paper]) - 30


def test_same_spec_same_sheet() -> None:
    first, second = (draw_sheet(sheet_spec(3, seed=1, px_per_mm=1.0)) for _ in range(2))
    assert np.array_equal(first.image, second.image) and np.array_equal(first.veins, second.veins)
    other = draw_sheet(sheet_spec(3, seed=2, px_per_mm=1.0))
    assert not np.array_equal(first.image, other.image)
