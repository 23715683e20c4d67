"""Names of publishers are matched to the right taxon of the job."""

import pytest

from leafid.jobs import TaxaSettings
from leafid.scientific_names import DOUBTFUL, NameKind, read_name
from leafid.sources.providers.taxon_matching import TaxonMatcher

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
    found = TaxonMatcher(TAXA).match(read_name(text))
    assert (found.name if found else None) == entry


def test_checklist_keys_take_precedence_over_names() -> None:
    matcher = TaxonMatcher(TAXA, {"7461054": "Mitragyna speciosa", "2906000": "Nauclea"})
    found = matcher.match(read_name("Nauclea speciosa"), ("7461054", "2906000"))
    assert found is not None
    assert found.name == "Mitragyna speciosa"


def test_within_a_genus_the_species_is_kept() -> None:
    assert TaxonMatcher(TAXA).place(read_name("Nauclea orientalis (L.) L.")).catalog_name == "Nauclea orientalis"
    assert TAXA.look_alikes[2].label_name == "other Rubiaceae"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Mitragyna cf. speciosa", NameKind.UNCERTAIN),
        ("Mitragyna speciosa x parvifolia", NameKind.HYBRID_FORMULA),
        ("Mitragyna speciosa auct. non Korth.", NameKind.MISAPPLIED),
    ],
)
def test_a_doubtful_name_is_left_out_even_if_the_checklist_knows_the_species(text: str, kind: NameKind) -> None:
    matcher = TaxonMatcher(TAXA, {"7461054": "Mitragyna speciosa"})
    name = read_name(text)
    placed = matcher.place(name, ("7461054",), queried=TAXA.target)
    assert (placed.entry, placed.left_because) == (None, DOUBTFUL[kind])
    assert matcher.concerns(name)
    assert not matcher.concerns(read_name("Coffea cf. arabica"))


def test_an_uncertain_name_counts_for_a_genus_of_the_job() -> None:
    placed = TaxonMatcher(TAXA).place(read_name("Nauclea orientalis", "aff."))
    assert (placed.catalog_name, placed.left_because) == ("Nauclea", None)


def test_a_name_of_the_job_may_be_in_any_unicode_form() -> None:
    taxa = TaxaSettings.model_validate({"target": "Isoe\u0308tes lacustris"})
    for text in ("Iso\u00ebtes lacustris L.", "Isoetes lacustris"):
        assert TaxonMatcher(taxa).match(read_name(text)) is taxa.target
