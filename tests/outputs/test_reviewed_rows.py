"""Reviewed answers go back to the collection with the columns by which they join their specimens."""

import csv
from datetime import UTC, datetime
from pathlib import Path

from leafid.identify import DWC_COLUMNS
from leafid.serve.review.decisions import Decision
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
