"""Labels follow the order of the taxonomy; probabilities sum up to genera and families."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from leafid.errors import TaxonomyError
from leafid.taxonomy import Rank, Taxon, Taxonomy

names = st.lists(
    st.tuples(st.sampled_from(["Mitragyna", "Uncaria", "Nauclea"]), st.text("abcdefg", min_size=1, max_size=6)),
    min_size=1,
    max_size=12,
    unique=True,
).map(lambda pairs: [" ".join(pair) for pair in pairs])


@given(names)
def test_labels_and_names_are_each_others_inverse(scientific_names: list[str]) -> None:
    taxonomy = Taxonomy.from_names(scientific_names)
    assert [taxonomy.taxa[taxonomy.label(name)].scientific_name for name in scientific_names] == scientific_names
    assert taxonomy.labels(taxonomy.names) == list(range(len(taxonomy)))


@given(names, st.data())
def test_genera_share_out_all_probability(scientific_names: list[str], data: st.DataObject) -> None:
    taxonomy = Taxonomy.from_names(scientific_names)
    weights = data.draw(st.lists(st.floats(0.01, 1), min_size=len(taxonomy), max_size=len(taxonomy)))
    probabilities = [weight / sum(weights) for weight in weights]
    genera = taxonomy.roll_up(probabilities, Rank.GENUS)
    assert sum(genera.values()) == pytest.approx(1)
    assert set(genera) == {name.split()[0] for name in scientific_names}


def test_a_name_of_one_word_has_no_genus() -> None:
    assert Taxon.from_name("V01").at(Rank.GENUS) is None
    assert Taxonomy.from_names(["V01"]).roll_up([1.0], Rank.GENUS) == {}


def test_the_same_taxonomy_comes_back_from_json() -> None:
    taxonomy = Taxonomy.from_names(["Mitragyna speciosa", "Coffea canephora"], target="Mitragyna speciosa")
    assert Taxonomy.model_validate_json(taxonomy.model_dump_json()) == taxonomy
    assert taxonomy.target_label == 1


def test_unknown_names_are_all_listed() -> None:
    taxonomy = Taxonomy.from_names(["Mitragyna speciosa"])
    with pytest.raises(TaxonomyError, match=r"'A b', 'C d'"):
        taxonomy.labels(["C d", "Mitragyna speciosa", "A b"])
    with pytest.raises(TaxonomyError, match="not among the 1 taxa"):
        taxonomy.label("A b")


def test_a_name_given_twice_and_a_foreign_target_are_refused() -> None:
    taxon = Taxon.from_name("Mitragyna speciosa")
    with pytest.raises((TaxonomyError, ValidationError), match="twice"):
        Taxonomy(taxa=(taxon, taxon))
    with pytest.raises((TaxonomyError, ValidationError), match="target"):
        Taxonomy.from_names(["Coffea canephora"], target="Mitragyna speciosa")
