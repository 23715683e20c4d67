"""Tables of every spreadsheet are read, and tables that are written come back as they were."""

import time
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leafid.quoted_records import quoted_records
from leafid.tables import TableError, decoded, parse_table, read_frame, read_table, write_frame


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_tables_of_all_programs(tmp_path: Path, encoding: str, delimiter: str, end: str) -> None:
    path = tmp_path / "list.csv"
    lines = (("path", "note"), ("a.jpg", "Čapek"), ("b.jpg", ""))
    path.write_bytes("".join(delimiter.join(line) + end for line in lines).encode(encoding))
    table = read_table(path)
    assert table.header == ("path", "note")
    assert [fields for _, fields in table.rows] == [("a.jpg", "Čapek"), ("b.jpg", "")]


def test_rows_of_other_widths_are_named_by_their_line() -> None:
    table = parse_table("path\na.jpg\nHill, north.jpg\n", "list.csv")
    assert table.rows == ((2, ("a.jpg",)),)
    assert table.wrong == ((3, "2 values, the header has 1"),)
    assert parse_table("a,b\n1\n", "x").wrong == ((2, "1 value, the header has 2"),)
    assert parse_table("a,b,\n1,2,,,\n", "x").rows == ((2, ("1", "2")),)  # empty columns of a spreadsheet
    assert parse_table("sep=;\na;b\n1,5;2\n", "x").rows == ((3, ("1,5", "2")),)


def test_tables_of_many_columns_and_long_cells_are_read_in_linear_time() -> None:
    columns = [f"measurement {number}" for number in range(100_000)]
    long = "x" * 200_000  # more than the csv module reads by default
    started = time.process_time()
    table = parse_table(",".join(columns) + "\n" + ",".join(["1"] * 99_999) + f',"{long}"\n', "wide.csv")
    assert time.process_time() - started < 5
    assert table.header == tuple(columns) and table.rows[0][1][-1] == long and not table.wrong


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(TableError, match="same name: 'path'"):
        parse_table("path,path\na,b\n", "list.csv")
    with pytest.raises(TableError, match="is empty"):
        parse_table(" \n\n", "list.csv")
    with pytest.raises(TableError, match=r"not UTF-8 text \(byte 9\)"):
        decoded("path,Mejía".encode("latin-1") + b"\xff", "list.csv")


def test_an_unclosed_quote_costs_its_own_row() -> None:
    for tail in ("4,d,e\n", '4,"d",e\n'):
        text = '1,"a",b\n2,"b,c\n3,"x\ny",z\n' + tail
        found = list(quoted_records(text.splitlines(keepends=True), ",", '"', 3))
        assert found == [
            (1, ["1", "a", "b"]),
            (2, "a quote is opened and never closed"),
            (3, ["3", "x\ny", "z"]),
            (5, ["4", "d", "e"]),
        ]


def test_many_unclosed_quotes_take_linear_time() -> None:
    lines = ['a"b,"c\n'] * 100_000
    assert sum(isinstance(fields, str) for _, fields in quoted_records(lines, ",", '"', 2)) == len(lines)


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), max_size=6))
def test_every_text_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]) -> None:
    path = tmp_path_factory.mktemp("table") / "t.csv"
    write_frame(pd.DataFrame([(str(n), *row) for n, row in enumerate(rows)], columns=["n", "=a", "b"]), path)
    back = read_frame(path)
    assert list(back.columns) == ["n", "=a", "b"]
    assert [tuple(row) for row in back[["=a", "b"]].fillna("").itertuples(index=False)] == rows


def test_no_spreadsheet_finds_a_formula(tmp_path: Path) -> None:
    cells = ["=1", "+x", "-x", "@x", "\tx", "\r=x", "Me\r=HYPERLINK(1)", "'=x", "-60.1", None]
    write_frame(pd.DataFrame({"a": cells}), tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_bytes().decode()
    assert '"Me\r=HYPERLINK(1)"' in text  # quoted, so that it is one cell
    starts = [line.lstrip('"')[:1] for line in text.replace("\r", " ").split("\n")[1:-1]]
    assert starts == ["'"] * 6 + ["M", "'", "-", ""]
    assert read_frame(tmp_path / "t.csv")["a"].tolist()[:9] == cells[:9]
