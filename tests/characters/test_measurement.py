"""Measurements of single leaves agree with the truth of drawn leaves."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from leafid.characters import Measurement, NotMeasuredReason, measure_leaf
from leafid.sheets import NotWhole, ParsedLeaf
from tests.characters.leaves import drawn_leaf, on_paper, parsed


def _value(measured: Measurement | None) -> float:
    assert measured is not None
    return measured.value


@pytest.mark.parametrize(
    ("taxon", "direction"),
    [
        ("Mitragyna speciosa", 0),
        ("Coffea canephora", 200),
        ("Mitragyna rotundifolia", 75),
        ("Neolamarckia cadamba", 290),
    ],
)
def test_a_leaf_is_measured_in_any_direction(taxon: str, direction: float) -> None:
    leaf = drawn_leaf(taxon, 5, direction_deg=direction)
    measured = measure_leaf(on_paper(leaf), parsed(leaf), px_per_mm=4.0).characters
    assert abs(_value(measured.secondary_veins_left) - leaf.traits.pairs_left) <= 1
    assert abs(_value(measured.secondary_veins_right) - leaf.traits.pairs_right) <= 1
    assert _value(measured.blade_length_cm) == pytest.approx(leaf.traits.length_mm / 10, rel=0.06)
    assert _value(measured.blade_width_cm) == pytest.approx(leaf.blade.width_mm() / 10, rel=0.05)
    assert _value(measured.apex_angle_deg) == pytest.approx(leaf.blade.apex_angle_deg(), abs=5)
    assert _value(measured.base_angle_deg) == pytest.approx(leaf.blade.base_angle_deg(), abs=6)
    assert _value(measured.widest_position) == pytest.approx(leaf.traits.widest, abs=0.06)


def test_forms_of_base_and_apex() -> None:
    leaf = drawn_leaf("Mitragyna speciosa", 3)
    measured = measure_leaf(on_paper(leaf), parsed(leaf)).characters
    assert measured.apex_form is not None and measured.apex_form.value == leaf.traits.apex_form
    assert measured.base_form is not None and measured.base_form.value == leaf.traits.base_form


def test_mirroring_exchanges_left_and_right() -> None:
    leaf = drawn_leaf("Mitragyna speciosa", 5)
    pixels = on_paper(leaf)
    there = measure_leaf(pixels, parsed(leaf)).characters
    width = pixels.shape[1]
    mirrored_leaf = ParsedLeaf.exact(
        np.ascontiguousarray(leaf.mask[:, ::-1]),
        leaf.midrib_px * [-1, 1] + [width, 0],
        (leaf.traits.pairs_right, leaf.traits.pairs_left),
    )
    mirrored = measure_leaf(np.ascontiguousarray(pixels[:, ::-1]), mirrored_leaf).characters
    assert abs(_value(there.secondary_veins_left) - _value(mirrored.secondary_veins_right)) <= 1
    assert abs(_value(there.secondary_veins_right) - _value(mirrored.secondary_veins_left)) <= 1


def test_lengths_in_cm_need_a_scale() -> None:
    leaf = drawn_leaf("Coffea canephora", 2)
    measured = measure_leaf(on_paper(leaf), parsed(leaf)).characters
    assert measured.blade_length_cm is None and measured.blade_width_cm is None
    assert _value(measured.blade_length_px) == pytest.approx(leaf.traits.length_mm * 4, rel=0.06)


def test_lengths_are_in_pixels_of_the_original() -> None:
    leaf = drawn_leaf("Coffea canephora", 2)
    half = cv2.resize(on_paper(leaf), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    mask = cv2.resize(leaf.mask.astype(np.uint8), (half.shape[1], half.shape[0])) > 0
    smaller = ParsedLeaf.exact(np.asarray(mask), leaf.midrib_px / 2)
    measured = measure_leaf(np.asarray(half, np.uint8), smaller, px_per_original=0.5, px_per_mm=4.0)
    assert _value(measured.characters.blade_length_cm) == pytest.approx(leaf.traits.length_mm / 10, rel=0.06)
    assert measured.box[2] - measured.box[0] == pytest.approx(2 * (smaller.box[2] - smaller.box[0]), abs=1)
    assert np.allclose(measured.ends.base, leaf.midrib_px[0])


def test_lines_lie_on_the_leaf_and_begin_at_the_apex() -> None:
    leaf = drawn_leaf("Coffea canephora", 6, direction_deg=120, px_per_mm=3)
    measured = measure_leaf(on_paper(leaf), parsed(leaf))
    assert measured.lines is not None
    midrib = measured.lines.midrib
    assert midrib[0, 1] < 0.2 * measured.pixels.shape[0] < 0.8 * measured.pixels.shape[0] < midrib[-1, 1]
    length = float(np.hypot(*np.diff(midrib, axis=0).T).sum())
    assert length == pytest.approx(leaf.traits.length_mm * 3, rel=0.06)
    assert len(measured.lines.left) == _value(measured.characters.secondary_veins_left)
    paper = measured.pixels.astype(int).min(axis=2) > 190
    for vein in measured.lines.left + measured.lines.right:
        column, row = vein[len(vein) // 2].astype(int)
        assert not paper[row, column]


def test_a_blade_without_visible_veins_has_a_form_and_no_count() -> None:
    leaf = drawn_leaf("Coffea canephora", 4)
    pixels = np.full_like(leaf.image, 225)
    grain = np.random.default_rng(1).normal(0, 4, leaf.mask.shape)
    pixels[leaf.mask] = np.clip(np.array([90, 100, 60]) + grain[leaf.mask][:, None], 0, 255)
    measured = measure_leaf(pixels, parsed(leaf))
    assert measured.characters.secondary_vein_pairs is None
    assert measured.no_veins is not None
    assert _value(measured.characters.length_width_ratio) == pytest.approx(
        leaf.traits.length_mm / leaf.blade.width_mm(), rel=0.08
    )


def _grass(height: int = 900, width: int = 70) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    mask = np.zeros((height + 80, width + 80), np.bool_)
    pixels = np.full((*mask.shape, 3), 225, np.uint8)
    rows = np.arange(height)
    half = (width / 2 * np.sqrt(np.sin(np.pi * (rows + 1) / (height + 1)))).astype(int)
    for row in rows:
        centre = mask.shape[1] // 2
        mask[row + 40, centre - half[row] : centre + half[row] + 1] = True
    stripes = 90 + 25 * (np.arange(mask.shape[1]) % 9 == 0)
    pixels[mask] = np.broadcast_to(stripes[None, :, None], pixels.shape)[mask]
    return pixels, mask


def test_parallel_veins_are_not_counted() -> None:
    pixels, mask = _grass()
    middle, rows = mask.shape[1] / 2, np.flatnonzero(mask.any(axis=1))
    midrib = np.array([[middle, rows[-1]], [middle, rows[0]]], np.float64)
    measured = measure_leaf(pixels, ParsedLeaf.exact(mask, midrib, (9, 9)))
    assert measured.characters.secondary_vein_pairs is None
    assert measured.not_measured or measured.no_veins


def test_a_compound_leaf_is_not_measured() -> None:
    mask = np.zeros((700, 700), np.uint8)
    for angle in np.radians([0, 45, 90, 135, 180]):
        tip = (int(350 + 260 * math.cos(angle)), int(450 - 260 * math.sin(angle)))
        cv2.line(mask, (350, 450), tip, (1,), 60)
    pixels = np.full((700, 700, 3), 225, np.uint8)
    pixels[mask > 0] = (90, 100, 60)
    midrib = np.array([[350.0, 480], [350, 160]])
    measured = measure_leaf(pixels, ParsedLeaf.exact(mask > 0, midrib))
    assert measured.not_measured is NotMeasuredReason.NOT_SIMPLE
    assert list(measured.characters.present()) == []


def test_a_twig_with_small_leaves_and_a_label_are_not_measured() -> None:
    rng = np.random.default_rng(5)
    pixels = np.full((800, 600, 3), 225, np.uint8)
    for x, y in rng.uniform((100, 100), (500, 700), (160, 2)):
        cv2.circle(pixels, (int(x), int(y)), 14, (90, 110, 60), -1)
    outline = np.zeros((800, 600), np.uint8)
    cv2.ellipse(outline, (300, 400), (190, 310), 0, 0, 360, (1,), -1)
    midrib = np.array([[300.0, 710], [300, 90]])
    assert measure_leaf(pixels, ParsedLeaf.exact(outline > 0, midrib)).lines is None
    label = np.zeros((800, 600), np.bool_)
    label[150:650, 150:450] = True
    paper = np.full((800, 600, 3), 160, np.uint8)
    paper[label] = (240, 235, 200)
    measured = measure_leaf(paper, ParsedLeaf.exact(label, np.array([[300.0, 650], [300, 150]])))
    assert measured.not_measured is NotMeasuredReason.NOT_SIMPLE


def test_a_small_leaf_is_named() -> None:
    pixels = np.full((200, 200, 3), 225, np.uint8)
    small = np.zeros((200, 200), np.bool_)
    small[90:110, 95:105] = True
    leaf = ParsedLeaf.exact(small, np.array([[100.0, 110], [100, 90]]))
    assert measure_leaf(pixels, leaf).not_measured is NotMeasuredReason.TOO_SMALL


@pytest.mark.parametrize("reason", NotWhole)
def test_a_leaf_that_is_not_seen_whole_has_no_character(reason: NotWhole) -> None:
    leaf = drawn_leaf("Coffea canephora", 6)
    measured = measure_leaf(on_paper(leaf), replace(parsed(leaf), reasons=(reason,)))
    assert measured.not_measured is NotMeasuredReason[reason.name]
    assert list(measured.characters.present()) == []


def test_a_leaf_seen_from_the_edge_has_no_character() -> None:
    rows, columns = np.mgrid[:900, :700]
    half = 200 * np.sin(np.pi * (np.clip(rows, 100, 800) - 100) / 700)
    mask = (columns > 350 - 0.35 * half) & (columns < 350 + half) & (rows > 100) & (rows < 800)
    pixels = np.full((900, 700, 3), 225, np.uint8)
    pixels[mask] = (90, 120, 60)
    measured = measure_leaf(pixels, ParsedLeaf.exact(mask, np.array([[350.0, 800], [350, 100]])))
    assert measured.not_measured is NotMeasuredReason.FORESHORTENED
    assert list(measured.characters.present()) == []


def test_no_number_is_given_where_two_readers_differ() -> None:
    leaf = drawn_leaf("Coffea canephora", 6)
    traits = leaf.traits
    other = ParsedLeaf.exact(leaf.mask, leaf.midrib_px, (traits.pairs_left + 4, traits.pairs_right + 4))
    measured = measure_leaf(on_paper(leaf), other)
    assert measured.no_veins is NotMeasuredReason.VEINS_UNCERTAIN
    assert measured.characters.secondary_vein_pairs is None
    assert measured.characters.length_width_ratio is not None


def test_width_is_measured_between_the_outermost_points() -> None:
    """The halves are broadest at different heights."""
    mask = np.zeros((900, 700), np.bool_)
    along = np.linspace(0, np.pi, 700)
    left, right = 220 * np.sin(along) * (1 - 0.5 * np.cos(along)), 220 * np.sin(along) * (1 + 0.5 * np.cos(along))
    for row, (here, there) in enumerate(zip(left, right, strict=True), start=100):
        mask[row, 350 - round(here) : 351 + round(there)] = True
    pixels = np.full((*mask.shape, 3), 225, np.uint8)
    pixels[mask] = (90, 120, 60)
    pixels[100:800, 347:354][mask[100:800, 347:354]] = (170, 190, 120)
    measured = measure_leaf(pixels, ParsedLeaf.exact(mask, np.array([[350.5, 800], [350.5, 100]])))
    assert _value(measured.characters.blade_width_px) == pytest.approx(left.max() + right.max(), rel=0.02)
    assert (left + right).max() < 0.96 * (left.max() + right.max())
    assert measured.lines is not None and measured.lines.widest.shape == (4, 2)


def test_the_petiole_is_measured() -> None:
    leaf = drawn_leaf("Coffea canephora", 6, px_per_mm=3)
    length = leaf.traits.length_mm * 3
    petiole = leaf.midrib_px[[0, 0]] + np.array([[0, 0], [0, 0.12 * length]])
    seen = measure_leaf(on_paper(leaf), replace(parsed(leaf), petiole=petiole), px_per_mm=3).characters
    assert _value(seen.petiole_share) == pytest.approx(0.12, abs=0.01)
    assert _value(seen.petiole_cm) == pytest.approx(0.012 * leaf.traits.length_mm, rel=0.02)
    beyond = leaf.midrib_px[[0, 0]] + np.array([[0, 0], [0, 0.23 * length]])  # farther than seen
    assert measure_leaf(on_paper(leaf), replace(parsed(leaf), petiole=beyond)).characters.petiole_share is None
    assert measure_leaf(on_paper(leaf), parsed(leaf)).characters.petiole_share is None
