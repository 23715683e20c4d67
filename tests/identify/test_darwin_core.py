"""Darwin Core rows use known terms, one row per name, and express uncertainty with the qualifier `cf.`."""

import csv
from pathlib import Path

import pytest

from leafid.identify import DWC_COLUMNS, Candidate, Record, Status, darwin_core_destination, write_darwin_core
from leafid.taxonomy import Taxon, Taxonomy

# https://dwc.tdwg.org/terms/ (Darwin Core quick reference): the classes Identification and Taxon, and of Occurrence
# the one term that names an image.
QUICK_REFERENCE = frozenset(
    """
    identificationID verbatimIdentification identificationQualifier typeStatus typifiedName identifiedBy identifiedByID
    dateIdentified identificationReferences identificationVerificationStatus identificationRemarks
    taxonID scientificNameID acceptedNameUsageID parentNameUsageID originalNameUsageID nameAccordingToID
    namePublishedInID taxonConceptID scientificName acceptedNameUsage parentNameUsage originalNameUsage nameAccordingTo
    namePublishedIn namePublishedInYear higherClassification kingdom phylum class order superfamily family subfamily
    tribe subtribe genus genericName subgenus infragenericEpithet specificEpithet infraspecificEpithet cultivarEpithet
    taxonRank verbatimTaxonRank scientificNameAuthorship vernacularName nomenclaturalCode taxonomicStatus
    nomenclaturalStatus taxonRemarks
    associatedMedia
    """.split()
)
SPECIOSA, HIRSUTA = Candidate("Mitragyna speciosa", 0.62), Candidate("Mitragyna hirsuta", 0.31)
TAXONOMY = Taxonomy(
    taxa=(
        Taxon.from_name("Mitragyna hirsuta"),
        Taxon.from_name("Mitragyna speciosa", key="7461054"),
    )
)


def _record(path: str, name: str | None, **more: object) -> Record:
    status = Status.UNDETERMINED if name is None else Status.IDENTIFIED
    values = {"scientific_name": name, "taxon_rank": name and "species", "probability": 0.62} | more
    values |= {"file_sha256": "ab" * 32, "identified_at": "2026-03-01T12:00:00+07:00"}
    return Record(path=path, status=status, bundle="m@1-2", leafid_version="9.9", **values)  # type: ignore[arg-type]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_all_columns_are_terms_of_the_quick_reference() -> None:
    assert set(DWC_COLUMNS) <= QUICK_REFERENCE and len(set(DWC_COLUMNS)) == len(DWC_COLUMNS)


def test_a_row_has_name_date_identifier_and_probability(tmp_path: Path) -> None:
    record = _record("a.jpg", "Mitragyna speciosa", prediction_set=(SPECIOSA,), flora_sentence="13 pairs.")
    assert write_darwin_core([record], tmp_path / "dwc.csv", TAXONOMY) == 1
    (row,) = _rows(tmp_path / "dwc.csv")
    assert tuple(row) == DWC_COLUMNS
    assert row == {
        "associatedMedia": "a.jpg",
        "scientificName": "Mitragyna speciosa",
        "scientificNameAuthorship": "(Korth.) Havil.",
        "taxonID": "7461054",
        "taxonRank": "species",
        "identificationID": row["identificationID"],
        "identificationQualifier": "",
        "identifiedBy": "leafid 9.9, bundle m@1-2",
        "dateIdentified": "2026-03-01T12:00:00+07:00",
        "identificationVerificationStatus": "unverified",
        "identificationRemarks": "Predicted from an image by a model; not seen by a botanist. probability 0.6200. "
        "cannot be excluded: Mitragyna speciosa 0.6200. leaf: 13 pairs. "
        f"image a.jpg, SHA-256 {'ab' * 32}.",
    }
    assert row["identificationID"].startswith("urn:uuid:")


def test_a_prediction_set_of_several_taxa_is_qualified_as_cf(tmp_path: Path) -> None:
    record = _record("a.jpg", "Mitragyna speciosa", prediction_set=(SPECIOSA, HIRSUTA))
    write_darwin_core([record], tmp_path / "dwc.csv", TAXONOMY)
    (row,) = _rows(tmp_path / "dwc.csv")
    assert row["identificationQualifier"] == "cf."
    assert "Mitragyna speciosa 0.6200; Mitragyna hirsuta 0.3100" in row["identificationRemarks"]


def test_without_a_name_no_row_and_without_a_key_no_taxon_id(tmp_path: Path) -> None:
    records = [
        _record("a.jpg", None, reason="ambiguous"),
        Record(path="b.jpg", status=Status.FAILED, reason="missing: x", bundle="m", leafid_version="1"),
        _record("c.jpg", "Mitragyna", taxon_rank="genus"),
        _record("d.jpg", "Mitragyna hirsuta"),
    ]
    assert write_darwin_core(records, tmp_path / "dwc.csv", TAXONOMY) == 2
    rows = _rows(tmp_path / "dwc.csv")
    assert [(row["associatedMedia"], row["taxonID"], row["taxonRank"]) for row in rows] == [
        ("c.jpg", "", "genus"),
        ("d.jpg", "", "species"),
    ]


@pytest.mark.parametrize("path", ["=1.jpg", 'a,\n"b.jpg', "bl\u00e4tter.jpg"])
def test_file_names_are_kept_and_not_evaluated(tmp_path: Path, path: str) -> None:
    write_darwin_core([_record(path, "Mitragyna hirsuta")], tmp_path / "dwc.csv", TAXONOMY)
    (row,) = _rows(tmp_path / "dwc.csv")
    assert row["associatedMedia"] == ("./=1.jpg" if path == "=1.jpg" else path)


def test_columns_of_the_table_of_images_follow_and_an_earlier_name_is_kept_apart(tmp_path: Path) -> None:
    given = (("occurrenceID", "urn:uuid:1"), ("catalogNumber", None), ("scientificName", "Uncaria sp."), ("=x", "=1"))
    records = [
        _record("a.jpg", None, reason="ambiguous", given=given),
        _record("b.jpg", "Mitragyna hirsuta", given=given),
    ]
    write_darwin_core(records, tmp_path / "dwc.csv", TAXONOMY, byte_order_mark=True)
    assert (tmp_path / "dwc.csv").read_bytes().startswith(b"\xef\xbb\xbfassociatedMedia,")
    with (tmp_path / "dwc.csv").open(encoding="utf-8-sig", newline="") as opened:
        (row,) = csv.DictReader(opened)
    assert tuple(row) == (*DWC_COLUMNS, "occurrenceID", "catalogNumber", "input_scientificName", "'=x")
    assert row["scientificName"] == "Mitragyna hirsuta" and row["input_scientificName"] == "Uncaria sp."
    assert (row["occurrenceID"], row["catalogNumber"], row["'=x"]) == ("urn:uuid:1", "", "'=1")
    assert darwin_core_destination(tmp_path / "dwc.csv").is_own(tmp_path / "dwc.csv")
