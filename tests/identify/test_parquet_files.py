"""Large Parquet results are folders that one call reads; a crash at any point neither loses nor doubles a record."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from pyarrow import dataset

from leafid.destinations import check_destinations
from leafid.errors import OutputError
from leafid.files import Existing
from leafid.identify import Record, Status, read_records, result_destinations
from leafid.identify.outputs.line_formats import JSONL, write_parquet
from leafid.identify.outputs.parquet_files import journal_path, part_files
from leafid.identify.outputs.writers import open_output

FIRST = Record(path="0.jpg", status=Status.FAILED, reason="empty: no bytes", bundle="b@1", leafid_version="1")
RECORDS = [replace(FIRST, path=f"{number}.jpg") for number in range(100)]


def _write(output: Path, records: list[Record], existing: Existing = "refuse", *, rows_per_file: int = 30) -> None:
    with open_output(output, existing=existing, rows_per_file=rows_per_file) as writer:
        for place in range(0, len(records), 4):
            writer.write(records[place : place + 4])


def _lengths(output: Path) -> list[int]:
    return [len(pd.read_parquet(part)) for part in part_files(output)]


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "res[u]lts.parquet"


def test_a_large_result_is_a_folder_that_one_call_reads(output: Path) -> None:
    _write(output, RECORDS)
    assert _lengths(output) == [32, 32, 32, 4] and not journal_path(output).exists()
    paths = [record.path for record in RECORDS]
    assert list(read_records(output)) == RECORDS
    assert pd.read_parquet(output)["path"].tolist() == paths
    assert dataset.dataset(output).to_table()["path"].to_pylist() == paths
    duckdb = pytest.importorskip("duckdb", reason="needs DuckDB")
    folder = output.rename(output.with_name("results.parquet"))
    assert duckdb.sql(f"SELECT count(*) FROM '{folder}/*.parquet'").fetchall() == [(100,)]


def test_a_small_result_is_one_file(output: Path) -> None:
    _write(output, RECORDS[:28])
    assert output.is_file() and list(read_records(output)) == RECORDS[:28]


def test_finished_results_can_be_resumed(output: Path) -> None:
    _write(output, RECORDS[:20])
    _write(output, RECORDS[20:28], "resume")
    assert output.is_file() and list(read_records(output)) == RECORDS[:28]
    _write(output, RECORDS[28:70], "resume")
    assert _lengths(output) == [32, 32, 6]
    _write(output, RECORDS[70:], "resume")
    assert _lengths(output) == [32, 32, 6, 30] and list(read_records(output)) == RECORDS
    _write(output, [], "resume")
    assert list(read_records(output)) == RECORDS and list(output.parent.iterdir()) == [output]


def test_replacing_deletes_all_parts_and_nothing_else(output: Path) -> None:
    _write(output, RECORDS)
    with pytest.raises(OutputError, match="already exists"):
        check_destinations(result_destinations(output), existing="refuse")
    _write(output, RECORDS[:3], "replace")
    assert output.is_file() and list(read_records(output)) == RECORDS[:3]
    _write(output, RECORDS, "replace")
    (output / "notes.txt").touch()
    with pytest.raises(OutputError, match="was not written by this command of leafid"):
        _write(output, RECORDS[:3], "replace")
    assert (output / "notes.txt").exists() and len(part_files(output)) == 4


def test_a_foreign_folder_is_refused(output: Path) -> None:
    (output / "photos").mkdir(parents=True)
    existing: Existing
    for existing in ("refuse", "resume", "replace"):
        with pytest.raises(OutputError, match="never replaced"):
            check_destinations(result_destinations(output), existing=existing)


def _lines(records: list[Record]) -> bytes:
    return b"".join(map(JSONL.line, records))


DEATHS = {
    "in part 1": (0, _lines(RECORDS[:10]), 10),
    "in a line": (0, _lines(RECORDS[:10])[:-9], 9),
    "part 1 is there, the journal not yet cut": (1, _lines(RECORDS[:32]), 32),
    "the journal is cut, without its header": (1, b"", 32),
    "with half a header": (1, b'{"part": ', 32),
    "with its header": (1, b'{"part": 2}\n', 32),
    "in part 2": (1, b'{"part": 2}\n' + _lines(RECORDS[32:40]), 40),
    "in a line of part 2": (1, b'{"part": 2}\n' + _lines(RECORDS[32:40])[:-3], 39),
    "part 2 is there, the journal not yet cut": (2, b'{"part": 2}\n' + _lines(RECORDS[32:64]), 64),
}


@pytest.mark.parametrize("death", DEATHS)
def test_after_a_crash_each_record_is_present_once(output: Path, death: str) -> None:
    parts, journal, there = DEATHS[death]
    for number in range(parts):
        output.mkdir(exist_ok=True)
        write_parquet(RECORDS[32 * number : 32 * (number + 1)], output / f"part-{number + 1:05}.parquet")
    if parts:
        (output / ".part-00009.parquet.1.partial").touch()
    journal_path(output).write_bytes(journal)
    assert list(read_records(output)) == RECORDS[:there]
    existing: list[Record] = []
    with open_output(output, existing="resume", on_existing=existing.append, rows_per_file=30) as writer:
        writer.write(RECORDS[there:])
    assert existing == RECORDS[:there] and list(read_records(output)) == RECORDS
    assert not [file for file in output.iterdir() if file.name.startswith(".")]


@pytest.mark.parametrize("copied", [1, 12, 20])
def test_a_crash_while_a_finished_file_is_copied_to_the_journal_loses_nothing(output: Path, copied: int) -> None:
    write_parquet(RECORDS[:20], output)
    journal_path(output).write_bytes(_lines(RECORDS[:copied])[: None if copied == 20 else -5])
    (output.parent / f".{output.name}.1.partial").touch()
    assert list(read_records(output)) == RECORDS[:20]
    _write(output, RECORDS[20:], "resume")
    assert list(read_records(output)) == RECORDS and list(output.parent.iterdir()) == [output]
