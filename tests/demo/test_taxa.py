"""The drawn taxa follow the leaf-character table."""

import pytest

from leafid.demo import DEMO_TAXA, leaf_ranges
from leafid.demo.taxa import APEX_FORMS, BASE_FORMS, SHAPES, parse_forms, parse_interval, parse_shapes, parse_tip


def test_ranges_of_the_target_are_those_of_the_flora() -> None:
    ranges = leaf_ranges("Mitragyna speciosa")
    assert (ranges.length_mm.low, ranges.length_mm.high) == (50, 170)
    assert (ranges.width_mm.low, ranges.width_mm.high) == (30, 120)
    assert ranges.vein_pairs == (11, 17)
    assert (ranges.vein_angle_deg.low, ranges.vein_angle_deg.high) == (20, 60)
    assert ranges.apex_forms == ("acute", "acuminate")
    assert ranges.base_forms == ("rounded", "subcordate", "cordate")


@pytest.mark.parametrize("taxon", DEMO_TAXA)
def test_every_demo_taxon_can_be_drawn(taxon: str) -> None:
    ranges = leaf_ranges(taxon)
    assert set(ranges.shapes) <= set(SHAPES)
    assert ranges.apex_forms and ranges.base_forms
    for shape in ranges.shapes:
        ratio = ranges.length_to_width(shape)
        assert max(ranges.length_mm.low, ranges.width_mm.low * ratio.low) <= ranges.length_mm.high
        assert ratio.low <= ratio.high


def test_terms_of_the_floras_are_parsed() -> None:
    assert parse_shapes("elliptic to slightly ovate or obovate") == ("elliptic", "slightly ovate", "slightly obovate")
    assert parse_forms("rounded to obtuse", BASE_FORMS) == ("obtuse", "rounded")
    assert parse_forms("rounded to obtusely acuminate", APEX_FORMS) == APEX_FORMS
    assert "truncate" not in parse_forms("rounded to cordate", BASE_FORMS)
    assert parse_tip("acuminate (tip 1-1.8 cm)", ("acuminate",)) == parse_interval("10-18")
    assert parse_tip("acute", ("acute",)) == parse_interval("0-0")
