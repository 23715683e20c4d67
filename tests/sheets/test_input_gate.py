"""The input gate says what is wrong with a photo, whatever its size, and takes any array."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from leafid.demo import draw_photograph
from leafid.sheets.input_gate import ANSWERS, judge_input

Image8 = NDArray[np.uint8]


def _leaf(long_side: int) -> Image8:
    """One whole leaf, drawn."""
    return np.asarray(draw_photograph(_GOOD, long_side=long_side).image)


_GOOD = 0
"""Seed of a drawn photograph of one leaf on paper."""
_OTHER_PLANT = 3
"""Seed of a drawn photograph of a slimmer leaf with another colour on black."""


def _answer(image: Image8) -> str:
    answers = judge_input(image)
    assert sum(answers.values()) == pytest.approx(1, abs=1e-3) and tuple(answers) == ANSWERS
    return max(answers, key=lambda answer: answers[answer])


@pytest.mark.parametrize("long_side", [220, 600, 2000])
def test_a_leaf_is_good_and_its_blurred_copy_is_blurred_at_any_size(long_side: int) -> None:
    image = _leaf(long_side)
    assert _answer(image) == "good"
    blurred = cv2.GaussianBlur(image, (0, 0), 0.025 * long_side)
    assert _answer(np.asarray(blurred, np.uint8)) == "blurred"


def test_what_is_no_leaf_is_called_so() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 400, 3)).astype(np.uint8)
    spiral = np.full((400, 400, 3), 245, np.uint8)
    turn = np.linspace(0, 8 * np.pi, 600)
    line = 200 + 6.5 * turn[:, None] * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    cv2.polylines(spiral, [line.astype(np.int32)], False, (30, 30, 120), 2, cv2.LINE_AA)
    page = np.full((500, 350, 3), 250, np.uint8)
    for row in range(40, 480, 30):
        cv2.putText(page, "Mitragyna speciosa Korth.", (15, row), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (20, 20, 20), 1)
    assert [_answer(image) for image in (noise, spiral, page)] == ["not_a_leaf"] * 3


def test_half_a_leaf_is_cut_off() -> None:
    photo = draw_photograph(_GOOD, long_side=800)
    (leaf,), image = photo.leaves, np.asarray(photo.image)
    middle = leaf.offset[0] + leaf.visible.shape[1] // 2
    assert _answer(np.ascontiguousarray(image[:, :middle])) == "cut_off"


def test_two_unlike_leaves_in_one_picture_are_several_plants_and_the_same_leaf_twice_is_not() -> None:
    one, other = (
        cv2.resize(np.asarray(draw_photograph(seed, long_side=500).image), (400, 400)) for seed in (_GOOD, _OTHER_PLANT)
    )
    assert _answer(np.hstack([one, other])) == "several_plants"
    assert _answer(np.hstack([one, one])) == "good"


@pytest.mark.parametrize("shape", [(1, 1), (2, 3000), (3000, 1), (9, 9), (64, 48)])
@pytest.mark.parametrize("tone", [0, 128, 255])
def test_any_picture_has_an_answer(shape: tuple[int, int], tone: int) -> None:
    assert _answer(np.full((*shape, 3), tone, np.uint8)) in ANSWERS
