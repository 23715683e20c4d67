"""The mask contains the plant and no other objects on the sheet."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from leafid.sheets import find_plant, plant_mask
from tests.sheets.drawings import (
    blank_sheet,
    draw_barcode,
    draw_chart,
    draw_label,
    draw_leaf,
    draw_ruler,
    draw_stamp,
    draw_text,
    draw_ticks,
)

SHARED = Path(__file__).parents[2].parent / "shared"


def iou(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    return float((found & truth).sum() / (found | truth).sum())


def test_mask_of_a_leaf_on_paper_is_exact() -> None:
    image = blank_sheet()
    leaf = draw_leaf(image, (350, 400))
    assert iou(plant_mask(image), leaf) > 0.97


@pytest.mark.parametrize(
    "draw_object",
    [
        lambda image: draw_barcode(image, 60, 900),
        lambda image: draw_ruler(image, 620, 200),
        lambda image: draw_chart(image, 60, 60),
        lambda image: draw_label(image, 400, 820, ["HERBARIUM OF NOWHERE", "Planta ignota L.", "leg. Nemo 123"]),
        lambda image: draw_label(image, 400, 820, ["HERBARIUM OF NOWHERE", "leg. Nemo 123"], brown=True),
        lambda image: draw_stamp(image, 600, 100),
    ],
    ids=["barcode", "ruler", "colour chart", "label", "brown label", "stamp"],
)
def test_other_objects_are_not_plant(draw_object: Callable[[NDArray[np.uint8]], None]) -> None:
    bare = blank_sheet()
    leaf = draw_leaf(bare, (330, 450), petiole=60)
    image = bare.copy()
    draw_object(image)
    other = (image != bare).any(axis=2) & ~leaf
    found = plant_mask(image)
    assert found[other].mean() < 0.01
    assert found[leaf].mean() > 0.97


def test_vignetting_and_shadow_are_not_plant() -> None:
    image = blank_sheet(700, 1000)
    leaf = draw_leaf(image, (500, 350), length=500, width=200, points_to=0)
    image[leaf] = (70, 130, 40)
    shadow = np.roll(leaf, (10, 14), axis=(0, 1)) & ~leaf
    y, x = np.mgrid[-1:1:700j, -1:1:1000j]
    light = (1 - 0.3 * (x**2 + y**2) / 2)[..., None] * np.where(shadow, 0.62, 1.0)[..., None]
    image = (image * light).astype(np.uint8)
    assert iou(plant_mask(image), leaf) > 0.93


@pytest.mark.parametrize(
    "draw_object",
    [
        lambda image: draw_text(image, 60, 700, 12),
        lambda image: draw_stamp(image, 500, 700, radius=90, thickness=9),
        lambda image: draw_ticks(image, 600, 300),
    ],
    ids=["page of text", "large stamp", "white ruler"],
)
def test_much_print_beside_a_small_plant_is_not_plant(draw_object: Callable[[NDArray[np.uint8]], None]) -> None:
    bare = blank_sheet()
    leaf = draw_leaf(bare, (330, 300), length=160, width=70)
    image = bare.copy()
    draw_object(image)
    found = plant_mask(image)
    assert found[(image != bare).any(axis=2)].mean() < 0.02  # single letters may remain
    assert found[leaf].mean() > 0.97


def test_white_label_on_brown_paper_is_not_plant() -> None:
    image = blank_sheet()
    image[:] = (190, 160, 110)
    leaf = draw_leaf(image, (330, 300))
    before = image.copy()
    cv2.ellipse(image, (400, 800), (150, 80), 20, 0, 360, (250, 250, 248), -1)  # torn: not a rectangle
    found = plant_mask(image)
    assert found[(image != before).any(axis=2)].mean() < 0.02
    assert iou(found, leaf) > 0.95


def test_sheet_on_a_black_table() -> None:
    image = np.full((1200, 900, 3), 18, np.uint8)
    sheet = blank_sheet()
    leaf = draw_leaf(sheet, (350, 400))
    image[100:1100, 100:800] = sheet
    truth = np.zeros(image.shape[:2], np.bool_)
    truth[100:1100, 100:800] = leaf
    assert iou(plant_mask(image), truth) > 0.95


def test_leaf_on_coloured_cloth() -> None:
    image = blank_sheet()
    image[:] = (150, 110, 120)
    leaf = draw_leaf(image, (350, 400))
    assert iou(plant_mask(image), leaf) > 0.95


def test_a_sheet_without_a_plant_has_an_empty_mask() -> None:
    image = blank_sheet()
    draw_label(image, 400, 820, ["HERBARIUM OF NOWHERE", "leg. Nemo 123"])
    draw_barcode(image, 60, 900)
    draw_ruler(image, 620, 200)
    found = find_plant(image)
    assert found.fraction < 0.002


def test_empty_paper_has_confidence_zero() -> None:
    found = find_plant(blank_sheet())
    assert not found.reduced.any()
    assert found.confidence == 0.0


def test_confidence_is_high_on_a_clear_leaf() -> None:
    image = blank_sheet()
    draw_leaf(image, (350, 400))
    assert find_plant(image).confidence > 0.5


def test_green_in_a_field_photo_is_found_with_low_confidence() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 60, (600, 800, 3)).astype(np.uint8)
    cv2.ellipse(image, (400, 300), (200, 120), 0, 0, 360, (60, 150, 40), -1)
    found = find_plant(image)
    assert found.full()[300, 400]
    assert found.confidence <= 0.3


def test_mask_has_the_size_of_the_image_or_of_the_given_original() -> None:
    image = blank_sheet(1500, 1100)
    draw_leaf(image, (550, 700))
    assert plant_mask(image).shape == (1500, 1100)
    found = find_plant(image, size=(4400, 6000))
    assert max(found.reduced.shape) == 1024
    assert found.full().shape == (6000, 4400)
    assert found.full()[2800, 2200]


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 900, 3), (40, 30, 3)])
@pytest.mark.parametrize("value", [0, 128, 255])
def test_tiny_and_uniform_images_give_an_empty_mask(shape: tuple[int, int, int], value: int) -> None:
    mask = plant_mask(np.full(shape, value, np.uint8))
    assert mask.shape == shape[:2]
    assert not mask.any()


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/sheets/masks_kymillev")
def test_real_sheets() -> None:
    folder = SHARED / "sheets" / "masks_kymillev"
    scores = []
    for path in sorted((folder / "img").glob("*.jpg"))[1::4]:
        image = cv2.imread(str(path))
        truth = cv2.imread(str(folder / "plant_masks" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
        assert image is not None and truth is not None
        scores.append(iou(plant_mask(np.asarray(image[..., ::-1], dtype=np.uint8)), truth > 127))
    assert np.mean(scores) >= 0.9
