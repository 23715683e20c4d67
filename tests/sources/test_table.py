"""A table of images: renamed columns, selected rows, and all mistakes reported at once."""

from pathlib import Path

import pytest

from leafid.errors import SourceError
from leafid.jobs import TableSource
from leafid.sources.source_result import SourceResult
from leafid.sources.table import find_in_table


def found_in(path: Path, columns: dict[str, str] | None = None, only: dict[str, str] | None = None) -> SourceResult:
    return find_in_table(TableSource(kind="table", path=path, columns=columns or {}, only=only or {}))


def written(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "images.csv"
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def test_all_columns_are_copied_without_empty_values(tmp_path: Path) -> None:
    table = written(
        tmp_path, "path,scientificName,fold,recordedBy", "a/1.jpg,Mitragyna hirsuta,3,", "b.jpg,Viola,,Kerr"
    )
    first, second = found_in(table).images
    assert first.file == tmp_path / "a/1.jpg"
    assert first.values == {"scientificName": "Mitragyna hirsuta", "fold": "3"}
    assert second.values == {"scientificName": "Viola", "recordedBy": "Kerr"}


def test_columns_are_renamed_and_rows_selected(tmp_path: Path) -> None:
    table = written(tmp_path, "file,label,set,group", "1.jpg,V01,a,g1", "2.jpg,V02,b,g2")
    columns = {"path": "file", "scientificName": "label", "gathering_id": "group", "catalogNumber": "group"}
    (image,) = found_in(table, columns, {"set": "b"}).images
    assert image.values == {"scientificName": "V02", "set": "b", "gathering_id": "g2", "catalogNumber": "g2"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_spreadsheets_write_csv_in_several_ways(tmp_path: Path, delimiter: str, encoding: str) -> None:
    lines = [delimiter.join(line) for line in (("path", "scientificName"), ("1.jpg", "Viola ×palmata"))]
    (image,) = found_in(written(tmp_path, *lines, encoding=encoding)).images
    assert image.values["scientificName"] == "Viola ×palmata"


def test_rows_without_an_image_are_failures_with_their_line(tmp_path: Path) -> None:
    table = written(
        tmp_path, "path,scientificName", ",Viola", "1.jpg,", "2.jpg,Viola,more", "https://a.org/3.jpg,Viola", "4.jpg,V"
    )
    found = found_in(table)
    assert [image.file.name for image in found.images] == ["4.jpg"]
    assert sorted((failure.source.split("line ")[1], str(failure.reason)) for failure in found.failures) == [
        ("2", "no_path"),
        ("3", "no_taxon"),
        ("4", "wrong_fields"),
        ("5", "web_address"),
    ]


def test_all_missing_columns_are_named_with_those_present(tmp_path: Path) -> None:
    table = written(tmp_path, "Path,labels,set", "1.jpg,V01,a")
    with pytest.raises(SourceError) as caught:
        found_in(table, {"scientificName": "label", "recordedby": "set"}, {"Set": "a"})
    message = str(caught.value)
    assert "columns.scientificName: there is no column 'label'. Did you mean 'labels'?" in message
    assert "path: there is no column 'path'. Did you mean 'Path'?" in message
    assert "only.Set: there is no column 'Set'. Did you mean 'set'?" in message
    assert "columns.recordedby: the catalog has no such column. Did you mean 'recordedBy'?" in message
    assert "It has: Path, labels, set" in message


def test_a_selection_without_rows_names_the_values_present(tmp_path: Path) -> None:
    table = written(tmp_path, "path,scientificName,set", "1.jpg,V01,a", "2.jpg,V01,b")
    with pytest.raises(SourceError, match="set: the job asks for 'c'; the file has a, b"):
        found_in(table, only={"set": "c"})


def test_unreadable_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="there is no file"):
        found_in(tmp_path / "none.csv")
    latin = tmp_path / "latin.csv"
    latin.write_bytes("path,scientificName,recordedBy\n1.jpg,Viola,Mejía\n".encode("latin-1"))
    with pytest.raises(SourceError, match="not UTF-8"):
        found_in(latin)
    with pytest.raises(SourceError, match="is empty"):
        found_in(written(tmp_path, ""))
    with pytest.raises(SourceError, match="same name: 'path'"):
        found_in(written(tmp_path, "path,path,scientificName"))
    with pytest.raises(SourceError, match="no rows"):
        found_in(written(tmp_path, "path,scientificName"))


def test_measured_columns_are_not_read_from_the_table(tmp_path: Path) -> None:
    found = found_in(written(tmp_path, "path,scientificName,width,image_id", "1.jpg,Viola,7,x"))
    assert found.images[0].values == {"scientificName": "Viola"}
    assert "image_id, width" in found.notes[0]


def test_the_missing_value_of_r_is_missing_but_not_in_free_text(tmp_path: Path) -> None:
    table = written(
        tmp_path,
        "path,scientificName,recordedBy,institutionCode,notes",
        "1.jpg,Viola alba,NA,NA,NA",
        "2.jpg,Viola alba,Kerr,NA,NA",
        "3.jpg,NA,Kerr,L,",
    )
    found = found_in(table)
    assert found.images[0].values == {"scientificName": "Viola alba", "notes": "NA"}
    assert found.images[1].values["institutionCode"] == "NA"  # the herbarium of the U.S. National Arboretum
    assert [str(failure.reason) for failure in found.failures] == ["no_taxon"]


def test_a_comma_in_an_unquoted_cell_is_named_with_its_line(tmp_path: Path) -> None:
    (failure,) = found_in(written(tmp_path, "path,scientificName", "1.jpg,Viola", "Hill, 2.jpg,Viola")).failures
    assert failure.detail == "images.csv:3: 3 values, the header has 2"
