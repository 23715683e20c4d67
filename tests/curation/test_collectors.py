"""Collectors, numbers and dates of labels are normalised, so that duplicates match."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.curation.collectors import name_words, number_digits, parse_period, surnames


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("Leeuwenberg A.J.M.", {"leeuwenberg"}),
        ("Anthonius J.M. Leeuwenberg", {"leeuwenberg"}),
        ("Leeuwenberg AJM", {"leeuwenberg"}),
        ("De Koning J.", {"koning"}),
        ("Koning J de", {"koning"}),
        ("F. Hepper & G. de Silva", {"hepper", "silva"}),
        ("T. P. Ramamoorthy|K. N. Gandhi", {"ramamoorthy", "gandhi"}),
        ("Nagalingum, N.S.|Goodwin, S.V.", {"nagalingum", "goodwin"}),
        ("S. A. Earle, K. A. Bradley, S. W. Woodmansee", {"earle", "bradley", "woodmansee"}),
        ("Zanoni TA; Mejía MM; Ramirez C", {"zanoni", "mejia", "ramirez"}),
        ("Christopher R. Hardy with Zaavi C. Hardy", {"hardy"}),
        ("M. Togashi.", {"togashi"}),
        ("NEE M", {"nee"}),
        ("NO DISPONIBLE", set()),
        ("s.n.", set()),
        ("", set()),
    ],
)
def test_surnames(written: str, found: set[str]) -> None:
    assert surnames(written) == found


def test_all_words_of_a_name_are_returned() -> None:
    assert name_words("M. M. Mejía Pimentel") & name_words("M. Mejia, T. Zanoni") == {"mejia"}


@pytest.mark.parametrize(
    ("written", "digits"),
    [
        ("HFP 2687", "2687"),
        ("HFP2687", "2687"),
        ("Koning, J de 6589", "6589"),
        ("Collector Number: UPNG 4031", "4031"),
        ("79-13", "79-13"),
        ("080", "80"),
        ("s.n.", ""),
        ("0", ""),
    ],
)
def test_digits_of_numbers(written: str, digits: str) -> None:
    assert number_digits(written) == digits


def test_dates_keep_their_precision() -> None:
    day = parse_period("2021-09-19T17:21Z")
    month, years = parse_period("1976-12"), parse_period("1969-07-14/1970")
    assert day and month and years
    assert day.is_a_day and day.first == datetime.date(2021, 9, 19)
    assert (month.first, month.last) == (datetime.date(1976, 12, 1), datetime.date(1976, 12, 31))
    assert (years.first, years.last) == (datetime.date(1969, 7, 14), datetime.date(1970, 12, 31))


@pytest.mark.parametrize(
    "written", ["", "unknown", "1970-02-30", "1999-13", "1999-5-6-7", "1980/1970", "1/2/3", "0000"]
)
def test_invalid_dates_are_none(written: str) -> None:
    assert parse_period(written) is None


@given(st.dates(datetime.date(1700, 1, 1)), st.sampled_from(["%Y-%m-%d", "%Y-%m", "%Y"]))
def test_a_date_is_within_its_less_precise_form(day: datetime.date, form: str) -> None:
    exact, vague = parse_period(day.isoformat()), parse_period(f"{day.year:04d}" + day.strftime(form)[4:])
    assert exact and vague
    assert exact.overlaps(vague) and vague.first <= day <= vague.last


@given(st.text(max_size=60))
def test_any_text_is_read(text: str) -> None:
    surnames(text), name_words(text), number_digits(text), parse_period(text)
