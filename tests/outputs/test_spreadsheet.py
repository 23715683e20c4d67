"""A spreadsheet has a candidate in each cell, words for headings, and no cell that a spreadsheet evaluates."""

import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from leafid.bundle import BundleInfo
from leafid.destinations import MARK
from leafid.errors import OutputError, UsageError
from leafid.identify import (
    Candidate,
    DerivedOutputs,
    PlantPhoto,
    Record,
    Status,
    spreadsheet_destination,
    write_spreadsheet,
)
from leafid.identify.inputs.given_columns import GivenColumns
from leafid.identify.outputs import spreadsheet
from tests.outputs.records import given, made, small_info

openpyxl = pytest.importorskip("openpyxl")


@pytest.fixture
def info() -> BundleInfo:
    """Return the description of a bundle with a target."""
    return small_info()


RECORDS = [
    made("=1+1.jpg", given=given(catalogNumber="L.0001", note="=HYPERLINK(1)")),
    made("b.jpg", None, reason="ambiguous", probability=0.4, given=given(catalogNumber=None, note="-x\x07y")),
    Record(
        path="c.jpg",
        status=Status.FAILED,
        reason="not_an_image: no picture",
        bundle="m",
        leafid_version="1",
        given=given(catalogNumber="7", note="'quoted"),
    ),
]


def _sheet(path: Path) -> list[dict[str, object]]:
    header, *rows = openpyxl.load_workbook(path)["Identifications"].iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_each_candidate_has_a_cell_and_given_columns_follow_the_image(info: BundleInfo, tmp_path: Path) -> None:
    assert write_spreadsheet(lambda: RECORDS, tmp_path / "r.xlsx", info) == 3
    first, second, third = _sheet(tmp_path / "r.xlsx")
    assert list(first)[:5] == ["Image", "catalogNumber", "note", "Result", "Taxon"]
    assert (first["Taxon"], first["Probability"], first["catalogNumber"]) == ("Mitragyna speciosa", 0.62, "L.0001")
    assert (first["2nd candidate"], first["2nd: probability"]) == ("Mitragyna hirsuta", 0.31)
    assert (second["Result"], second["Why no name"], second["Taxon"]) == ("undetermined", "ambiguous", None)
    assert (third["Result"], third["Why no name"]) == ("not read", "not an image: no picture")
    assert third["1st candidate"] is None and "Camera" not in first, "columns without any value are left out"


def test_no_text_is_a_formula_and_text_stays_as_it_is(info: BundleInfo, tmp_path: Path) -> None:
    write_spreadsheet(lambda: RECORDS, tmp_path / "r.xlsx", info)
    sheet = openpyxl.load_workbook(tmp_path / "r.xlsx")["Identifications"]
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert not [cell.value for cell in cells if cell.data_type == "f"]
    guarded = {cell.value for cell in cells if cell.quotePrefix}
    assert guarded == {"=1+1.jpg", "=HYPERLINK(1)", "-x y", "'quoted"}
    with zipfile.ZipFile(tmp_path / "r.xlsx") as opened:
        assert b"<f>" not in opened.read("xl/worksheets/sheet1.xml")


def test_headings_are_frozen_and_can_be_filtered(info: BundleInfo, tmp_path: Path) -> None:
    write_spreadsheet(lambda: RECORDS, tmp_path / "r.xlsx", info)
    book = openpyxl.load_workbook(tmp_path / "r.xlsx")
    sheet = book["Identifications"]
    assert sheet.freeze_panes == "B2" and sheet.auto_filter.ref == f"A1:{sheet.dimensions.split(':')[1]}"
    about = " ".join(str(cell) for row in book["About"].iter_rows(values_only=True) for cell in row if cell)
    assert "says nothing about alkaloid" in about and info.identifier in about and "Cannot be excluded" not in about


def test_names_longer_than_a_cell_and_many_candidates_are_written(info: BundleInfo, tmp_path: Path) -> None:
    many = tuple(Candidate(f"Taxon {number}", 0.1) for number in range(12))
    record = replace(made("x" * 40_000), candidates=many, prediction_set=many[:2])
    write_spreadsheet(lambda: [record], tmp_path / "r.xlsx", info)
    (row,) = _sheet(tmp_path / "r.xlsx")
    assert len(str(row["Image"])) == 32_767 and row["12th candidate"] == "Taxon 11"
    assert row["Cannot be excluded"] == "Taxon 0, Taxon 1"


def test_more_records_than_rows_are_refused(info: BundleInfo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_RECORDS", 2)
    with pytest.raises(OutputError, match="3 records are too many for a spreadsheet"):
        write_spreadsheet(lambda: RECORDS, tmp_path / "r.xlsx", info)
    assert not list(tmp_path.iterdir())


def test_only_spreadsheets_of_leafid_are_replaced(info: BundleInfo, tmp_path: Path) -> None:
    write_spreadsheet(lambda: RECORDS, tmp_path / "r.xlsx", info)
    other = openpyxl.Workbook()
    other.save(tmp_path / "mine.xlsx")
    assert spreadsheet_destination(tmp_path / "r.xlsx").is_own(tmp_path / "r.xlsx")
    assert not spreadsheet_destination(tmp_path / "mine.xlsx").is_own(tmp_path / "mine.xlsx")
    with pytest.raises(OutputError, match=r"ends in \.xlsx"):
        spreadsheet_destination(tmp_path / "r.xls")


def test_no_record_gives_an_empty_sheet(info: BundleInfo, tmp_path: Path) -> None:
    assert write_spreadsheet(lambda: [], tmp_path / "r.xlsx", info) == 0
    assert _sheet(tmp_path / "r.xlsx") == []


def test_a_plant_has_its_name_and_the_number_of_its_photos(info: BundleInfo, tmp_path: Path) -> None:
    photos = (PlantPhoto("a.jpg"), PlantPhoto("b.jpg", "blurred"), PlantPhoto("c.jpg"))
    records = [made("a.jpg", plant="tree 7\ud800", photos=photos), made("a.jpg", plant="tree 7\ud800")]
    write_spreadsheet(lambda: records, tmp_path / "r.xlsx", info)
    plant, photo = _sheet(tmp_path / "r.xlsx")
    assert (plant["Plant"], plant["Photos of the plant"]) == ("tree 7 ", "2 used, 1 left out")
    assert (photo["Plant"], photo["Photos of the plant"]) == ("tree 7 ", None)


def test_more_than_a_sheet_can_hold_is_refused_before_work(info: BundleInfo, tmp_path: Path) -> None:
    outputs, columns = DerivedOutputs(spreadsheet=tmp_path / "r.xlsx"), GivenColumns()
    with pytest.raises(UsageError, match=r"r\.xlsx: 1,048,576 records are too many"):
        outputs.check_images(["a.jpg"] * 1_048_576, columns)
    wide = {f"c{number}": "1" for number in range(20_000)}
    columns.add(0, wide)
    with pytest.raises(UsageError, match=r"20,000 columns are too many for a spreadsheet, which has 16,384"):
        outputs.check_images(["a.jpg"], columns)
    with pytest.raises(OutputError, match=r"columns are too many for a spreadsheet"):
        write_spreadsheet(lambda: [made("a.jpg", given=given(**wide))], tmp_path / "r.xlsx", info)
    assert not list(tmp_path.iterdir())


def test_a_foreign_spreadsheet_that_would_fill_the_memory_is_not_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.xlsx", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("docProps/core.xml", MARK.encode() + bytes(2_000_000))
    assert not spreadsheet_destination(tmp_path / "bomb.xlsx").is_own(tmp_path / "bomb.xlsx")
