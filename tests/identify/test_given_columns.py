"""The columns of a table of images are in every output, under their own names unless a result has that name."""

import csv
import json
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from leafid.errors import OutputError
from leafid.files import sha256_of
from leafid.identify import Identifier, Record, Status, find_inputs, group_photos, identify_to_file, read_records
from leafid.identify.inputs.given_columns import GivenByPath, carried_names
from leafid.identify.run_identification import identify_plants_to_file
from tests.identify.small_bundle import COLOURS, leaf

FORMATS = (".csv", ".jsonl", ".parquet")
TABLE = """\
occurrenceID;path;catalogNumber;status;=formula
urn:uuid:1;a.jpg;L.0001;on loan;=1+1
urn:uuid:2;sub/b.jpg;;;
;missing.jpg;'L3;gift;-60.1
"""
NAMES = ("occurrenceID", "input_path", "catalogNumber", "input_status", "=formula")
FIRST = ("urn:uuid:1", "a.jpg", "L.0001", "on loan", "=1+1")
SECOND = ("urn:uuid:2", "sub/b.jpg", None, None, None)
THIRD = (None, "missing.jpg", "'L3", "gift", "-60.1")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Return a table of two photos, in a folder of its own, and a missing one."""
    folder = tmp_path / "loan"
    (folder / "sub").mkdir(parents=True)
    leaf(next(iter(COLOURS)), 1).save(folder / "a.jpg")
    leaf(next(iter(COLOURS)), 2).save(folder / "sub" / "b.jpg")
    (folder / "table.csv").write_text(TABLE, encoding="utf-8-sig")
    return folder / "table.csv"


def _values(record: Record) -> tuple[str | None, ...]:
    return tuple(value for _, value in record.given)


def test_names_of_columns_of_results_get_a_prefix() -> None:
    assert carried_names(["path", "input_path", "status", "score", " Collector\n name ", ""]) == (
        "input_path",
        "input_input_path",
        "input_status",
        "input_score",  # a column of earlier results, by which an old file is recognised
        "Collector name",
        "input_6",
    )


@pytest.mark.parametrize("ending", FORMATS)
def test_every_result_format_carries_and_gives_back_the_columns(
    identifier: Identifier, table: Path, tmp_path: Path, ending: str
) -> None:
    inputs, output = find_inputs([table]), tmp_path / f"results{ending}"
    identify_to_file(identifier, inputs.paths, output, given=inputs.given)
    records = list(read_records(output))
    assert [tuple(name for name, _ in record.given) for record in records] == [NAMES] * 3
    assert [_values(record) for record in records] == [FIRST, SECOND, THIRD]
    assert records[2].reason_code == "missing" and records[2].file_sha256 is None


def test_spreadsheets_and_pandas_see_them_as_columns(identifier: Identifier, table: Path, tmp_path: Path) -> None:
    inputs = find_inputs([table])
    for ending in FORMATS:
        identify_to_file(identifier, inputs.paths, tmp_path / f"r{ending}", given=inputs.given, byte_order_mark=True)
    assert (tmp_path / "r.csv").read_bytes().startswith(b"\xef\xbb\xbfpath,")
    with (tmp_path / "r.csv").open(encoding="utf-8-sig", newline="") as opened:
        first = next(csv.DictReader(opened))
    assert first["catalogNumber"] == "L.0001" and first["'=formula"] == "'=1+1"
    assert json.loads((tmp_path / "r.jsonl").read_text().splitlines()[0])["input_status"] == "on loan"
    frame = pd.read_parquet(tmp_path / "r.parquet")
    assert list(frame["occurrenceID"].iloc[:2]) == ["urn:uuid:1", "urn:uuid:2"] and pd.isna(frame["occurrenceID"][2])


@pytest.mark.parametrize("ending", FORMATS)
def test_a_run_cut_anywhere_is_completed_with_the_same_columns(
    identifier: Identifier, table: Path, tmp_path: Path, ending: str
) -> None:
    inputs, output = find_inputs([table, table]), tmp_path / f"results{ending}"
    journal = output if ending != ".parquet" else tmp_path / "results.parquet.journal.jsonl"
    whole = tmp_path / f"whole{'.csv' if ending == '.csv' else '.jsonl'}"
    identify_to_file(identifier, inputs.paths, whole, given=inputs.given, byte_order_mark=True)
    content = whole.read_bytes()
    header = content.index(b"\n")
    for cut in (0, 2, header - 30, header - 1, header + 1, len(content) // 2, len(content) - 1, len(content)):
        output.unlink(missing_ok=True)
        journal.write_bytes(content[:cut])
        identify_to_file(identifier, inputs.paths, output, existing="resume", given=inputs.given, byte_order_mark=True)
        assert [_values(record) for record in read_records(output)] == [FIRST, SECOND, THIRD] * 2, cut


def test_a_result_is_not_continued_with_other_columns(identifier: Identifier, table: Path, tmp_path: Path) -> None:
    inputs = find_inputs([table])
    identify_to_file(identifier, inputs.paths, tmp_path / "r.csv", given=inputs.given)
    with pytest.raises(OutputError, match=r"carries the columns occurrenceID, .*the images named now have no columns"):
        identify_to_file(identifier, inputs.paths, tmp_path / "r.csv", existing="resume")


def test_failed_images_tried_again_keep_the_columns(identifier: Identifier, table: Path, tmp_path: Path) -> None:
    inputs, output = find_inputs([table]), tmp_path / "r.csv"
    identify_to_file(identifier, inputs.paths, output, given=inputs.given, byte_order_mark=True)
    leaf(next(iter(COLOURS)), 3).save(table.with_name("missing.jpg"))
    identify_to_file(identifier, inputs.paths, output, existing="resume", retry_failed=True, given=inputs.given)
    assert [_values(record) for record in read_records(output)] == [FIRST, SECOND, THIRD]
    assert output.read_bytes().startswith(b"\xef\xbb\xbf") and b"missing:" not in output.read_bytes()


def test_images_without_a_table_and_of_other_tables_have_missing_values(table: Path) -> None:
    other = table.with_name("other.tsv")
    other.write_text("path\tbarcode\nc.jpg\t7\n")
    plain = table.with_name("plain.csv")
    plain.write_text("path\nd.jpg\n")
    given = find_inputs([other, table.with_name("a.jpg"), plain, table]).given
    assert given.names == ("input_path", "barcode", "occurrenceID", "catalogNumber", "input_status", "=formula")
    assert given.of(0) == tuple(zip(given.names, ("c.jpg", "7", None, None, None, None), strict=True))
    assert {value for _, value in given.of(1)} == {value for _, value in given.of(2)} == {None}
    assert dict(given.of(3))["catalogNumber"] == "L.0001" and dict(given.of(5))["input_path"] == "missing.jpg"
    assert find_inputs([plain]).given.names == ()


def test_shards_and_pages_keep_their_own_values(table: Path) -> None:
    picture = leaf(next(iter(COLOURS)), 1)
    picture.save(table.with_name("two.tif"), save_all=True, append_images=[picture])
    table.write_text("path,barcode\ntwo.tif,1\na.jpg,2\n")
    inputs = find_inputs([table], shard="2/2")
    assert [Path(path).name for path in inputs.paths] == ["two.tif#page=2", "a.jpg"]
    assert [dict(inputs.given.of(position))["barcode"] for position in range(2)] == ["1", "2"]


def test_parquet_tables_give_text(tmp_path: Path) -> None:
    pd.DataFrame({"path": ["a.jpg", "b.jpg"], "barcode": [7, 8], "when": [datetime(2026, 1, 2), None]}).to_parquet(
        tmp_path / "t.parquet"
    )
    given = find_inputs([tmp_path / "t.parquet"]).given
    assert dict(given.of(0)) == {"input_path": "a.jpg", "barcode": "7", "when": "2026-01-02 00:00:00"}
    assert dict(given.of(1))["when"] is None


def test_a_plant_carries_the_columns_of_all_its_photos(identifier: Identifier, table: Path, tmp_path: Path) -> None:
    table.write_text("path,plant,shelf\na.jpg,1,x\nsub/b.jpg,1,\nmissing.jpg,2,y\n")
    inputs, output = find_inputs([table]), tmp_path / "plants.csv"
    given = GivenByPath(inputs.paths, inputs.given)
    plants = group_photos(inputs.paths, "plant", given=inputs.given)
    for existing in ("refuse", "resume"):
        identify_plants_to_file(identifier, plants, output, photos_too=True, given=given, existing=existing)
    carried = [dict(record.given) for record in read_records(output)]
    assert carried[0] == {"input_path": "a.jpg | sub/b.jpg", "input_plant": "1", "shelf": "x"}
    assert carried[1]["input_path"] == "a.jpg" and carried[2]["shelf"] is None and carried[3]["shelf"] == "y"
    photos = [photo.file_sha256 for photo in next(iter(read_records(output))).photos]
    assert photos == [sha256_of(table.parent / name) for name in ("a.jpg", "sub/b.jpg")]
    with pytest.raises(OutputError, match="carries the columns input_path, input_plant, shelf"):
        identify_plants_to_file(identifier, plants, output, photos_too=True, existing="resume")


def test_results_have_the_hash_of_the_file_and_the_time(identifier: Identifier, table: Path, tmp_path: Path) -> None:
    photo = table.with_name("a.jpg")
    before = datetime.now().astimezone().replace(microsecond=0)
    (from_file, broken, from_bytes, from_pixels) = identifier.identify(
        [photo, table, photo.read_bytes(), Image.open(photo)]
    )
    assert from_file.file_sha256 == from_bytes.file_sha256 == sha256_of(photo)
    assert broken.status is Status.FAILED and broken.file_sha256 == sha256_of(table)
    assert from_pixels.file_sha256 is None
    assert before <= datetime.fromisoformat(from_file.identified_at) <= datetime.now().astimezone()
    assert from_file == replace(from_file, identified_at="2000-01-01T00:00:00+00:00")


def test_many_columns_are_named_in_linear_time() -> None:
    columns = [f"measurement {number}" for number in range(100_000)]
    started = time.process_time()
    assert carried_names(["path", *columns]) == ("input_path", *columns)
    assert time.process_time() - started < 5
    assert carried_names(["path", "input_path", " a  b ", ""]) == ("input_path", "input_input_path", "a b", "input_4")
