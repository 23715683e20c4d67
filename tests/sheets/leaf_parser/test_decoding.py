"""Maps without error are read as the leaves that they were made from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leafid.sheets.leaf_parser.counting import counted, expected_number
from leafid.sheets.leaf_parser.leaf_view import APEX_ROW, AXIS_COLUMN, BASE_ROW, leaf_view
from leafid.sheets.leaf_parser.overview import decode_overview
from leafid.sheets.leaf_parser.reading import Departure, Side, fit_midrib, read_view
from tests.sheets.leaf_parser.exact_maps import exact_overview, exact_view, photographs

LEAST_CELLS = 16
NEAREST = 7.0


def test_exact_maps_of_an_overview_give_back_leaves_and_their_ends() -> None:
    leaves = found = 0
    for photo in photographs(70, 14):
        exact = exact_overview(photo)
        decoded = decode_overview(exact.maps)
        for number, truth in enumerate(exact.leaves, start=1):
            own = exact.labels[2::4, 2::4] == number
            if own.sum() < LEAST_CELLS:
                continue
            leaves += 1
            overlaps = [(own & (leaf.cells > 0)).sum() / (own | (leaf.cells > 0)).sum() for leaf in decoded]
            if not overlaps or max(overlaps) < 0.7:
                continue
            found += 1
            best = decoded[int(np.argmax(overlaps))]
            assert np.hypot(*(best.base - truth.base)) < 0.5
            assert np.hypot(*(best.apex - truth.apex)) < 0.5
    assert leaves > 20
    assert found >= 0.95 * leaves


def test_exact_maps_of_views_give_back_ends_midrib_and_every_secondary() -> None:
    read = 0
    for photo in photographs(70, 14):
        for leaf in photo.leaves:
            length = float(np.hypot(*(leaf.apex_xy - leaf.base_xy)))
            if leaf.visible_fraction < 0.97 or leaf.folded or length < 60:
                continue
            _, truth, answers = exact_view(photo, leaf)
            reading = read_view(answers)
            read += 1
            assert np.hypot(*(reading.base - truth.base)) < 3
            assert np.hypot(*(reading.apex - truth.apex)) < 3
            course = np.interp(reading.midrib[:, 1], truth.midrib[::-1, 1], truth.midrib[::-1, 0])
            assert np.abs(course - reading.midrib[:, 0]).max() < 4
            for side, lines in ((reading.left, truth.left), (reading.right, truth.right)):
                rows = np.array([departure.row for departure in side.departures if departure.chance > 0.5])
                starts = np.array(sorted(line[0, 1] for line in lines))
                if np.diff(starts, prepend=0).min() < NEAREST:
                    continue  # two that leave at one place are one to this network
                assert len(rows) == len(starts)
                assert np.abs(np.sort(rows) - starts).max() < 3
                for departure in side.departures:
                    nearest = min(lines, key=lambda line: abs(line[0, 1] - departure.row))
                    away = [np.hypot(*(nearest - point).T).min() for point in departure.course[1:6]]
                    assert np.median(away) < 6
    assert read > 5


@settings(max_examples=25)
@given(
    base=st.tuples(st.floats(0, 900), st.floats(0, 900)),
    angle=st.floats(0, 2 * np.pi),
    length=st.floats(40, 800),
    ratio=st.floats(0.1, 0.9),
)
def test_a_view_puts_base_and_apex_at_their_rows_and_maps_back(
    base: tuple[float, float], angle: float, length: float, ratio: float
) -> None:
    foot = np.array(base)
    apex = foot + length * np.array([np.cos(angle), np.sin(angle)])
    view = leaf_view(foot, apex, ratio * length / 2)
    assert view.to_view(np.stack([foot, apex])) == pytest.approx(
        np.array([[AXIS_COLUMN, BASE_ROW], [AXIS_COLUMN, APEX_ROW]]), abs=1e-6
    )
    assert view.to_picture(view.to_view(foot[None])) == pytest.approx(foot[None], abs=1e-6)
    # The right of the leaf, apex up, is the right of the view: the picture is turned, never mirrored.
    assert np.linalg.det(view.matrix[:, :2]) > 0
    assert np.linalg.det(view.mirrored().matrix[:, :2]) < 0


def test_the_midrib_does_not_follow_a_secondary_vein() -> None:
    chance = np.zeros((192, 96), np.float32)
    chance[:, 47:49] = 0.9
    chance[70:110, 47:49] = 0.0  # not seen here
    for step in range(40):  # a bright vein that leaves there
        chance[110 - step, 48 + step] = 0.9
    midrib = fit_midrib(chance, np.array([AXIS_COLUMN, BASE_ROW]), np.array([AXIS_COLUMN, APEX_ROW]))
    assert np.abs(midrib[:, 0] - AXIS_COLUMN).max() < 6


@given(chances=st.lists(st.floats(0.02, 0.98), min_size=1, max_size=20))
def test_a_number_from_clear_signals_is_surer(chances: list[float]) -> None:
    def side(values: list[float]) -> Side:
        course = np.array([[AXIS_COLUMN, 200.0], [AXIS_COLUMN + 40, 180.0]])
        return Side(tuple(Departure(200.0, value, course, value) for value in values), (310.0, 50.0))

    expected, deviation = expected_number(side(chances))
    sharper = [0.99 if chance > 0.5 else 0.01 for chance in chances]
    assert expected == pytest.approx(sum(chances))
    assert 0 <= expected_number(side(sharper))[1] <= deviation + 1e-9
    assert expected_number(side([1.0, 1.0, 0.0])) == (2.0, 0.0)


def test_short_veins_that_crowd_at_apex_and_base_are_not_counted() -> None:
    def departure(row: float, reach: float) -> Departure:
        return Departure(row, 0.9, np.array([[AXIS_COLUMN, row], [AXIS_COLUMN + reach, row - reach]]), 0.9)

    long = [departure(row, 60.0) for row in (280.0, 240.0, 200.0, 160.0, 120.0)]
    side = Side((departure(300.0, 6.0), *long, departure(80.0, 20.0), departure(60.0, 5.0)), (310.0, 50.0))
    assert [each.row for each in counted(side)] == [280.0, 240.0, 200.0, 160.0, 120.0, 80.0]


def test_no_departure_is_likely_enough_to_count() -> None:
    assert counted(Side((), (310.0, 50.0))) == ()
    faint = Departure(200.0, 0.1, np.array([[AXIS_COLUMN, 200.0], [AXIS_COLUMN + 40, 180.0]]), 0.0)
    assert counted(Side((faint,), (310.0, 50.0))) == ()
