"""Names of publishers are matched to the right taxon of the job."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.jobs import TaxaSettings
from leafid.sources.providers.scientific_names import TaxonMatcher, canonical_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Mitragyna speciosa (Korth.) Havil.", "Mitragyna speciosa"),
        ("Mitragyna speciosa Korth.", "Mitragyna speciosa"),
        ("MITRAGYNA SPECIOSA", "Mitragyna speciosa"),
        ("mitragyna speciosa", "Mitragyna speciosa"),
        ("Nauclea africana Willd. var. luzoniensis DC.", "Nauclea africana var. luzoniensis"),
        ("Mitragyna parvifolia ssp. parvifolia", "Mitragyna parvifolia subsp. parvifolia"),
        ("Mitragyna × hybrida", "Mitragyna hybrida"),
        ("Uncaria sp.", "Uncaria"),
        ("Mitragyna cf. speciosa", "Mitragyna"),
        ("Mitragyna speciosa ?", "Mitragyna"),
        ("Uncaria", "Uncaria"),
        ("Uncaria Schreb.", "Uncaria"),
    ],
)
def test_authors_and_uncertain_epithets_are_dropped(text: str, name: str) -> None:
    assert str(canonical_name(text)) == name


@pytest.mark.parametrize("text", ["", "  ", "indet.", "3 sheets", "?"])
def test_a_name_without_genus_is_none(text: str) -> None:
    assert canonical_name(text) is None


@given(st.text())
def test_any_text_is_read_without_error(text: str) -> None:
    name = canonical_name(text)
    assert name is None or str(name).split()[0] == name.genus


TAXA = TaxaSettings.model_validate(
    {
        "target": "Mitragyna speciosa",
        "look_alikes": [
            {"name": "Mitragyna diversifolia", "synonyms": ["Nauclea parvifolia var. diversifolia"]},
            {"name": "Mitragyna parvifolia", "synonyms": ["Nauclea parvifolia"]},
            {"name": "Nauclea", "rank": "genus", "group": "other Rubiaceae"},
        ],
    }
)


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("Nauclea parvifolia Roxb.", "Mitragyna parvifolia"),
        ("Nauclea parvifolia var. diversifolia (Wall.) Craib", "Mitragyna diversifolia"),
        ("Mitragyna parvifolia var. microphylla (Kurz) Ridsdale", "Mitragyna parvifolia"),
        ("Nauclea orientalis (L.) L.", "Nauclea"),
        ("Nauclea sp.", "Nauclea"),
        ("Mitragyna sp.", None),
        ("Coffea arabica L.", None),
    ],
)
def test_an_image_belongs_to_the_narrowest_entry(text: str, entry: str | None) -> None:
    found = TaxonMatcher(TAXA).match(canonical_name(text))
    assert (found.name if found else None) == entry


def test_checklist_keys_take_precedence_over_names() -> None:
    matcher = TaxonMatcher(TAXA, {"7461054": "Mitragyna speciosa", "2906000": "Nauclea"})
    found = matcher.match(canonical_name("Nauclea speciosa"), ("7461054", "2906000"))
    assert found is not None
    assert found.name == "Mitragyna speciosa"


def test_within_a_genus_the_species_is_kept() -> None:
    matcher = TaxonMatcher(TAXA)
    name = canonical_name("Nauclea orientalis (L.) L.")
    assert name is not None
    assert matcher.catalog_name(name, matcher.match(name)) == "Nauclea orientalis"
    assert TAXA.look_alikes[2].label_name == "other Rubiaceae"
