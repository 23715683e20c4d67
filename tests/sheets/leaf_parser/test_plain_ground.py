"""Blades on a plain ground, from drawn outlines with exact truth."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from leafid.sheets.leaf_parser import parse_leaves
from leafid.sheets.leaf_parser.engines import networks
from leafid.sheets.leaf_parser.looking import Looker
from leafid.sheets.leaf_parser.outlines.lobes import with_outlines
from leafid.sheets.leaf_parser.outlines.plain_ground import plain_ground
from leafid.sheets.leaf_parser.outlines.silhouettes import Silhouette, silhouettes
from leafid.sheets.leaf_parser.outlines.tips import led_to_tip
from leafid.sheets.leaf_parser.overview import FoundLeaf, letterboxed_size
from leafid.sheets.leaf_parser.weights import FOLDER
from tests.characters.leaves import drawn_leaf

Mask = NDArray[np.bool_]
GREEN, PAPER, BLACK = (70, 120, 50), (215, 215, 210), (4, 4, 4)


def painted(mask: Mask, ground: tuple[int, int, int]) -> NDArray[np.uint8]:
    """The mask in green, with a little noise, on a ground."""
    noise = np.random.default_rng(3).normal(0, 2, (*mask.shape, 3))
    return np.clip(np.where(mask[..., None], GREEN, ground) + noise, 0, 255).astype(np.uint8)


def ellipse(shape: tuple[int, int], middle: tuple[int, int], axes: tuple[int, int], angle: float = 0) -> Mask:
    canvas = np.zeros(shape, np.uint8)
    cv2.ellipse(canvas, middle, axes, angle, 0, 360, (1,), cv2.FILLED)
    return canvas > 0


def line(shape: tuple[int, int], start: tuple[int, int], end: tuple[int, int], width: int) -> Mask:
    canvas = np.zeros(shape, np.uint8)
    cv2.line(canvas, start, end, (1,), width)
    return canvas > 0


def maple() -> Mask:
    """Five lobes around a petiole that ends at (200, 260)."""
    lobes = np.zeros((420, 400), np.bool_)
    for angle in (-90, -140, -40, 165, 15):
        way = np.array([np.cos(np.radians(angle)), np.sin(np.radians(angle))])
        middle = np.array([200, 240]) + 75 * way
        lobes |= ellipse(lobes.shape, (int(middle[0]), int(middle[1])), (95, 40), angle)
    return lobes | line(lobes.shape, (200, 240), (200, 400), 6)


def blades_of(mask: Mask, ground: tuple[int, int, int] = PAPER) -> list[Silhouette]:
    found = plain_ground(painted(mask, ground), mask.astype(np.float32))
    assert found is not None
    return silhouettes(found, mask.astype(np.float32))


@pytest.mark.parametrize("ground", [PAPER, BLACK])
def test_a_petiole_is_no_blade_and_a_lobed_blade_is_one(ground: tuple[int, int, int]) -> None:
    mask = maple()
    (blade,) = blades_of(mask, ground)
    petiole = blade.thin[0]
    place = blade.to_picture(petiole.joint[None])[0]
    assert np.hypot(*(place - [200, 290])) < 45
    rows, _ = np.nonzero(blade.without(petiole))
    assert blade.to_picture(np.array([[0, rows.max()]]))[0, 1] < 350  # a stump is left


def test_leaflets_on_a_thin_rachis_are_blades_of_their_own() -> None:
    shape = (400, 400)
    mask = line(shape, (200, 30), (200, 380), 3)
    for row in (100, 200, 300):
        for side in (-1, 1):
            mask |= ellipse(shape, (200 + side * 85, row), (70, 30)) | line(
                shape, (200, row), (200 + side * 30, row), 3
            )
    blades = blades_of(mask)
    assert len(blades) == 6
    assert all(blade.joints == 1 for blade in blades)


def test_a_long_tip_stays_on_the_blade() -> None:
    shape = (420, 300)
    mask = ellipse(shape, (150, 240), (60, 110))
    for row in range(60, 140):  # a tip that narrows to a point
        mask[row, 150 - (row - 60) // 12 : 151 + (row - 60) // 12] = True
    (blade,) = blades_of(mask)
    rows, _ = np.nonzero(blade.without(None))
    assert blade.to_picture(np.array([[0, rows.min()]]))[0, 1] == pytest.approx(62, abs=4)
    straight = np.stack([np.full(30, 150.0), np.linspace(350, 135, 30)], axis=1)
    led = led_to_tip(straight, mask)
    assert led[-1] == pytest.approx([150, 61], abs=4)
    assert np.diff(led[:, 1]).max() < 0
    assert led_to_tip(led, mask) == pytest.approx(led)  # once there, nothing is added


def test_a_shadow_is_ground_and_a_dark_leaf_is_not() -> None:
    shape = (300, 300)
    leaf, shadow = ellipse(shape, (130, 150), (50, 100)), ellipse(shape, (165, 160), (50, 100))
    picture = painted(leaf, PAPER)
    picture[shadow & ~leaf] = (np.array(PAPER) * 0.72).astype(np.uint8)
    ground = plain_ground(picture, leaf.astype(np.float32))
    assert ground is not None
    assert (ground.objects & leaf).sum() / (ground.objects | leaf).sum() > 0.97


def test_foliage_behind_a_leaf_is_no_plain_ground() -> None:
    rng = np.random.default_rng(7)
    picture = rng.integers(20, 200, (30, 30, 3)).astype(np.uint8)
    picture = np.asarray(cv2.resize(picture, (300, 300), interpolation=cv2.INTER_CUBIC), np.uint8)
    leaf = ellipse((300, 300), (150, 150), (50, 100))
    picture[leaf] = GREEN
    assert plain_ground(picture, leaf.astype(np.float32)) is None


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no weights of the leaf parser are shipped")
@pytest.mark.parametrize("ground", [PAPER, BLACK])
def test_a_lobed_leaf_is_found_as_one(ground: tuple[int, int, int]) -> None:
    mask = maple()
    leaves = parse_leaves(painted(mask, ground))
    assert len(leaves) == 1
    found = leaves[0].full_mask(mask.shape)
    assert (found & mask).sum() / (found | mask).sum() > 0.9


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no weights of the leaf parser are shipped")
def test_two_leaves_that_lie_on_each_other_stay_two() -> None:
    first = drawn_leaf("Mitragyna speciosa", 1, direction_deg=0)
    second = drawn_leaf("Mitragyna speciosa", 2, direction_deg=100)
    height = first.image.shape[0] + second.image.shape[0]
    picture = np.full((height, first.image.shape[1] + second.image.shape[1], 3), PAPER, np.uint8)
    places = ((0, 0), (round(0.6 * first.image.shape[0]), round(0.45 * first.image.shape[1])))
    for leaf, (top, left) in zip((first, second), places, strict=True):
        window = picture[top : top + leaf.image.shape[0], left : left + leaf.image.shape[1]]
        window[:] = leaf.on_background(window.copy())
    assert len(parse_leaves(picture)) == 2


@pytest.mark.skipif(not FOLDER.is_dir(), reason="no weights of the leaf parser are shipped")
def test_a_leaf_seen_where_only_ground_lies_is_left_out() -> None:
    """Two leaves are looked at, one of them between ends on the bare paper."""
    shape = (400, 640)
    mask = ellipse(shape, (160, 200), (60, 130))
    picture = painted(mask, PAPER)
    _, network = networks(None, FOLDER)
    looker = Looker(picture, network)
    _, factor = letterboxed_size(picture.shape)
    cells = np.asarray(cv2.resize(mask.astype(np.float32), (64, 40), interpolation=cv2.INTER_AREA), np.float32)
    beside = np.roll(cells, 32, axis=1)
    beside[:16], beside[24:] = 0, 0
    ends = np.array([[160, 330], [160, 70]], np.float64) * factor
    away = np.array([320, 0]) * factor
    leaves = [
        FoundLeaf(np.pad(each, ((0, 24), (0, 0))), ends[0] + shift, ends[1] + shift, 0.9)
        for each, shift in ((cells, 0 * away), (beside, away))
    ]
    seen = [looker.leaf(leaf, factor, axes=False) for leaf in leaves]
    # What the network sees there is made certain, so that only the ground can tell.
    blade = np.where(np.arange(96)[None] // 32 == 1, 1.0, 0.0).astype(np.float32).repeat(192, axis=0)
    seen[1] = replace(seen[1], look=replace(seen[1].look, ends=replace(seen[1].look.ends, blade=blade)))
    kept = with_outlines(seen, picture, factor, lambda leaf: looker.leaf(leaf, factor, axes=False))
    assert [one.leaf.score for one in kept] == [0.9]
    assert kept[0].leaf.cells[:, :32].sum() > 0
