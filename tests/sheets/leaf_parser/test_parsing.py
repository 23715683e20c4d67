"""Drawn photographs parsed with the weights that are shipped."""

import numpy as np
import pytest

from leafid.demo import PhotographedLeaf, draw_photograph
from leafid.sheets.leaf_parser import NotWhole, ParsedLeaf, parse_leaf_between, parse_leaves
from leafid.sheets.leaf_parser.weights import FOLDER

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no weights of the leaf parser are shipped yet")

LONG_SIDE = 900


def seen_whole(leaf: PhotographedLeaf) -> bool:
    """Whether a leaf is seen whole and large enough for its veins."""
    length = float(np.hypot(*(leaf.apex_xy - leaf.base_xy)))
    return leaf.visible_fraction > 0.97 and not leaf.folded and length > 200 and leaf.veins_visible > 0.4


def overlap(leaf: ParsedLeaf, truth: PhotographedLeaf, shape: tuple[int, int]) -> float:
    """Intersection over union of both masks."""
    found, drawn = leaf.full_mask(shape), truth.visible_mask(shape)
    return float((found & drawn).sum() / (found | drawn).sum())


def test_whole_leaves_of_drawn_photographs_are_found_and_measured() -> None:
    wanted = found = 0
    errors = []
    for seed in range(20_000_000, 20_000_030):
        photo = draw_photograph(seed, long_side=LONG_SIDE)
        truths = [leaf for leaf in photo.leaves if seen_whole(leaf)]
        if not truths:
            continue
        shape = (photo.image.shape[0], photo.image.shape[1])
        leaves = parse_leaves(photo.image)
        for truth in truths:
            wanted += 1
            best = max(leaves, key=lambda leaf: overlap(leaf, truth, shape), default=None)
            if best is None or overlap(best, truth, shape) < 0.7:
                continue
            found += 1
            length = float(np.hypot(*(truth.apex_xy - truth.base_xy)))
            ends = np.hypot(*(np.stack([best.base - truth.base_xy, best.apex - truth.apex_xy])).T) / length
            errors.append(float(ends.max()))
    assert wanted >= 5
    assert found >= 0.6 * wanted  # the share that the shipped weights reach on drawn photographs of all kinds is lower
    assert np.median(errors) < 0.05


def test_a_leaf_given_by_base_and_apex_is_read_between_them() -> None:
    for seed in range(20_000_000, 20_000_060):
        photo = draw_photograph(seed, long_side=LONG_SIDE)
        chosen = [leaf for leaf in photo.leaves if seen_whole(leaf)]
        if chosen:
            break
    truth = chosen[-1]
    leaf = parse_leaf_between(photo.image, truth.base_xy, truth.apex_xy)
    assert leaf is not None
    shape = (photo.image.shape[0], photo.image.shape[1])
    assert overlap(leaf, truth, shape) > 0.7
    assert NotWhole.CUT_BY_FRAME not in leaf.reasons
    assert leaf.count_left.number == len(leaf.left)
    assert leaf.count_left.expected > 0 and leaf.count_left.deviation >= 0


def test_ends_that_are_one_point_are_refused() -> None:
    image = np.zeros((50, 50, 3), np.uint8)
    with pytest.raises(ValueError, match="at least 8 pixels apart"):
        parse_leaf_between(image, np.array([5.0, 5.0]), np.array([6.0, 5.0]))


def test_a_picture_of_another_type_is_refused() -> None:
    with pytest.raises(ValueError, match=r"rgb must be uint8 \(H, W, 3\), but is float64 \(4, 4, 3\)"):
        parse_leaves(np.zeros((4, 4, 3)))  # type: ignore[arg-type]
