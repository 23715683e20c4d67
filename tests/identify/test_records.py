"""Records as text can be read back, contain nothing that spreadsheets evaluate, and are fully documented."""

import csv
import io
import re
from dataclasses import fields

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from leafid.errors import FailureReason
from leafid.identify import Candidate, LeafCheck, PlantPhoto, Record, Status, column_documentation
from leafid.identify.outputs.line_formats import JSONL, LineFormat, candidates_text, csv_format, parse_candidates
from leafid.identify.record_reading import record_from_dict
from leafid.identify.records import COLUMNS, record_to_dict, unicode_path
from leafid.tables import path_cell
from leafid.trust import UndeterminedReason

GIVEN = ("catalogNumber", "=n")
CSV = csv_format(GIVEN)
text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
probabilities = st.integers(0, 10_000).map(lambda number: number / 10_000)
candidate_lists = st.lists(st.builds(Candidate, text, probabilities), max_size=4).map(tuple)
records = st.builds(
    Record,
    path=text,
    status=st.sampled_from(Status),
    scientific_name=st.none() | text,
    taxon_rank=st.none() | st.sampled_from(["species", "genus"]),
    probability=st.none() | probabilities,
    target_probability=st.none() | probabilities,
    candidates=candidate_lists,
    prediction_set=candidate_lists,
    reason=st.none() | text,
    secondary_vein_pairs=st.none() | probabilities,
    base_form=st.none() | text,
    flora_sentence=st.none() | text,
    leaf_check=st.none() | st.sampled_from(LeafCheck).map(str),
    plant=st.none() | text,
    photos=st.lists(st.builds(PlantPhoto, text, st.none() | text, st.none() | text, probabilities), max_size=3).map(
        tuple
    ),
    photo_taken=st.none() | text,
    camera=st.none() | text,
    latitude=st.none() | st.floats(-90, 90),
    bundle=text,
    engine=st.none() | text,
    leafid_version=text,
    given=st.tuples(*(st.tuples(st.just(name), st.none() | text) for name in GIVEN)),
)


def _written(record: Record) -> Record:
    values = record_to_dict(record)
    values["path"] = path_cell(values["path"])
    return record_from_dict(values)


@given(records)
@example(
    Record(
        path="'a",
        status=Status.FAILED,
        reason="'=1",
        scientific_name="=cmd|x",
        bundle="b",
        leafid_version="1",
        given=(("catalogNumber", "'"), ("=n", "=1")),
    )
)
def test_csv_and_jsonl_give_back_the_record(record: Record) -> None:
    assert JSONL.record(JSONL.line(record)) == record
    assert CSV.record(CSV.line(record)) == _written(record)


@given(st.lists(records, max_size=5), st.sampled_from([CSV, JSONL]), st.data())
def test_a_file_cut_anywhere_gives_all_complete_records(
    parts: list[Record], lines: LineFormat, data: st.DataObject
) -> None:
    whole = [lines.line(record) for record in parts]
    content = b"".join(whole)
    cut = data.draw(st.integers(0, len(content)))
    found = list(lines.complete_records(io.BytesIO(content[:cut])))
    ends = [sum(map(len, whole[: n + 1])) for n in range(len(whole))]
    assert [end for _, end in found] == [end for end in ends if end <= cut]
    assert [part for part, _ in found] == whole[: len(found)]


@given(candidate_lists)
@example((Candidate("Rosa 0.1; x 3", 0.5), Candidate("Aus bus; Cus dus", 0.25)))
def test_candidates_are_readable_and_parseable(candidates: tuple[Candidate, ...]) -> None:
    assert parse_candidates(candidates_text(candidates)) == candidates


def test_other_text_is_not_parsed_as_candidates() -> None:
    for other in ("Rosa gallica", "Rosa gallica 0.5", "Rosa gallica 0.5000; "):
        with pytest.raises(ValueError, match="not a list of candidates"):
            parse_candidates(other)


def test_candidates_are_written_as_name_and_probability() -> None:
    candidates = (Candidate("Mitragyna speciosa", 0.91), Candidate("Coffea canephora", 0.05))
    assert candidates_text(candidates) == "Mitragyna speciosa 0.9100; Coffea canephora 0.0500"


@given(records)
def test_no_cell_is_evaluated_by_a_spreadsheet(record: Record) -> None:
    (row,) = csv.reader(io.StringIO(CSV.line(record).decode(), newline=""))
    text_cells = [
        cell for cell, column in zip(row, COLUMNS, strict=False) if column.value_type is not float
    ]  # -3.5 is a number
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in text_cells)


@given(st.binary(min_size=1, max_size=30))
def test_every_file_name_can_be_written(name: bytes) -> None:
    written = unicode_path(name.decode("utf-8", "surrogateescape"))
    assert written.encode("utf-8").decode("utf-8") == written
    assert unicode_path(written) == written


def test_undecodable_bytes_stay_visible() -> None:
    assert unicode_path(b"leaf\xff.jpg".decode("utf-8", "surrogateescape")) == r"leaf\xff.jpg"
    assert unicode_path("lone\ud800.jpg") == r"lone\ud800.jpg"


def test_every_column_and_every_code_is_documented() -> None:
    documentation = column_documentation()
    for field in fields(Record):
        assert f"| `{field.name}` |" in documentation or field.name == "given"
    assert "| further columns |" in documentation
    for code in (*FailureReason, *Status, *UndeterminedReason):
        assert f"`{code}`" in documentation


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"path": 5}, "path is no text"),
        ({"path": None}, "path is no text"),
        ({"status": "perhaps"}, "'perhaps' is not a valid Status"),
        ({"probability": "x"}, "probability is no number"),
        ({"probability": True}, "probability is no number"),
        ({"probability": float("nan")}, "probability is no number"),
        ({"probability": float("inf")}, "probability is no number"),
        ({"probability": 10**400}, "probability is no number"),
        ({"taxon_rank": [1]}, "taxon_rank is no text"),
        ({"caution": "x\ud800"}, "caution has letters that are none"),
        ({"candidates": "Rosa"}, "candidates is no list"),
        ({"candidates": ["Rosa"]}, "candidates holds something else than scientific_name, probability"),
        ({"candidates": [{"scientific_name": {}, "probability": 1}]}, "candidates: scientific_name is no text"),
        ({"candidates": [{"scientific_name": "Rosa", "probability": 1, "more": 1}]}, "candidates holds something else"),
        ({"candidates": [{"scientific_name": "Rosa"}]}, "missing 1 required positional argument: 'probability'"),
        ({"photos": [{"path": 5}]}, "photos: path is no text"),
        ({"note": 5}, "note is no text"),
        ({"note\ud800": "5"}, "a column has letters that are none"),
    ],
)
def test_values_of_a_stranger_that_make_no_record_are_named(change: dict[str, object], message: str) -> None:
    values = Record(path="a.jpg", status=Status.IDENTIFIED, bundle="b", leafid_version="1").to_dict()
    assert record_from_dict(values | {"probability": 1}).probability == 1.0
    with pytest.raises(ValueError, match=re.escape(message)):
        record_from_dict(values | change)
