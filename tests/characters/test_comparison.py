"""Measured characters are compared with the ranges in floras."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.characters import (
    FULL_QUALITY,
    Fit,
    FormTerm,
    LeafCharacters,
    Measurement,
    compare,
    describe,
    describe_fit,
    flora_ranges,
    read_ranges,
)
from leafid.errors import UsageError

KRATOM = LeafCharacters(
    secondary_vein_pairs=Measurement(13, 0.7, 0.9),
    secondary_vein_angle_deg=Measurement(50, 3, 0.9),
    length_width_ratio=Measurement(1.7, 0.05, 1),
    base_form=FormTerm("rounded", 0.9),
    apex_form=FormTerm("acute", 0.9),
)


def test_ranges_of_every_taxon_are_read() -> None:
    ranges = {taxon.taxon: taxon for taxon in flora_ranges()}
    speciosa = ranges["Mitragyna speciosa"].numbers["secondary_vein_pairs"]
    assert (speciosa.low, speciosa.high, speciosa.lowest) == (11, 17, 8)
    assert ranges["Mitragyna diversifolia"].terms["apex_form"].terms == ("rounded", "obtuse")
    assert ranges["Mitragyna speciosa"].terms["base_form"].terms == ("rounded", "truncate", "subcordate", "cordate")
    assert "base_form" not in ranges["Nauclea officinalis"].terms
    assert len(ranges) == 12


def test_error_names_every_unreadable_range(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("taxon,secondary_vein_pairs\nPlanta prima,11 to 17\nPlanta secunda,9-4\n", encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_ranges(table)
    assert "Planta prima, secondary_vein_pairs: '11 to 17'" in str(caught.value)
    assert "Planta secunda" in str(caught.value)


def test_the_best_fit_comes_first_and_is_in_the_sentence() -> None:
    fits = compare(KRATOM)
    assert fits[0].taxon == "Mitragyna speciosa"
    assert fits[0].likelihood > 2 * fits[1].likelihood
    assert {fit.fit for fit in fits[0].fits} == {Fit.INSIDE}
    text = describe_fit(KRATOM, fits[:1])
    assert text.startswith("13 pairs of secondary veins at 50°, length:width 1.7, apex acute, base rounded: ")
    assert text.endswith("within the ranges of Mitragyna speciosa (pairs 11-17).")


def test_sentence_gives_the_range_of_characters_outside() -> None:
    diversifolia = next(fit for fit in compare(KRATOM) if fit.taxon == "Mitragyna diversifolia")
    outside = {fit.character for fit in diversifolia.characters_with(Fit.OUTSIDE)}
    assert outside >= {"secondary_vein_pairs", "secondary_vein_angle_deg"}
    assert "outside Mitragyna diversifolia (pairs 5-10" in describe_fit(KRATOM, [diversifolia])


@pytest.mark.parametrize(("pairs", "fit"), [(13.0, Fit.INSIDE), (9.0, Fit.EDGE), (4.0, Fit.OUTSIDE)])
def test_values_between_range_and_extremes_are_at_the_edge(pairs: float, fit: Fit) -> None:
    characters = LeafCharacters(secondary_vein_pairs=Measurement(pairs, 0.5, 1))
    speciosa = next(each for each in compare(characters) if each.taxon == "Mitragyna speciosa")
    assert speciosa.fits[0].fit is fit


def test_a_character_of_low_quality_counts_little() -> None:
    def likelihood(quality: float) -> float:
        characters = LeafCharacters(secondary_vein_pairs=Measurement(4, 0.5, quality))
        return next(each.likelihood for each in compare(characters) if each.taxon == "Mitragyna speciosa")

    assert likelihood(1) < 0.05 < likelihood(0.5) < likelihood(0.1)


def test_a_character_below_full_quality_never_excludes_a_taxon() -> None:
    for quality, fit, words in (
        (FULL_QUALITY, Fit.OUTSIDE, "outside Mitragyna speciosa (pairs 11-17)"),
        (FULL_QUALITY - 0.01, Fit.UNCLEAR, "too unclear to exclude Mitragyna speciosa (pairs 11-17)"),
    ):
        characters = LeafCharacters(secondary_vein_pairs=Measurement(4, 0.5, quality))
        speciosa = next(each for each in compare(characters) if each.taxon == "Mitragyna speciosa")
        assert speciosa.fits[0].fit is fit
        assert words in describe_fit(characters, [speciosa])
    rounded = LeafCharacters(base_form=FormTerm("cuneate", 0.3))
    assert all(fit.fits[0].fit is not Fit.OUTSIDE for fit in compare(rounded) if fit.fits)


def test_without_characters_there_is_no_fit() -> None:
    assert describe(LeafCharacters()) == "no character could be measured"
    assert all(fit.fits == () for fit in compare(LeafCharacters()))
    assert describe_fit(LeafCharacters(), compare(LeafCharacters())) == "no character could be measured."


@given(pairs=st.floats(0, 40), uncertainty=st.floats(0.1, 5), quality=st.floats(0, 1))
def test_likelihoods_are_positive_and_sorted(pairs: float, uncertainty: float, quality: float) -> None:
    fits = compare(LeafCharacters(secondary_vein_pairs=Measurement(pairs, uncertainty, quality)))
    values = [fit.likelihood for fit in fits]
    assert all(0 < value <= 1 for value in values)
    assert values == sorted(values, reverse=True)
