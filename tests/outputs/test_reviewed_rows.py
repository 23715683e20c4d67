"""Reviewed answers go back to the collection with the columns by which they join their specimens."""

import csv
from datetime import UTC, datetime
from pathlib import Path

from leafid.identify import DWC_COLUMNS, PlantPhoto, given_names
from leafid.serve.review.decisions import Decision, decisions_path, open_decisions
from leafid.serve.review.derived_files import write_identifications
from tests.outputs.records import given, made


def test_determinations_have_authors_identifiers_and_the_columns_of_the_table(tmp_path: Path) -> None:
    records = [
        made("a.jpg", given=given(catalogNumber="L.1", scientificName="Uncaria sp.")),
        made("b.jpg", given=given(catalogNumber=None, scientificName=None)),
        made("c.jpg", given=given(catalogNumber="L.3", scientificName=None)),
    ]
    on = datetime(2026, 3, 2, tzinfo=UTC)
    names = ("Mitragyna hirsuta", "Mitragyna speciosa", None)
    decisions = {
        record.subject: Decision.of(record, name, "A. Botanist", "", on)
        for record, name in zip(records, names, strict=True)
    }
    assert write_identifications(records, decisions, tmp_path / "rows.csv") == 2
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as opened:
        first, second = csv.DictReader(opened)
    assert tuple(first) == (*DWC_COLUMNS, "catalogNumber", "input_scientificName")
    assert (first["catalogNumber"], first["input_scientificName"]) == ("L.1", "Uncaria sp.")
    assert (first["scientificName"], first["scientificNameAuthorship"]) == ("Mitragyna hirsuta", "Havil.")
    assert second["catalogNumber"] == "" and second["identificationID"] != first["identificationID"]


def test_a_plant_has_its_photos_as_media_and_strange_names_come_back_from_the_file(tmp_path: Path) -> None:
    photos = (PlantPhoto("a.jpg"), PlantPhoto("b.jpg", "blurred"), PlantPhoto("=c.jpg"))
    subjects = ("-12", "=1+1", "'7'", "../tree\n7", '+3;\t"x"')
    records = [made("a.jpg", plant=name, photos=photos) for name in subjects]
    on = datetime(2026, 3, 2, tzinfo=UTC)
    path = decisions_path(tmp_path / "results.csv")
    with open_decisions(path) as decisions:
        for record in records:
            decisions.add(Decision.of(record, "Mitragyna hirsuta", "A. Botanist", "=remark", on))
    with open_decisions(path) as decisions:  # a second review of the same results
        assert tuple(decisions.latest) == subjects
        assert write_identifications(records, decisions.latest, tmp_path / "rows.csv") == len(subjects)
    with (tmp_path / "rows.csv").open(encoding="utf-8", newline="") as opened:
        assert {row["associatedMedia"] for row in csv.DictReader(opened)} == {"a.jpg | ./=c.jpg"}
    with path.open(encoding="utf-8", newline="") as opened:
        assert not [cell for row in csv.reader(opened) for cell in row if cell.startswith(("=", "+"))]


def test_columns_whose_names_collide_stay_apart() -> None:
    record = made("a.jpg", given=given(scientificName="x", input_scientificName="y"))
    assert given_names([record]) == ["input_scientificName", "input_input_scientificName"]
