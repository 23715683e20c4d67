"""A drawn photograph and its truth agree, and photographs differ as widely as they should."""

from collections import Counter

import cv2
import numpy as np
import pytest

from leafid.demo import DrawnPhotograph, PhotographedLeaf, draw_photograph
from leafid.demo.fresh.forms import sample_leaf, sample_plant
from leafid.demo.photographs.arrangements import ARRANGEMENTS
from leafid.demo.photographs.negatives import NEGATIVES
from leafid.errors import UsageError

SIDE = 320


@pytest.fixture(scope="module")
def photographs() -> list[DrawnPhotograph]:
    return [draw_photograph(seed, long_side=SIDE) for seed in range(50)]


@pytest.fixture(scope="module")
def leaves(photographs: list[DrawnPhotograph]) -> list[tuple[DrawnPhotograph, PhotographedLeaf]]:
    return [(photograph, leaf) for photograph in photographs for leaf in photograph.leaves]


def length(line: np.ndarray) -> float:
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def test_same_seed_same_photograph() -> None:
    for seed in (3, 6, 40):
        first, second = (draw_photograph(seed, long_side=200) for _ in range(2))
        assert np.array_equal(first.image, second.image)
        assert len(first.leaves) == len(second.leaves)
        for one, other in zip(first.leaves, second.leaves, strict=True):
            assert np.array_equal(one.visible, other.visible) and np.array_equal(one.midrib, other.midrib)
    assert not np.array_equal(draw_photograph(4, long_side=200).image, draw_photograph(5, long_side=200).image)


def test_another_size_shows_the_same_scene() -> None:
    compared = 0
    for seed in range(10):
        small, large = (draw_photograph(seed, long_side=side) for side in (240, 480))
        assert small.arrangement == large.arrangement and small.ground == large.ground
        if len(small.leaves) == len(large.leaves):
            for one, other in zip(small.leaves, large.leaves, strict=True):
                assert np.allclose(2 * one.midrib, other.midrib, atol=0.02 * 480)
                assert len(one.left) == len(other.left)
                compared += 1
    assert compared > 15


@pytest.mark.parametrize("side", [150, 640, 1500])
def test_long_side_is_as_asked_for(side: int) -> None:
    image = draw_photograph(8, long_side=side).image
    assert image.dtype == np.uint8 and image.shape[2] == 3 and max(image.shape) == side


def test_sizes_are_mixed_if_none_is_asked_for() -> None:
    # Three of the smaller ones; drawing all sizes would take long.
    sides = {max(draw_photograph(seed).image.shape) for seed in (54, 32, 15)}
    assert len(sides) == 3 and all(150 <= side <= 4000 for side in sides)


def test_wrong_numbers_are_named() -> None:
    with pytest.raises(UsageError, match="-1"):
        draw_photograph(-1)
    with pytest.raises(UsageError, match=r"150 to 4000 pixels, not 90"):
        draw_photograph(0, long_side=90)


def test_masks_lie_in_the_frame_and_each_pixel_has_one_leaf(photographs: list[DrawnPhotograph]) -> None:
    for photograph in photographs:
        shape = photograph.image.shape[:2]
        owners = np.zeros(shape, int)
        for leaf in photograph.leaves:
            visible, whole = leaf.visible_mask(shape), leaf.whole_mask(shape)
            owners += visible
            assert not np.any(visible & ~whole)
            assert visible.sum() == leaf.visible.sum() and whole.sum() == leaf.whole.sum()
            rows, columns = np.nonzero(visible)
            assert max(np.ptp(rows), np.ptp(columns)) + 1 >= 0.05 * min(shape)
        assert owners.max() <= 1


def test_midrib_lies_in_the_whole_blade(leaves: list[tuple[DrawnPhotograph, PhotographedLeaf]]) -> None:
    checked = 0
    for photograph, leaf in leaves:
        height, width = photograph.image.shape[:2]
        # Tips narrower than a pixel are no pixels of the blade.
        near = cv2.dilate(leaf.whole_mask((height, width)).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        columns, rows = np.floor(leaf.midrib[2:-3]).astype(int).T
        framed = (columns >= 0) & (rows >= 0) & (columns < width) & (rows < height)
        if framed.sum() > 4:
            assert near[rows[framed], columns[framed]].mean() > 0.9, (photograph.arrangement, leaf.folded)
            checked += 1
        assert np.allclose(leaf.base_xy, leaf.midrib[0]) and np.allclose(leaf.apex_xy, leaf.midrib[-1])
        if len(leaf.petiole):
            assert np.allclose(leaf.petiole[-1], leaf.base_xy)
    assert checked > 80


def test_secondaries_begin_on_the_midrib_and_end_on_their_side(
    leaves: list[tuple[DrawnPhotograph, PhotographedLeaf]],
) -> None:
    for _, leaf in leaves:
        size = length(leaf.midrib)
        assert 2 <= len(leaf.left) <= 20 and 2 <= len(leaf.right) <= 20
        if leaf.folded or leaf.facing < 0.5:
            continue
        for side, lines in ((-1, leaf.left), (1, leaf.right)):
            places = []
            for line in lines:
                away = np.hypot(*(leaf.midrib - line[0]).T)
                assert away.min() < 0.03 * size + 1
                nearest = int(np.argmin(np.hypot(*(leaf.midrib - line[-1]).T)))
                ahead = leaf.midrib[min(nearest + 1, 40)] - leaf.midrib[max(nearest - 1, 0)]
                out = line[-1] - leaf.midrib[nearest]
                # With the apex up, rows grow downwards: what is right of the midrib turns clockwise from it.
                if np.hypot(*out) > 0.06 * size:
                    assert side * (ahead[0] * out[1] - ahead[1] * out[0]) > 0
                places.append(int(away.argmin()))
            assert places == sorted(places)


def test_visible_share_and_flags_follow_from_the_masks(
    leaves: list[tuple[DrawnPhotograph, PhotographedLeaf]],
) -> None:
    seen: Counter[str] = Counter()
    for _, leaf in leaves:
        share = leaf.visible.sum() / leaf.whole.sum()
        assert 0 < leaf.visible_fraction <= share + 0.02
        assert 0 <= leaf.veins_visible <= 1
        if not leaf.cut_by_frame and not leaf.folded and leaf.whole.sum() > 400:
            assert leaf.visible_fraction == pytest.approx(share, abs=0.06)
        if leaf.overlapped and not leaf.folded:
            assert share < 0.95
        if not leaf.cut_by_frame:
            assert leaf.base_xy.min() > -0.1 * SIDE
        seen.update(name for name in ("cut_by_frame", "overlapped", "folded") if getattr(leaf, name))
        seen[leaf.face] += 1
    assert min(seen[name] for name in ("cut_by_frame", "overlapped", "folded", "abaxial", "adaxial")) >= 4, seen


def test_veins_that_stand_out_count_as_visible(leaves: list[tuple[DrawnPhotograph, PhotographedLeaf]]) -> None:
    contrasts = np.array([leaf.veins_visible for _, leaf in leaves])
    assert np.mean(contrasts < 0.1) > 0.05 and np.mean(contrasts > 0.5) > 0.05


def test_photographs_are_of_many_kinds(photographs: list[DrawnPhotograph]) -> None:
    arrangements = Counter(photograph.arrangement for photograph in photographs)
    grounds = Counter(photograph.ground for photograph in photographs)
    assert set(arrangements) <= {*ARRANGEMENTS, *NEGATIVES}
    assert len(arrangements) >= 10 and arrangements.most_common(1)[0][1] < 25
    assert len(grounds) >= 9 and grounds.most_common(1)[0][1] < 25
    forms = [leaf for photograph in photographs for leaf in photograph.leaves if leaf.facing > 0.8]
    pairs = [len(leaf.left) for leaf in forms]
    assert min(pairs) <= 5 and max(pairs) >= 16
    sizes = [length(leaf.midrib) / SIDE for leaf in forms]
    assert min(sizes) < 0.15 and max(sizes) > 0.8
    greens = np.array([photograph.image.reshape(-1, 3).mean(axis=0) for photograph in photographs])
    assert np.ptp(greens, axis=0).min() > 150


# The first photograph of each kind without a leaf; shares of arrangements decide where these are.
WITHOUT_LEAF = {
    "bark": 45, "writing": 64, "hand": 77, "shapes": 78, "spirals": 79, "flowers": 139, "fronds": 171, "nothing": 199,
    "powder": 285, "twigs": 496,
}  # fmt: skip


def test_pictures_without_a_leaf_have_none() -> None:
    assert set(WITHOUT_LEAF) == set(NEGATIVES)
    for kind, seed in WITHOUT_LEAF.items():
        photograph = draw_photograph(seed, long_side=150)
        assert (photograph.arrangement, photograph.leaves) == (kind, ())


def test_some_leaves_have_veins_that_are_no_secondaries() -> None:
    rng = np.random.default_rng(5)
    forms = [sample_leaf(sample_plant(rng), rng) for _ in range(60)]
    weak = [sum(line[0, 0] == 0 for line in form.weak) for form in forms]
    assert 10 <= sum(number > 0 for number in weak) <= 55
    for form in forms:
        for line in form.weak:
            if line[0, 0] == 0:  # leaves the midrib, and ends well before the longest secondary
                same_side = form.right if line[-1, 0] > 0 else form.left
                assert np.abs(line[:, 0]).max() < 0.75 * max(np.abs(own[:, 0]).max() for own in same_side)


def test_an_arrangement_can_be_asked_for() -> None:
    photograph = draw_photograph(8, long_side=SIDE, arrangement="single")
    assert photograph.arrangement == "single" and len(photograph.leaves) == 1
    with pytest.raises(UsageError, match=r"no arrangement 'heap'.*single, scattered"):
        draw_photograph(8, long_side=SIDE, arrangement="heap")
