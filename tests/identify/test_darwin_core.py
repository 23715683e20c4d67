"""Darwin Core rows use known terms, one row per name, and express uncertainty with the qualifier `cf.`."""

import csv
from datetime import date
from pathlib import Path

import pytest

from leafid.identify import DWC_COLUMNS, Candidate, Record, Status, write_darwin_core
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
    return Record(path=path, status=status, bundle="m@1-2", leafid_version="9.9", **values)  # type: ignore[arg-type]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def test_all_columns_are_terms_of_the_quick_reference() -> None:
    assert set(DWC_COLUMNS) <= QUICK_REFERENCE and len(set(DWC_COLUMNS)) == len(DWC_COLUMNS)


def test_a_row_has_name_date_identifier_and_probability(tmp_path: Path) -> None:
    record = _record("a.jpg", "Mitragyna speciosa", prediction_set=(SPECIOSA,), flora_sentence="13 pairs.")
    assert write_darwin_core([record], tmp_path / "dwc.csv", TAXONOMY, on=date(2026, 3, 1)) == 1
    (row,) = _rows(tmp_path / "dwc.csv")
    assert tuple(row) == DWC_COLUMNS
    assert row == {
        "associatedMedia": "a.jpg",
        "scientificName": "Mitragyna speciosa",
        "taxonID": "7461054",
        "taxonRank": "species",
        "identificationQualifier": "",
        "identifiedBy": "leafid 9.9, bundle m@1-2",
        "dateIdentified": "2026-03-01",
        "identificationVerificationStatus": "unverified",
        "identificationRemarks": "Predicted from an image by a model; not seen by a botanist. probability 0.6200. "
        "cannot be excluded: Mitragyna speciosa 0.6200. leaf: 13 pairs.",
    }


def test_a_prediction_set_of_several_taxa_is_qualified_as_cf(tmp_path: Path) -> None:
    record = _record("a.jpg", "Mitragyna speciosa", prediction_set=(SPECIOSA, HIRSUTA))
    write_darwin_core([record], tmp_path / "dwc.csv", TAXONOMY, on=date(2026, 3, 1))
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
    assert write_darwin_core(records, tmp_path / "dwc.csv", TAXONOMY, on=date(2026, 3, 1)) == 2
    rows = _rows(tmp_path / "dwc.csv")
    assert [(row["associatedMedia"], row["taxonID"], row["taxonRank"]) for row in rows] == [
        ("c.jpg", "", "genus"),
        ("d.jpg", "", "species"),
    ]


@pytest.mark.parametrize("path", ["=1.jpg", 'a,\n"b.jpg', "bl\u00e4tter.jpg"])
def test_file_names_are_kept_and_not_evaluated(tmp_path: Path, path: str) -> None:
    write_darwin_core([_record(path, "Mitragyna hirsuta")], tmp_path / "dwc.csv", TAXONOMY, on=date(2026, 3, 1))
    (row,) = _rows(tmp_path / "dwc.csv")
    assert row["associatedMedia"] == ("./=1.jpg" if path == "=1.jpg" else path)
