"""An archive follows the rules of Darwin Core and GBIF, joins with its specimens, and is read again."""

import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from leafid.errors import OutputError
from leafid.identify import Record, Status, darwin_core_destination, write_archive
from leafid.identify.outputs.dwc_terms import DWC, TERMS, term_of
from leafid.identify.records import PlantPhoto
from leafid.sources.providers.darwin_core_archive import DarwinCoreArchive, Row
from tests.outputs.archive_rules import check_archive
from tests.outputs.records import HIRSUTA, NOON, SPECIOSA, TAXONOMY, given, made

TABLE = {"catalogNumber": "L.0001", "institutionCode": "L", "recordedBy": "Kerr", "shelf": "3 b"}


def test_an_archive_of_files_alone_is_valid(tmp_path: Path) -> None:
    assert write_archive([made("a.jpg"), made("b.jpg", None)], tmp_path / "a.zip", TAXONOMY) == 1
    ((specimen,), (identification,)) = check_archive(tmp_path / "a.zip")
    assert specimen["id"] == identification["coreid"] and specimen["occurrenceID"] == ""
    assert specimen["basisOfRecord"] == "Occurrence" and specimen["scientificName"] == "Mitragyna speciosa"
    assert specimen["identificationVerificationStatus"] == "unverified" and specimen["associatedMedia"] == "a.jpg"
    assert identification["scientificNameAuthorship"] == "(Korth.) Havil." and identification["taxonID"] == "7461054"
    assert identification["dateIdentified"] == NOON and identification["identifiedBy"] == "leafid 9.9, bundle m@1-2"
    assert f"SHA-256 {made('a.jpg').file_sha256}" in identification["identificationRemarks"]


def test_the_columns_of_the_table_are_terms_of_the_specimen_or_its_dynamic_properties(tmp_path: Path) -> None:
    record = made("a.jpg", given=given(input_path="x/a.jpg", OccurrenceID="L:1", **TABLE, eventDate=None))
    write_archive([record], tmp_path / "a.zip", TAXONOMY)
    ((specimen,), (identification,)) = check_archive(tmp_path / "a.zip")
    assert identification["coreid"] == specimen["id"] == specimen["occurrenceID"] == "L:1"
    assert (specimen["catalogNumber"], specimen["institutionCode"], specimen["recordedBy"]) == ("L.0001", "L", "Kerr")
    assert json.loads(specimen["dynamicProperties"]) == {"input_path": "x/a.jpg", "shelf": "3 b"}
    assert "eventDate" not in specimen


def test_images_of_one_specimen_are_one_row_with_several_identifications(tmp_path: Path) -> None:
    records = [
        made("a.jpg", "Mitragyna hirsuta", probability=0.5, given=given(occurrenceID="1", shelf="3")),
        made("b.jpg", probability=0.9, given=given(occurrenceID="1", shelf="4")),
        made("c.jpg", "Mitragyna hirsuta", probability=0.8, given=given(occurrenceID="2", shelf=None)),
    ]
    assert write_archive(records, tmp_path / "a.zip", TAXONOMY) == 3
    specimens, identifications = check_archive(tmp_path / "a.zip")
    assert [(row["id"], row["associatedMedia"]) for row in specimens] == [("1", "a.jpg | b.jpg"), ("2", "c.jpg")]
    assert [row["scientificName"] for row in specimens] == ["Mitragyna speciosa", "Mitragyna hirsuta"]
    assert specimens[0]["scientificNameAuthorship"] == "(Korth.) Havil."
    assert (
        json.loads(specimens[0]["dynamicProperties"]) == {"shelf": ["3", "4"]} and not specimens[1]["dynamicProperties"]
    )
    assert [(row["coreid"], row["scientificName"]) for row in identifications] == [
        ("1", "Mitragyna hirsuta"),
        ("1", "Mitragyna speciosa"),
        ("2", "Mitragyna hirsuta"),
    ]


def test_the_determination_in_the_table_stays_that_of_the_specimen(tmp_path: Path) -> None:
    table = given(occurrenceID="1", scientificName="Uncaria sp.", basisOfRecord="PreservedSpecimen", identifiedBy=None)
    write_archive(
        [made("a.jpg", given=table), made("b.jpg", probability=0.9, given=table)], tmp_path / "a.zip", TAXONOMY
    )
    ((specimen,), identifications) = check_archive(tmp_path / "a.zip")
    assert specimen["scientificName"] == "Uncaria sp." and specimen["basisOfRecord"] == "PreservedSpecimen"
    assert not specimen.get("identifiedBy") and not specimen.get("dateIdentified") and not specimen.get("taxonRank")
    assert {row["scientificName"] for row in identifications} == {"Mitragyna speciosa"}


def test_identifiers_stay_the_same_for_the_same_file_and_differ_between_runs(tmp_path: Path) -> None:
    first = made("a.jpg")
    later = replace(made("moved/a.jpg"), file_sha256=first.file_sha256, identified_at="2026-04-01T12:00:00+07:00")
    rows = []
    for record in (first, first, later):
        write_archive([record], tmp_path / "a.zip", TAXONOMY)
        rows.append(check_archive(tmp_path / "a.zip"))
    assert rows[0] == rows[1]
    assert rows[2][0][0]["id"] == rows[0][0][0]["id"]
    assert rows[2][1][0]["identificationID"] != rows[0][1][0]["identificationID"]


def test_a_plant_and_its_photos_are_identifications_of_one_specimen_and_no_row_is_repeated(tmp_path: Path) -> None:
    photo = made("a.jpg", plant="tree 7")
    shown = (PlantPhoto("a.jpg", None, "Mitragyna speciosa", 0.6, photo.file_sha256), PlantPhoto("b.jpg", "too_dark"))
    records = [replace(photo, photos=shown, probability=0.9), photo, photo]
    assert write_archive(records, tmp_path / "a.zip", TAXONOMY) == 2
    ((specimen,), identifications) = check_archive(tmp_path / "a.zip")
    assert specimen["associatedMedia"] == "a.jpg" and {row["coreid"] for row in identifications} == {specimen["id"]}
    assert f"image a.jpg, SHA-256 {photo.file_sha256}" in identifications[0]["identificationRemarks"]
    assert "b.jpg" not in identifications[0]["identificationRemarks"]


def test_strange_values_do_not_break_rows(tmp_path: Path) -> None:
    strange = 'a "quoted",\r\nbroken\ttext <&> \x07 \u2028=1+1'
    records = [
        made('we "ird",\n<&>.jpg', prediction_set=(SPECIOSA, HIRSUTA), given=given(occurrenceID="1", locality=strange)),
        made("=1.jpg", flora_sentence="13\npairs.", given=given(occurrenceID="2", locality="'x")),
    ]
    write_archive(records, tmp_path / "a.zip", TAXONOMY)
    specimens, identifications = check_archive(tmp_path / "a.zip")
    assert '"quoted", broken text <&>' in specimens[0]["locality"] and specimens[1]["locality"] == "'x"
    assert specimens[1]["associatedMedia"] == "./=1.jpg" and identifications[0]["identificationQualifier"] == "cf."


def test_the_reader_of_leafid_opens_it(tmp_path: Path) -> None:
    records = [made("a.jpg", given=given(occurrenceID="L:1", **TABLE)), made("b.jpg", given=given(occurrenceID="L:2"))]
    write_archive(records, tmp_path / "a.zip", TAXONOMY)
    with DarwinCoreArchive(tmp_path / "a.zip") as archive:
        assert archive.core.row_type == f"{DWC}Occurrence"
        specimens = list(archive.rows(archive.core, ["scientificName", "catalogNumber", "occurrenceID"]))
        (extension,) = archive.extensions
        rows = list(archive.rows(extension, ["scientificName", "dateIdentified", "taxonRank"]))
    first = {"scientificname": "Mitragyna speciosa", "catalognumber": "L.0001", "occurrenceid": "L:1"}
    assert specimens[0] == Row("L:1", first)
    one = {"scientificname": "Mitragyna speciosa", "dateidentified": NOON, "taxonrank": "species"}
    assert rows == [Row("L:1", one), Row("L:2", one)]


def test_no_record_with_a_name_gives_a_valid_empty_archive(tmp_path: Path) -> None:
    failed = Record(path="a.jpg", status=Status.FAILED, reason="missing: x", bundle="m", leafid_version="1")
    assert write_archive([failed], tmp_path / "a.zip", TAXONOMY) == 0
    assert check_archive(tmp_path / "a.zip") == ([], [])


def test_only_an_archive_of_leafid_is_replaced(tmp_path: Path) -> None:
    write_archive([made("a.jpg")], tmp_path / "a.zip", TAXONOMY)
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as other:
        other.writestr("a.jpg", b"")
    assert darwin_core_destination(tmp_path / "a.zip").is_own(tmp_path / "a.zip")
    assert not darwin_core_destination(tmp_path / "photos.zip").is_own(tmp_path / "photos.zip")
    with pytest.raises(OutputError, match=r"ends in \.csv, or in \.zip for an archive"):
        darwin_core_destination(tmp_path / "a.xml")


def test_terms_are_found_whatever_their_case() -> None:
    assert term_of("catalognumber") == "catalogNumber" and term_of("OCCURRENCEID ") == "occurrenceID"
    assert term_of("shelf") is None and TERMS["license"] == "http://purl.org/dc/terms/license"
