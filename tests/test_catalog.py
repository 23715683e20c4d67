"""A catalog comes back as it was written, typed; a wrong one is refused with every mistake."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.catalog import (
    COLUMNS,
    image_paths,
    read_catalog,
    relative_to_catalog,
    write_catalog,
)
from leafid.errors import CatalogError

text = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=20).filter(
    lambda value: value.strip() == value and value not in ("", "NA")
)


def rows(**columns: list[object]) -> pd.DataFrame:
    count = len(next(iter(columns.values()))) if columns else 2
    required = {
        "image_id": [f"id{index}" for index in range(count)],
        "path": [f"{index}.jpg" for index in range(count)],
        "scientificName": ["Mitragyna speciosa"] * count,
    }
    return pd.DataFrame({**required, **columns})


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@given(collectors=st.lists(st.none() | text, min_size=1, max_size=5), width=st.none() | st.integers(1, 10**6))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, ending: str, collectors: list[str | None], width: int | None
) -> None:
    path = tmp_path_factory.mktemp("catalogs") / f"catalog{ending}"
    write_catalog(rows(recordedBy=list(collectors), width=[width] * len(collectors)), path)
    read = read_catalog(path)
    assert [None if pd.isna(value) else value for value in read["recordedBy"]] == collectors
    assert [None if pd.isna(value) else value for value in read["width"]] == [width] * len(collectors)
    assert str(read["width"].dtype) == "Int64"
    assert list(read.columns) == [column.name for column in COLUMNS]


def test_a_name_that_looks_missing_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    write_catalog(rows(recordedBy=["NA", "null"]), path)
    assert list(read_catalog(path)["recordedBy"]) == ["NA", "null"]


def test_columns_of_the_user_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    write_catalog(rows(notes=["good", "bad"]), path)
    assert list(read_catalog(path)["notes"]) == ["good", "bad"]


def test_all_mistakes_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "catalog.csv"
    path.write_text("image_id,path,width\na,1.jpg,12\na,,wide\n")
    with pytest.raises(CatalogError) as caught:
        read_catalog(path)
    message = str(caught.value)
    assert "4 mistakes" in message
    assert "the column scientificName is missing" in message
    assert "row 2: path is empty" in message
    assert "row 2, width: 'wide' is not a whole number" in message
    assert "image_id a occurs in more than one row" in message


def test_missing_files_and_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="There is no catalog"):
        read_catalog(tmp_path / "catalog.csv")
    with pytest.raises(CatalogError, match=r"must end in \.csv or \.parquet"):
        write_catalog(rows(), tmp_path / "catalog.xlsx")
    (tmp_path / "catalog.parquet").write_text("no parquet")
    with pytest.raises(CatalogError, match="cannot be read"):
        read_catalog(tmp_path / "catalog.parquet")


def test_paths_are_relative_to_the_catalog(tmp_path: Path) -> None:
    catalog = tmp_path / "data" / "catalog.csv"
    image = tmp_path / "photos" / "leaf one.jpg"
    relative = relative_to_catalog(image, catalog)
    assert relative == "../photos/leaf one.jpg"
    frame = rows(path=[relative])
    assert image_paths(frame, catalog)[0].resolve() == image.resolve()
