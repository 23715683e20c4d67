"""The views of an image: kinds, order, sizes, and what replaces views that are missing."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from leafid.errors import ImageError
from leafid.images import OpenedImage
from leafid.jobs import Preprocessing, ViewCounts
from leafid.sheets import CropKind, open_for_views, prepare, prepare_file
from leafid.sheets.crops.crop_cutting import cut_crop
from leafid.sheets.views import find_views

from .drawings import LEAF, blank_sheet, draw_leaf

IMAGE, PLANT, LEAF_VIEW, TILE, VEINS = CropKind


def opened(pixels: NDArray[np.uint8]) -> OpenedImage:
    return OpenedImage(Image.fromarray(pixels), pixels.shape[1], pixels.shape[0], pages=1)


def sheet(leaves: int = 3) -> NDArray[np.uint8]:
    image = blank_sheet()
    for number in range(leaves):
        draw_leaf(image, (180 + 170 * number, 320 + 60 * number), length=220 + 20 * number)
    return image


def preprocessing_for(
    size: int = 64, background: str = "kept", tile_side: int | None = None, **views: int
) -> Preprocessing:
    return Preprocessing.model_validate(
        {"size": size, "background": background, "tile_side": tile_side, "views": views}
    )


def test_by_default_the_whole_image_is_the_only_view() -> None:
    image = Image.fromarray(sheet())
    prepared = prepare(opened(sheet()), Preprocessing(size=96))
    assert (prepared.kinds, prepared.notes, prepared.width, prepared.height) == ((IMAGE,), (), 700, 1000)
    padded = ImageOps.pad(image, (96, 96), method=Image.Resampling.BICUBIC, color=(255, 255, 255))
    assert np.array_equal(prepared.views[0], np.asarray(padded))


def test_views_are_ordered_and_reproducible() -> None:
    requested = preprocessing_for(image=1, plant=1, leaves=3, tiles=2, veins=1)
    prepared = prepare(opened(sheet()), requested)
    assert prepared.kinds == (IMAGE, PLANT, LEAF_VIEW, LEAF_VIEW, LEAF_VIEW, TILE, TILE, VEINS)
    assert all(view.shape == (64, 64, 3) and view.dtype == np.uint8 for view in prepared.views)
    assert prepared.notes == ()
    assert np.array_equal(np.stack(prepared.views), np.stack(prepare(opened(sheet()), requested).views))


def test_overviews_may_be_larger() -> None:
    requested = preprocessing_for(image=1, plant=1, leaves=2, tiles=1).model_copy(update={"overview_size": 128})
    assert [view.shape[0] for view in prepare(opened(sheet()), requested).views] == [128, 128, 64, 64, 64]


def test_with_fewer_leaves_there_are_fewer_views() -> None:
    prepared = prepare(opened(sheet(2)), preprocessing_for(leaves=6, veins=1))
    assert prepared.kinds == (LEAF_VIEW, LEAF_VIEW, VEINS)
    assert prepared.notes == ("2 of 6 leaves",)
    prepared = prepare(opened(sheet(2)), preprocessing_for(veins=3))
    assert prepared.kinds == (VEINS, VEINS)
    assert prepared.notes == ("2 of 3 vein maps",)


def test_without_a_plant_the_whole_image_is_the_view() -> None:
    prepared = prepare(opened(blank_sheet()), preprocessing_for(plant=1, leaves=4, tiles=2, background="plain"))
    assert prepared.kinds == (IMAGE,)
    assert prepared.notes == ("no plant was found; the whole image is seen",)


def test_without_a_leaf_the_plant_is_the_view() -> None:
    image = blank_sheet()
    for x in (150, 350, 550):  # a tuft of grass
        cv2.line(image, (350, 850), (x, 200), LEAF, 9, cv2.LINE_AA)
    prepared = prepare(opened(image), preprocessing_for(leaves=4))
    assert prepared.kinds == (PLANT,)
    assert prepared.notes == ("0 of 4 leaves", "the whole plant is seen instead")


def test_the_background_is_kept_or_white() -> None:
    image = sheet(1)
    image[200:260, 330:400] = (30, 90, 160)  # a blue label beside the leaf
    for views in (ViewCounts(leaves=1), ViewCounts(plant=1)):
        kept = prepare(opened(image), Preprocessing(size=160, views=views)).views[0]
        plain = prepare(opened(image), Preprocessing(size=160, views=views, background="plain")).views[0]
        paper = np.abs(kept.astype(int) - np.array((236, 230, 214))).max(axis=2) < 12
        assert paper.mean() > 0.1
        assert (plain[paper] > 240).mean() > 0.97  # the leaf's edge may be a pixel off
        leaf = np.abs(kept.astype(int) - np.array(LEAF)).max(axis=2) < 8
        assert leaf.mean() > 0.1
        assert np.abs(plain[leaf].astype(int) - kept[leaf]).mean() < 2


def test_colours_are_kept_or_grey() -> None:
    for view in prepare(
        opened(sheet()), preprocessing_for(image=1, plant=1, leaves=1).model_copy(update={"colour": "grey"})
    ).views:
        assert (view == view[..., :1]).all() and view.std() > 10


@pytest.mark.parametrize("background", ["kept", "plain"])
def test_vein_maps_show_the_veins_of_the_leaf_s_view_and_nothing_else(background: str) -> None:
    image, midrib = blank_sheet(), (150, 160, 90)
    blade = draw_leaf(image, (350, 450), length=600, width=300)
    line = np.zeros(blade.shape, np.uint8)
    cv2.line(line, (350, 170), (350, 730), (1,), 3)
    image[(line > 0) & blade] = midrib
    image[300:600, 560:640] = (30, 90, 160)  # a blue label
    leaf, veins = prepare(opened(image), preprocessing_for(leaves=1, veins=1, size=320, background=background)).views
    assert (veins == veins[..., :1]).all()
    on_midrib = np.abs(leaf.astype(int) - np.array(midrib)).max(axis=2) < 8
    assert on_midrib[60:260].any(axis=1).all()
    dark = cv2.dilate((veins[..., 0] < 192).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert dark[on_midrib].mean() > 0.9
    assert dark.mean() < 0.1
    assert (veins[~dark] > 200).mean() > 0.99


def test_pale_veins_are_not_painted_over() -> None:
    image = blank_sheet()
    blade = draw_leaf(image, (350, 450), length=600, width=300)
    vein = np.zeros(blade.shape, np.uint8)
    cv2.line(vein, (350, 200), (350, 700), (1,), 3)
    image[(vein > 0) & blade] = (232, 226, 208)  # as pale as the paper, and as yellow
    views = prepare(opened(image), preprocessing_for(plant=1, size=320, background="plain")).views[0].astype(int)
    middle = views[:, 150:170]
    leaf = np.abs(middle - np.array(LEAF)).max(axis=2) < 8
    assert leaf.any()
    inside = middle[leaf.any(axis=1)][30:-60]
    assert not (inside > 250).all(axis=2).any()


def test_enlarging_changes_no_view_but_its_size() -> None:
    requested = preprocessing_for(image=1, plant=1, leaves=3, tiles=2)
    seen, larger = prepare(opened(sheet()), requested), prepare(opened(sheet()), requested, enlarged=2)
    assert larger.kinds == seen.kinds and all(view.shape == (128, 128, 3) for view in larger.views)
    for view, large in zip(seen.views, larger.views, strict=True):
        halved = cv2.resize(large, (64, 64), interpolation=cv2.INTER_AREA).astype(int)
        assert np.abs(halved - view).mean() < 4


def test_a_tile_has_its_side_in_pixels_of_the_original() -> None:
    image = sheet(1)
    half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    from_original = prepare(opened(image), preprocessing_for(tiles=1, tile_side=160)).views[0]
    reduced = OpenedImage(Image.fromarray(half), 700, 1000, pages=1)
    from_reduced = prepare(reduced, preprocessing_for(tiles=1, tile_side=160)).views[0]
    assert np.abs(from_original.astype(int) - from_reduced).mean() < 12
    leaf_share = [
        (np.abs(view.astype(int) - np.array(LEAF)).max(axis=2) < 12).mean()
        for view in (from_original, prepare(opened(image), preprocessing_for(tiles=1, tile_side=64)).views[0])
    ]
    assert leaf_share[0] < 0.75 < leaf_share[1]


def test_large_files_are_decoded_smaller_with_the_same_views(tmp_path: Path) -> None:
    large = np.asarray(cv2.resize(sheet(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    Image.fromarray(large).save(tmp_path / "sheet.jpg", quality=95)
    requested = preprocessing_for(plant=1, leaves=3)
    prepared = prepare_file(tmp_path / "sheet.jpg", requested)
    assert (prepared.width, prepared.height) == (2800, 4000)
    assert prepared.kinds == (PLANT, LEAF_VIEW, LEAF_VIEW, LEAF_VIEW)
    full = prepare(opened(large), requested)
    assert np.abs(np.stack(prepared.views).astype(int) - np.stack(full.views)).mean() < 6


def test_a_single_leaf_is_found_on_few_pixels_as_on_many() -> None:
    requested = preprocessing_for(plant=1, leaves=1, tiles=2)
    few = find_views(opened(sheet(1)), requested.model_copy(update={"search_side": 320}))
    many = find_views(opened(sheet(1)), requested)
    assert max(few.plant.reduced.shape) == 320 and max(many.plant.reduced.shape) == 1000
    assert [plan.kind for plan in few.plans] == [plan.kind for plan in many.plans]
    for one, other in zip(few.plans[:2], many.plans[:2], strict=True):  # tiles may lie elsewhere on the leaf
        assert np.abs(np.array(one.box) - np.array(other.box)).max() <= 8  # pixels of 1000


def test_an_upright_plant_is_seen_the_same_however_the_photo_is_turned_or_mirrored() -> None:
    image = sheet(1)
    image = np.concatenate([image, image[:, :100]], axis=1)  # so that quarter turns change the shape
    requested = preprocessing_for(plant=1, background="plain").model_copy(update={"orientation": "upright"})
    photos = [np.rot90(mirrored, turns) for mirrored in (image, image[:, ::-1]) for turns in range(4)]
    views = [prepare(opened(photo), requested).views[0].astype(int) for photo in photos]
    assert all(np.abs(view - views[0]).mean() < 1 for view in views[1:])
    kept = requested.model_copy(update={"orientation": "kept"})
    as_photographed = [prepare(opened(photo), kept).views[0].astype(int) for photo in photos]
    assert min(np.abs(view - as_photographed[0]).mean() for view in as_photographed[1:4]) > 10
    assert min(np.abs(view - views[0]).mean() for view in as_photographed) < 1  # turned only, not changed


def test_only_leaves_and_painted_backgrounds_need_exact_masks() -> None:
    image = opened(np.asarray(cv2.resize(sheet(), None, fx=3, fy=3), dtype=np.uint8))
    found = find_views(image, preprocessing_for(plant=1, leaves=1, tiles=2, tile_side=480))
    pixels = {
        (kind, exact): [
            cut_crop(found.pixels, plan, background="kept", exact_mask=exact).pixels
            for plan in found.plans
            if plan.kind is kind
        ]
        for kind in (PLANT, TILE)
        for exact in (True, False)
    }
    for kind in (PLANT, TILE):
        assert pixels[kind, True] and all(map(np.array_equal, pixels[kind, True], pixels[kind, False]))
    tile = next(plan for plan in found.plans if plan.kind is TILE)
    painted = [cut_crop(found.pixels, tile, background="plain", exact_mask=exact).pixels for exact in (True, False)]
    assert not np.array_equal(painted[0], painted[1])


def test_a_tile_of_a_larger_scan_shows_as_much_of_the_plant(tmp_path: Path) -> None:
    large = np.asarray(cv2.resize(sheet(), None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
    Image.fromarray(large).save(tmp_path / "scan.jpg", quality=95)
    requested = preprocessing_for(plant=1, leaves=2, tiles=2, tile_side=160)
    reduced = requested.model_copy(update={"reduced_side": 700})
    assert open_for_views(tmp_path / "scan.jpg", requested).rgb.size == (2800, 4000)
    assert open_for_views(tmp_path / "scan.jpg", reduced).rgb.size == (1400, 2000)  # never below 768
    as_trained = prepare(opened(sheet()), reduced)
    assert np.array_equal(np.stack(as_trained.views), np.stack(prepare(opened(sheet()), requested).views))
    of_scan = prepare_file(tmp_path / "scan.jpg", reduced)
    assert (of_scan.width, of_scan.height, of_scan.kinds) == (2800, 4000, as_trained.kinds)
    assert np.abs(np.stack(of_scan.views).astype(int) - np.stack(as_trained.views)).mean() < 6
    at_full_size = prepare_file(tmp_path / "scan.jpg", requested)
    assert np.abs(at_full_size.views[-1].astype(int) - as_trained.views[-1]).mean() > 12


def test_the_limit_of_pixels_is_the_job_s(tmp_path: Path) -> None:
    Image.fromarray(sheet()).save(tmp_path / "sheet.png")
    with pytest.raises(ImageError, match=r"limit is 0\.6 million"):
        prepare_file(tmp_path / "sheet.png", Preprocessing(max_pixels=600_000))
    prepare_file(tmp_path / "sheet.png", Preprocessing(max_pixels=700_000))


def test_counts_of_views() -> None:
    assert Preprocessing().views == ViewCounts(image=1)
    assert ViewCounts(plant=1, leaves=4).total == 5
    with pytest.raises(ValueError, match="needs at least one view"):
        ViewCounts()


def test_importing_sheets_loads_no_opencv_and_modules_do_not_hide_names() -> None:
    program = (
        "import sys, leafid.sheets\n"
        "assert not {'cv2', 'skimage', 'torch'} & set(sys.modules)\n"
        "import leafid.sheets.plants, leafid.sheets.preview, leafid.sheets.crops.crop_search\n"
        "assert all(getattr(leafid.sheets, name).__module__ for name in leafid.sheets.__all__ if name[0].islower())\n"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
