"""`--taxa` and `--country` restrict the question; the record says what was left out."""

from pathlib import Path

import pytest

from leafid.errors import UsageError
from leafid.identify import Identifier
from leafid.identify.restriction import restriction
from leafid.taxonomy import Taxonomy
from tests.identify.small_bundle import TARGET, leaf

KRATOM = Taxonomy.from_names(["Mitragyna hirsuta", "Mitragyna speciosa", "Mitragyna tubulosa", "Uncaria rhynchophylla"])


def test_taxa_are_named_in_the_option_or_in_a_file(tmp_path: Path) -> None:
    wanted = ("Mitragyna hirsuta", "Mitragyna speciosa")
    lines, table = tmp_path / "names.txt", tmp_path / "names.csv"
    lines.write_text("Mitragyna speciosa\n\nMitragyna hirsuta Havil.\n")
    table.write_text("id;scientificName\n1;Mitragyna hirsuta\n2;Mitragyna speciosa (Korth.) Havil.\n")
    for option in ("Mitragyna speciosa, mitragyna hirsuta", str(lines), str(table)):
        chosen = restriction(KRATOM, taxa=option, country=None)
        assert chosen is not None and chosen.taxa == wanted


def test_a_country_keeps_its_taxa_and_those_of_unknown_distribution() -> None:
    chosen = restriction(KRATOM, taxa=None, country="th")
    assert chosen is not None
    assert chosen.taxa == ("Mitragyna hirsuta", "Mitragyna speciosa", "Uncaria rhynchophylla")
    assert "Uncaria rhynchophylla" in chosen.remarks[0]
    both = restriction(KRATOM, taxa="Mitragyna hirsuta,Mitragyna tubulosa", country="TH")
    assert both is not None and both.taxa == ("Mitragyna hirsuta",)


@pytest.mark.parametrize(
    ("taxa", "country", "message"),
    [
        ("Coffea arabica", None, "'Coffea arabica'"),
        (None, "XX", "--country XX: no taxon is known from there"),
        (None, "Thailand", "ISO 3166-1 among"),
        ("Mitragyna tubulosa", "TH", "--taxa and --country leave none"),
    ],
)
def test_a_choice_that_cannot_be_met_is_refused(taxa: str | None, country: str | None, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        restriction(KRATOM, taxa=taxa, country=country)


def test_a_record_names_what_was_left_out(identifier: Identifier, tmp_path: Path) -> None:
    leaf(TARGET).save(tmp_path / "leaf.png")
    (free,) = identifier.identify([tmp_path / "leaf.png"])
    others = [name for name in identifier.info.taxonomy.names if name != TARGET]
    (record,) = identifier.identify([tmp_path / "leaf.png"], taxa=others)
    assert free.scientific_name == TARGET and free.excluded == ()
    assert record.excluded[0].scientific_name == TARGET
    assert record.excluded[0].probability == free.probability
    assert TARGET not in {candidate.scientific_name for candidate in record.candidates}
    assert record.scientific_name is None or "not asked for are more probable" in (record.caution or "")
