"""Names of labels are parsed into one form; other texts are kept unchanged."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.scientific_names import NameKind, canonical, read_determination, read_name

letters = st.text(string.ascii_lowercase, min_size=3, max_size=12)
genera = letters.map(str.capitalize)
epithets = letters.filter(lambda word: read_name(f"Viola {word} L.").canonical == f"Viola {word}")
authors = st.sampled_from(
    ["", "L.", "(Korth.) Havil.", "Wall. ex G.Don", "(Roxb.) Kuntze, 1891", "Aubrév. & Pellegr.", "DC.", "Hook. f."]
)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Mitragyna speciosa (Korth.) Havil.", "Mitragyna speciosa"),
        ("Mitragyna speciosa Korth.", "Mitragyna speciosa"),
        ("  mitragyna   SPECIOSA".lower(), "Mitragyna speciosa"),
        ("MITRAGYNA SPECIOSA (KORTH.) HAVIL.", "Mitragyna speciosa"),
        ("Mitragyna_speciosa", "Mitragyna speciosa"),
        (
            "Mitragyna parvifolia (Roxb.) Korth. var. microphylla (Kurz) Ridsdale",
            "Mitragyna parvifolia var. microphylla",
        ),
        ("Viola alba Besser ssp. dehnhardtii (Ten.) W.Becker", "Viola alba subsp. dehnhardtii"),
        ("Viola x palmata L.", "Viola × palmata"),
        ("Viola ×palmata", "Viola × palmata"),
        ("Nauclea speciosa (Korth.) Miq. non (Wall. ex G.Don) Walp.", "Nauclea speciosa"),
        ("Stephegyne parvifolia auct. non Roxb.", "Stephegyne parvifolia auct."),
        ("Rubus fruticosus agg.", "Rubus fruticosus"),
        ("Mitragyna sp.", "Mitragyna"),
        ("Mitragyna Korth.", "Mitragyna"),
    ],
)
def test_plant_names(written: str, read: str) -> None:
    assert canonical(written) == read


@pytest.mark.parametrize("code", ["V01", "V01_01_004", "anantamul", "Tulsi Leaf", "tulsi leaf 3", "Viola sp. 1", "42"])
def test_codes_and_other_labels_are_kept(code: str) -> None:
    assert canonical(code) == code


@pytest.mark.parametrize("text", ["Mitragyna cf. speciosa", "Mitragyna aff speciosa", "Mitragyna speciosa?"])
def test_uncertain_names_are_marked(text: str) -> None:
    assert read_name(text).uncertain
    assert not read_name("Mitragyna speciosa").uncertain


def test_a_variety_knows_its_species() -> None:
    assert read_name("Mitragyna parvifolia var. microphylla").species == "Mitragyna parvifolia"
    assert read_name("Mitragyna parvifolia microphylla").key == read_name("Mitragyna parvifolia var. microphylla").key


def test_a_hybrid_formula_is_neither_parent() -> None:
    keys = {read_name(name).key for name in ("Viola alba × odorata", "Viola alba", "Viola odorata", "Viola × odorata")}
    assert len(keys) == 3  # Viola × odorata and Viola odorata are one name (ICN H.3)


@given(genera, epithets, authors, st.sampled_from([" ", "  ", "\t"]))
def test_author_and_spacing_do_not_matter(genus: str, epithet: str, author: str, space: str) -> None:
    assert canonical(f"{genus}{space}{epithet} {author}") == f"{genus} {epithet}"


@given(genera, epithets, epithets)
def test_different_epithets_are_different_names(genus: str, one: str, other: str) -> None:
    same = read_name(f"{genus} {one} L.").key == read_name(f"{genus} {other} L.").key
    assert same == (one == other)


@given(
    st.text(max_size=60) | st.lists(st.sampled_from("Viola alba x × var. f. L. cf. ? sp. ex (".split())).map(" ".join)
)
def test_parsing_is_idempotent_for_any_text(text: str) -> None:
    once = read_name(text)
    again = read_name(once.canonical)
    assert (again.canonical, again.key) == (once.canonical, once.key)


@pytest.mark.parametrize(
    ("text", "qualifier"),
    [
        ("Mitragyna c.f. speciosa", ""),
        ("Mitragyna [cf.] speciosa", ""),
        ("Mitragyna AFF. speciosa (Korth.) Havil.", ""),
        ("Mitragyna sp. aff. speciosa", ""),
        ("Mitragyna speciosa prox.", ""),
        ("Mitragyna speciosa vel hirsuta", ""),
        ("Mitragyna speciosa/hirsuta", ""),
        ("MITRAGYNA CF SPECIOSA", ""),
        *(("Mitragyna speciosa Korth.", one) for one in ("cf.", "Cf", "c.f.", "AFF.", "affinis", "?", "aff. hirsuta")),
        *(("Mitragyna speciosa Korth.", one) for one in ("prox.", "probably", "[cf]", "uncertain", "vel aff.")),
    ],
)
def test_an_uncertain_name_is_certain_to_its_genus_only(text: str, qualifier: str) -> None:
    name = read_name(text, qualifier)
    assert (name.kind, name.binomial) == (NameKind.UNCERTAIN, "Mitragyna")
    assert "Mitragyna speciosa" in name.mentioned


@pytest.mark.parametrize("qualifier", ["", "s.l.", "sensu lato", "agg.", "verified", "A"])
def test_other_qualifiers_leave_the_name_certain(qualifier: str) -> None:
    assert read_name("Mitragyna speciosa Korth.", qualifier).canonical == "Mitragyna speciosa"
    assert read_name("Dryopteris affinis", qualifier).kind is NameKind.NAME  # an epithet, not a qualifier


@pytest.mark.parametrize(
    "text",
    [
        "Mitragyna speciosa × Mitragyna hirsuta",
        "Mitragyna speciosa x hirsuta",
        "Mitragyna hirsuta Havil. X M. speciosa (Korth.) Havil.",
        "MITRAGYNA SPECIOSA X HIRSUTA",
        "Mitragyna speciosa ✖ hirsuta",
    ],
)
def test_spellings_of_a_formula_are_one_name(text: str) -> None:
    name = read_name(text)
    assert name.kind is NameKind.HYBRID_FORMULA
    assert name.key == "mitragyna hirsuta × mitragyna speciosa"
    assert name.genus == "Mitragyna"


def test_a_formula_of_two_genera_belongs_to_neither() -> None:
    for text in ("Mitragyna × Uncaria", "Mitragyna speciosa × Uncaria gambir"):
        assert (read_name(text).kind, read_name(text).genus) == (NameKind.HYBRID_FORMULA, None)


@pytest.mark.parametrize(
    ("text", "qualifier"),
    [
        ("Mitragyna speciosa auct. non Korth.", ""),
        ("Mitragyna speciosa [auct., non Korth.]", ""),
        ("Mitragyna speciosa sensu Miq. non Korth.", ""),
        ("Mitragyna speciosa non (Korth.) Havil.", ""),
        ("Mitragyna speciosa misapplied", ""),
        ("Mitragyna speciosa", "auct. non"),
    ],
)
def test_misapplied_names_are_not_the_species(text: str, qualifier: str) -> None:
    name = read_name(text, qualifier)
    assert (name.kind, name.mentioned) == (NameKind.MISAPPLIED, ("Mitragyna speciosa",))


def test_unicode_forms_and_diacritics_do_not_make_another_name() -> None:
    forms = ("Iso\u00ebtes lacustris L.", "Isoe\u0308tes lacustris L.", "Isoetes lacustris", "Isoetes\u200b lacustris")
    assert {read_name(form).key for form in forms} == {"isoetes lacustris"}
    assert read_name("blatt ä").key != read_name("blatt a").key  # labels that are no names are never merged


def test_a_doubtful_label_outweighs_the_checklist() -> None:
    name = read_determination(["Mitragyna cf. speciosa", "Mitragyna speciosa"], ["Mitragyna speciosa"])
    assert name is not None
    assert name.uncertain
    accepted = read_determination(["Nauclea korthalsii Steud."], ["Mitragyna speciosa Korth."])
    assert accepted is not None
    assert accepted.canonical == "Mitragyna speciosa"
    assert read_determination([None, " "], ["indet."]) is None
