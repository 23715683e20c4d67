"""Vein maps of drawn and of synthetic leaves, where the veins are known."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from leafid.demo import DrawnLeaf, Vein, draw_leaf, sample_leaf, sample_plant
from leafid.sheets.ridge_filters import direction_angles, line_responses
from leafid.sheets.vein_map import flatten_illumination, vein_map

Image8 = NDArray[np.uint8]
Map = NDArray[np.float32]


@pytest.fixture(scope="module")
def drawn() -> DrawnLeaf:
    rng = np.random.default_rng(3)
    plant = sample_plant("Mitragyna speciosa", rng)
    return draw_leaf(sample_leaf(plant, rng), plant.look, rng, px_per_mm=4, face="abaxial")


@pytest.fixture(scope="module")
def photo(drawn: DrawnLeaf) -> Image8:
    return drawn.on_background(np.full_like(drawn.image, 220))


@pytest.fixture(scope="module")
def drawn_map(photo: Image8, drawn: DrawnLeaf) -> Map:
    return vein_map(photo, drawn.mask)


def correlation(one: Map, other: Map, mask: NDArray[np.bool_]) -> float:
    """Return the correlation of two maps on the blade."""
    return float(np.corrcoef(one[mask], other[mask])[0, 1])


def blank(height: int, width: int, noise: float, grain: float = 0.0) -> Image8:
    """Return a blade without veins: mid-grey with noise of the given standard deviation and grain (px)."""
    texture = np.random.default_rng(0).normal(0, 1, (height, width)).astype(np.float32)
    if grain:
        texture = np.asarray(cv2.GaussianBlur(texture, (0, 0), grain), np.float32)
        texture /= texture.std()
    return np.asarray(np.clip(120 + noise * texture, 0, 255), np.uint8)


def with_vein(image: Image8, start: tuple[int, int], end: tuple[int, int], step: int, width: int = 3) -> Image8:
    """Add a straight vein, lighter or darker than the blade by `step` grey values."""
    line = cv2.line(np.zeros(image.shape, np.uint8), start, end, 255, width, cv2.LINE_AA)
    return np.clip(image + step * (line.astype(np.float32) / 255), 0, 255).astype(np.uint8)


def test_primary_and_secondary_veins_of_a_drawn_leaf_stand_out(drawn: DrawnLeaf, drawn_map: Map) -> None:
    large = (drawn.veins == Vein.MIDRIB) | (drawn.veins == Vein.SECONDARY)
    near = cv2.dilate(large.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    far = drawn.mask & ~near
    crest = cv2.dilate(drawn_map, np.ones((7, 7), np.uint8))
    assert np.median(crest[large]) > 0.5
    assert drawn_map[far].mean() < 0.05
    assert (drawn_map[far] > 0.4).mean() < 0.03


def test_map_has_the_size_of_the_leaf_and_values_from_0_to_1(drawn: DrawnLeaf, drawn_map: Map) -> None:
    assert drawn_map.shape == drawn.mask.shape
    assert drawn_map.dtype == np.float32
    assert 0 <= drawn_map.min() and drawn_map.max() <= 1


def test_inverted_leaf_gives_nearly_the_same_map(photo: Image8, drawn: DrawnLeaf, drawn_map: Map) -> None:
    inverted = vein_map(np.asarray(255 - photo, np.uint8), drawn.mask)
    assert correlation(drawn_map, inverted, drawn.mask) > 0.95


def test_shadow_across_the_leaf_changes_little(photo: Image8, drawn: DrawnLeaf, drawn_map: Map) -> None:
    width = photo.shape[1]
    light = np.linspace(0.45, 1.1, width, dtype=np.float32)[None, :, None]
    shaded = vein_map(np.clip(photo * light, 0, 255).astype(np.uint8), drawn.mask)
    assert correlation(drawn_map, shaded, drawn.mask) > 0.93


def test_background_does_not_change_the_map(drawn: DrawnLeaf, drawn_map: Map) -> None:
    on_black = drawn.on_background(np.zeros_like(drawn.image))
    assert correlation(drawn_map, vein_map(on_black, drawn.mask), drawn.mask) > 0.99


def test_map_is_zero_outside_the_mask(drawn: DrawnLeaf, drawn_map: Map) -> None:
    assert not drawn_map[~drawn.mask].any()


@pytest.mark.parametrize("background", [0, 255])
def test_no_bright_rim_at_the_margin(background: int) -> None:
    image = blank(400, 300, noise=4)
    mask = cv2.ellipse(np.zeros((400, 300), np.uint8), (150, 200), (110, 170), 0, 0, 360, 1, -1) > 0
    image[~mask] = background
    image = cv2.GaussianBlur(image, (0, 0), 1).astype(np.uint8)  # as blurred as by a camera
    result = vein_map(image, mask)
    inner = cv2.erode(mask.astype(np.uint8), np.ones((31, 31), np.uint8)) > 0
    assert result[mask & ~inner].mean() < result[inner].mean() + 0.02
    assert result.max() < 0.35


@pytest.mark.parametrize("step", [25, -25])
@pytest.mark.parametrize("angle_deg", [0, 30, 77, 90, 135])
def test_vein_is_found_in_its_place_at_any_angle(step: int, angle_deg: int) -> None:
    centre, half = np.array([200.0, 150.0]), 110
    angle = np.deg2rad(angle_deg)
    reach = half * np.array([np.cos(angle), np.sin(angle)])
    start, end = ((round(x), round(y)) for x, y in (centre - reach, centre + reach))
    strength = vein_map(with_vein(blank(300, 400, noise=5), start, end, step))
    on_line = [centre + t * reach for t in np.linspace(-0.8, 0.8, 33)]
    normal = np.array([-np.sin(angle), np.cos(angle)])
    for point in on_line:
        across = [point + offset * normal for offset in range(-12, 13)]
        profile = [strength[round(y), round(x)] for x, y in across]
        assert abs(int(np.argmax(profile)) - 12) <= 2
        assert max(profile) > 0.4


def test_vein_that_changes_from_lighter_to_darker_is_one_line() -> None:
    image = with_vein(blank(200, 400, noise=4), (20, 100), (200, 100), 25)
    image = with_vein(image, (200, 100), (380, 100), -25)
    found = vein_map(image)[97:104, 40:360].max(axis=0)
    assert (found > 0.3).mean() > 0.97


def test_vein_is_followed_to_its_ends() -> None:
    ends, size = (100, 300), 500  # the image is of working size: no part of the vein is lost to resampling
    strength = vein_map(with_vein(blank(size, size, noise=5), (ends[0], 250), (ends[1], 250), 25))[247:254].max(axis=0)
    assert strength[ends[0] + 3 : ends[1] - 3].min() > 0.75
    assert strength[: ends[0] - 20].max() < 0.45 and strength[ends[1] + 20 :].max() < 0.45


@pytest.mark.parametrize(("noise", "grain"), [(0, 0), (2, 0), (12, 0), (30, 0), (6, 2), (12, 5)])
def test_blank_blade_stays_near_zero(noise: float, grain: float) -> None:
    result = vein_map(blank(500, 400, noise, grain))
    assert result.mean() < 0.02
    assert result.max() < 0.3


def test_faint_unevenness_of_a_plain_blade_is_not_a_vein() -> None:
    image = blank(300, 300, noise=0)
    image[:, 150:] += 1  # one grey step, as JPEG and 8 bits leave them
    assert vein_map(image).max() < 0.3


def test_turned_leaf_gives_the_turned_map(photo: Image8, drawn: DrawnLeaf, drawn_map: Map) -> None:
    turned = vein_map(np.ascontiguousarray(np.rot90(photo)), np.ascontiguousarray(np.rot90(drawn.mask)))
    assert correlation(drawn_map, np.ascontiguousarray(np.rot90(turned, -1)), drawn.mask) > 0.9


def test_twice_as_many_pixels_show_the_same_veins(photo: Image8, drawn: DrawnLeaf, drawn_map: Map) -> None:
    size = (2 * photo.shape[1], 2 * photo.shape[0])
    large = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_CUBIC), np.uint8)
    mask = cv2.resize(drawn.mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    reduced = cv2.resize(vein_map(large, mask), photo.shape[1::-1], interpolation=cv2.INTER_AREA)
    one, other = (np.asarray(cv2.GaussianBlur(each, (0, 0), 1.5), np.float32) for each in (drawn_map, reduced))
    assert correlation(one, other, drawn.mask) > 0.85


def test_position_in_the_image_does_not_matter(photo: Image8, drawn: DrawnLeaf, drawn_map: Map) -> None:
    wide = ((37, 11), (5, 90))
    padded = vein_map(np.pad(photo, (*wide, (0, 0))), np.pad(drawn.mask, wide))
    np.testing.assert_array_equal(padded[37:-11, 5:-90], drawn_map)


def test_grey_image_gives_the_same_map(photo: Image8, drawn: DrawnLeaf, drawn_map: Map) -> None:
    grey = photo.mean(axis=2).round().astype(np.uint8)
    assert correlation(drawn_map, vein_map(grey, drawn.mask), drawn.mask) > 0.98


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (7, 200), (40, 40, 3)])
def test_tiny_images_have_a_map(shape: tuple[int, ...]) -> None:
    strength = vein_map(np.full(shape, 90, np.uint8))
    assert strength.shape == shape[:2]
    assert np.isfinite(strength).all()


def test_empty_mask_gives_an_empty_map() -> None:
    assert not vein_map(blank(50, 60, noise=5), np.zeros((50, 60), np.bool_)).any()


def test_error_names_the_wrong_array() -> None:
    with pytest.raises(ValueError, match=r"leaf must be uint8 .* float64 \(5, 6\)"):
        vein_map(np.zeros((5, 6)))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"mask must be bool \(5, 6\) like the leaf, but is bool \(6, 5\)"):
        vein_map(np.zeros((5, 6, 3), np.uint8), np.ones((6, 5), np.bool_))


def test_flattening_removes_illumination_and_keeps_veins() -> None:
    light = np.linspace(0.5, 1, 300, dtype=np.float32)[None, :]
    even = with_vein(blank(200, 300, noise=0), (0, 100), (299, 100), 20).astype(np.float32)
    blade = np.ones((200, 300), np.float32)
    flat = flatten_illumination(even * light, blade, 20)
    assert np.abs(flat[:80]).max() < 0.02
    assert flat[100, 20:-20].min() > 0.8 * flat[100, 20:-20].max() > 0


def test_line_responds_most_in_its_own_direction() -> None:
    image = with_vein(blank(101, 101, noise=0), (50, 0), (50, 100), 40).astype(np.float32) - 120
    responses = line_responses(image, 1.5, 12)
    assert direction_angles(12)[int(np.argmax(responses[:, 50, 50]))] == pytest.approx(np.pi / 2)


def test_chosen_directions_respond_as_among_all() -> None:
    image = with_vein(blank(101, 101, noise=0), (40, 0), (60, 100), 40).astype(np.float32) - 120
    assert np.array_equal(line_responses(image, 2.4, 24, only=slice(10, 15)), line_responses(image, 2.4, 24)[10:15])
