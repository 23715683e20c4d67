"""Single leaves are found, cut from the original, and rotated apex-up."""

import numpy as np
import pytest
from numpy.typing import NDArray

from leafid.sheets import CropKind, CropPlan, PlantMask, cut_crop, find_crops, find_plant
from tests.sheets.drawings import blank_sheet, draw_leaf


def leaf_plans(image: NDArray[np.uint8], leaves: int = 10) -> list[CropPlan]:
    plans = find_crops(image, find_plant(image), leaves=leaves, tiles=0, whole_plant=False)
    return [plan for plan in plans if plan.kind is CropKind.LEAF]


def iou(plan: CropPlan, blade: NDArray[np.bool_]) -> float:
    """Return the IoU of the plan's shape with a blade, both in the original."""
    placed = np.zeros(blade.shape, np.bool_)
    left, top, right, bottom = plan.box
    placed[top:bottom, left:right] = plan.shape[: bottom - top, : right - left]
    return float((placed & blade).sum() / (placed | blade).sum())


def test_separate_leaves_are_found_largest_first() -> None:
    image = blank_sheet()
    large = draw_leaf(image, (200, 300), length=300, width=130)
    small = draw_leaf(image, (500, 300), length=200, width=90)
    plans = leaf_plans(image)
    assert len(plans) == 2
    assert iou(plans[0], large) > 0.9
    assert iou(plans[1], small) > 0.9


def test_leaves_on_a_twig_are_separated() -> None:
    image = blank_sheet()
    blades = [
        draw_leaf(image, (350 + side * 150, 250 + 180 * row), points_to=0 if side > 0 else 180, petiole=40)
        for row in range(3)
        for side in (-1, 1)
    ]
    image[150:900, 347:354] = (84, 70, 48)
    plans = leaf_plans(image)
    assert len(plans) == 6
    for blade in blades:
        assert max(iou(plan, blade) for plan in plans) > 0.8


def test_touching_leaves_are_cut_at_the_neck() -> None:
    image = blank_sheet()
    blades = [draw_leaf(image, (x, 400), length=300, width=130) for x in (290, 412)]
    plans = leaf_plans(image)
    assert len(plans) == 2
    for blade in blades:
        assert max(iou(plan, blade) for plan in plans) > 0.85
    assert all(plan.quality.completeness < 1 for plan in plans)


@pytest.mark.parametrize(("points_to", "centre"), [(-45, (420, 460)), (-20, (430, 520)), (180, (380, 560))])
def test_overlapping_leaves_are_cut_between_their_notches(points_to: int, centre: tuple[int, int]) -> None:
    image = blank_sheet()
    below = draw_leaf(image, (250, 400), length=400, width=170, points_to=-110)
    above = draw_leaf(image, centre, length=400, width=170, points_to=points_to)
    assert (above & below).sum() > 0.14 * above.sum()
    plans = leaf_plans(image)
    assert len(plans) == 2
    for blade in (above, below):
        assert max(iou(plan, blade) for plan in plans) > 0.7


@pytest.mark.parametrize("width", [90, 170, 260])
def test_one_leaf_is_not_cut_at_its_tip_and_petiole(width: int) -> None:
    image = blank_sheet()
    draw_leaf(image, (350, 450), length=380, width=width, petiole=100)
    assert len(leaf_plans(image)) == 1


def test_torn_leaf_is_not_cut() -> None:
    image = blank_sheet()
    draw_leaf(image, (350, 450), length=400, width=220, petiole=80)
    image[470:560, 380:560] = image[20, 20]  # a bite from one side
    assert len(leaf_plans(image)) == 1


@pytest.mark.parametrize("points_to", range(-180, 180, 30))
def test_leaf_with_petiole_is_rotated_apex_up(points_to: int) -> None:
    image = blank_sheet(900, 900)
    draw_leaf(image, (450, 450), points_to=points_to, petiole=120)
    (plan,) = leaf_plans(image)
    assert plan.axis_clear and plan.apex_clear
    up = -90
    turned_to = points_to - plan.angle  # image angles run clockwise, the rotation counter-clockwise
    assert abs((turned_to - up + 180) % 360 - 180) <= 8
    crop = cut_crop(image, plan)
    rows = np.flatnonzero(crop.mask.any(axis=1))
    columns = np.flatnonzero(crop.mask.any(axis=0))
    assert np.ptp(rows) > 1.8 * np.ptp(columns)
    widths = crop.mask.sum(axis=1)[rows]
    assert widths[: len(rows) // 2].sum() < 1.6 * widths[len(rows) // 2 :].sum()


def test_a_disc_has_no_clear_apex() -> None:
    image = blank_sheet()
    y, x = np.ogrid[:1000, :700]
    image[(x - 350) ** 2 + (y - 500) ** 2 < 120**2] = (84, 92, 48)
    (plan,) = leaf_plans(image)
    assert not plan.apex_clear


def test_plain_background_hides_the_paper_and_kept_shows_it() -> None:
    image = blank_sheet()
    draw_leaf(image, (350, 400))
    (plan,) = leaf_plans(image)
    plain, kept = cut_crop(image, plan, background="plain"), cut_crop(image, plan, background="kept")
    assert (plain.pixels[0, 0] == 255).all()
    assert (kept.pixels[0, 0] < 250).any()
    assert plain.pixels.shape == kept.pixels.shape
    assert plain.mask.shape == plain.pixels.shape[:2]


def test_crops_are_cut_from_the_original_at_its_resolution() -> None:
    reduced = blank_sheet()
    draw_leaf(reduced, (350, 400))
    original = np.repeat(np.repeat(reduced, 4, axis=0), 4, axis=1)
    plans = find_crops(reduced, find_plant(reduced, size=(2800, 4000)), leaves=1, tiles=0)
    whole, leaf = (cut_crop(original, plan) for plan in plans)
    assert leaf.pixels.shape[0] > 900
    assert whole.plan.kind is CropKind.PLANT
    assert abs(leaf.mask.sum() / 16 / cut_crop(reduced, leaf_plans(reduced)[0]).mask.sum() - 1) < 0.05


def test_max_side_reduces_leaves_but_not_tiles() -> None:
    image = blank_sheet()
    draw_leaf(image, (350, 400), length=600, width=260)
    for plan in find_crops(image, find_plant(image), leaves=1, tiles=1, tile_side=200):
        crop = cut_crop(image, plan, max_side=150)
        if crop.plan.kind is CropKind.TILE:
            assert crop.pixels.shape == (200, 200, 3)
        else:
            assert max(crop.pixels.shape[:2]) <= 215  # the diagonal of a rotated box of 150


def test_overlapping_leaves_give_tiles_inside_the_plant() -> None:
    image = blank_sheet()
    for x in range(150, 560, 50):
        for y in range(200, 800, 70):
            draw_leaf(image, (x, y), points_to=(x * y) % 360)
    plans = find_crops(image, find_plant(image), leaves=4, tile_side=120)
    tiles = [plan for plan in plans if plan.kind is CropKind.TILE]
    assert plans[0].kind is CropKind.PLANT
    assert len(plans) == 5
    assert tiles
    for tile in tiles:
        assert tile.quality.completeness > 0.8
        left, top, right, bottom = tile.box
        assert (right - left, bottom - top) == (120, 120)


def test_without_a_plant_there_are_no_crops() -> None:
    image = blank_sheet()
    assert find_crops(image, find_plant(image)) == []


def test_a_leaf_cut_off_by_the_image_is_less_complete() -> None:
    image = blank_sheet()
    draw_leaf(image, (0, 300), length=300, width=260)
    draw_leaf(image, (450, 300), length=300, width=130)
    completeness = {plan.box[0] == 0: plan.quality.completeness for plan in leaf_plans(image)}
    assert completeness[False] > 0.97
    assert completeness.get(True, 0) < 0.9


def test_tiles_of_a_dense_plant_are_spread_over_it() -> None:
    plant = np.zeros((1000, 700), np.bool_)
    plant[100:900, 50:650] = True
    mask = PlantMask(reduced=plant, size=(700, 1000), fraction=float(plant.mean()), confidence=1.0)
    plans = find_crops(blank_sheet(), mask, leaves=0, tiles=5, tile_side=100, whole_plant=False)
    corners = np.array([plan.box[:2] for plan in plans])
    assert len(plans) == 5
    assert (corners.max(axis=0) - corners.min(axis=0) > (400, 600)).all()
    for left, top, right, bottom in (plan.box for plan in plans):
        assert plant[top:bottom, left:right].mean() >= 0.8
