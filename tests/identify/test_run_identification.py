"""Runs into files: an interruption loses or doubles no record, and resuming completes the same file."""

import os
import random
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from leafid.errors import ExitCode, FailureReason, OutputError
from leafid.files import Existing
from leafid.identify import Identifier, Record, Status, identify_to_file, identify_to_list, read_records
from leafid.identify.outputs.line_formats import parse_candidates
from tests.identify.bad_files import BAD_KINDS, write_bad_files
from tests.identify.processes import agree, reach, start, stopped
from tests.identify.small_bundle import COLOURS, leaf, make_bundle

FORMATS = (".csv", ".jsonl", ".parquet")


@pytest.mark.parametrize("ending", FORMATS)
def test_formats_hold_the_same_records(
    identifier: Identifier, photos: list[Path], expected: list[Record], tmp_path: Path, ending: str
) -> None:
    progress: list[tuple[int, int]] = []
    output = tmp_path / "new" / f"results{ending}"
    summary = identify_to_file(
        identifier, photos, output, batch_size=50, on_progress=lambda done, total: progress.append((done, total))
    )
    agree(list(read_records(output)), expected)
    assert progress == [(50, 240), (100, 240), (150, 240), (200, 240), (240, 240)]
    assert summary.statuses == {one: sum(record.status is one for record in expected) for one in Status}
    assert summary.statuses[Status.FAILED] == 1 and summary.reasons["not_an_image"] == 1
    assert summary.images == 240 and summary.resumed == 0 and summary.images_per_second > 0
    assert summary.exit_code is ExitCode.SOME_FAILED
    assert sorted(path.name for path in output.parent.iterdir()) == [output.name]


def test_pandas_reads_the_results(identifier: Identifier, photos: list[Path], tmp_path: Path) -> None:
    frames = {}
    for ending in FORMATS:
        identify_to_file(identifier, photos, tmp_path / f"results{ending}")
    frames["csv"] = pd.read_csv(tmp_path / "results.csv")
    frames["jsonl"] = pd.read_json(tmp_path / "results.jsonl", lines=True)
    frames["parquet"] = pd.read_parquet(tmp_path / "results.parquet")
    for frame in frames.values():
        assert list(frame["path"]) == [str(path) for path in photos]
        assert int(frame["probability"].isna().sum()) == 1
    first = frames["parquet"]["candidates"].iloc[0][0]
    assert first["scientific_name"] == frames["jsonl"]["candidates"].iloc[0][0]["scientific_name"]
    assert parse_candidates(frames["csv"]["candidates"].iloc[0])[0].scientific_name == first["scientific_name"]


def test_an_existing_output_is_neither_overwritten_nor_mixed(
    identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    for ending in FORMATS:
        output = tmp_path / f"results{ending}"
        identify_to_file(identifier, photos[:5], output)
        before = output.read_bytes()
        with pytest.raises(OutputError, match=r"already exists\. Add --resume to continue it, or --force"):
            identify_to_file(identifier, photos[:6], output)
        with pytest.raises(OutputError, match=r"record 5: .* is not, or not as often, among the images named now"):
            identify_to_file(identifier, photos[:4], output, existing="resume")
        assert output.read_bytes() == before
        identify_to_file(identifier, photos[2:4], output, existing="replace")
        assert [record.path for record in read_records(output)] == [str(path) for path in photos[2:4]]


def test_resuming_adds_new_photos_and_files_named_twice(
    identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    for ending in FORMATS:
        output = tmp_path / f"results{ending}"
        identify_to_file(identifier, photos[2:6], output, existing="resume")
        named = [*photos[:8], photos[4], photos[4]]
        summary = identify_to_file(identifier, named, output, existing="resume")
        assert summary.images == 10 and summary.resumed == 4
        written = [record.path for record in read_records(output)]
        assert sorted(written) == sorted(map(str, named))
        again = identify_to_file(identifier, named, output, existing="resume")
        assert again.resumed == again.images == 10 and again.images_per_second == 0


def test_resuming_with_another_bundle_is_refused(identifier: Identifier, photos: list[Path], tmp_path: Path) -> None:
    identify_to_file(identifier, photos[:3], tmp_path / "results.csv")
    other = Identifier.load(make_bundle(tmp_path / "bundle", name="other").folder, device="cpu")
    with pytest.raises(OutputError, match="identified by the bundle colours@"):
        identify_to_file(other, photos[:5], tmp_path / "results.csv", existing="resume")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("list.csv", "path,scientificName\na.jpg,x"),
        ("list.jsonl", '{"name": 1}'),
        ("list.jsonl", '{"path": 1}\n'),
        ("list.parquet", "not parquet"),
    ],
)
def test_files_that_are_not_results_are_not_changed(
    identifier: Identifier, tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    existing: Existing
    for existing in ("resume", "replace"):
        with pytest.raises(OutputError, match="is not a result of this leafid"):
            identify_to_file(identifier, [tmp_path / "a.jpg"], tmp_path / name, existing=existing)
        assert (tmp_path / name).read_text() == content
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_unusable_outputs_are_refused(identifier: Identifier, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    for name, message in [
        ("results.ods", r"ends in .csv, .jsonl or .parquet"),
        ("results.xlsx", r"Name both: -o .*results\.csv --spreadsheet .*results\.xlsx"),
        ("folder.csv", "is a folder"),
        ("file/results.csv", "cannot be written"),
    ]:
        with pytest.raises(OutputError, match=message):
            identify_to_file(identifier, [], tmp_path / name)


def test_a_full_disk_is_reported(identifier: Identifier, photos: list[Path]) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full, which only Linux has")
    from leafid.identify.outputs.line_files import RecordWriter
    from leafid.identify.outputs.line_formats import JSONL

    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OutputError, match="continue with --resume"):
        RecordWriter(full, JSONL).write(list(identifier.identify(photos[:2])))


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_cut_anywhere_is_completed(
    identifier: Identifier, photos: list[Path], tmp_path: Path, ending: str
) -> None:
    named = [*photos[3:12], photos[100]]
    whole = tmp_path / f"whole{'.csv' if ending == '.csv' else '.jsonl'}"
    identify_to_file(identifier, named, whole)
    content = whole.read_bytes()
    output = tmp_path / f"results{ending}"
    chance = random.Random(ending)
    for cut in [0, 1, len(content) - 1, len(content), *(chance.randrange(len(content)) for _ in range(20))]:
        for file in tmp_path.glob("results*"):
            file.unlink()
        torn = output if ending != ".parquet" else tmp_path / "results.parquet.journal.jsonl"
        torn.write_bytes(content[:cut])
        summary = identify_to_file(identifier, named, output, existing="resume")
        assert [record.path for record in read_records(output)] == [str(path) for path in named], cut
        assert summary.images == len(named)
        if ending == ".csv":
            assert output.read_bytes().split(b"\n")[0] == content.split(b"\n")[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([whole.name, output.name])


@pytest.mark.parametrize("ending", FORMATS)
def test_ctrl_c_keeps_all_finished_rows(
    bundle_folder: Path, photos: list[Path], expected: list[Record], tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"results{ending}"
    inputs = [str(path) for path in photos]
    process = start(bundle_folder, inputs, output, "refuse")
    reach(process, output, 20)
    assert stopped(process, signal.SIGINT) == 1
    finished = list(read_records(output))
    assert 20 <= len(finished) < len(photos)
    agree(finished, expected[: len(finished)])


def test_two_runs_do_not_write_to_one_file(
    bundle_folder: Path, identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    output = tmp_path / "results.jsonl"
    process = start(bundle_folder, [str(path) for path in photos], output, "refuse")
    reach(process, output, 4)
    with pytest.raises(OutputError, match="being written by another leafid process"):
        identify_to_file(identifier, photos, output, existing="resume")
    stopped(process, signal.SIGKILL)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user of the machine can open."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
        yield Path(name)


def test_two_hundred_good_images_and_one_of_each_bad_kind(bundle_folder: Path, open_folder: Path) -> None:
    folder = open_folder / "photos"
    folder.mkdir()
    for number in range(200):
        leaf(list(COLOURS)[number % 3], number).save(folder / f"good {number:03}.jpg")
    write_bad_files(folder)
    (folder / "notes.txt").touch()
    (folder / "locked").mkdir(mode=0)
    process = start(bundle_folder, [str(folder)], open_folder / "results.csv", "refuse", user="nobody")
    process.join(240)
    assert process.exitcode == ExitCode.SOME_FAILED
    records = list(read_records(open_folder / "results.csv"))
    good = [record for record in records if Path(record.path).name.startswith("good")]
    assert len(good) == 200 and all(record.status is Status.IDENTIFIED for record in good)
    failed = {Path(record.path).name: record.reason_code for record in records if record.status is Status.FAILED}
    assert failed == BAD_KINDS | {"locked": FailureReason.NO_PERMISSION}
    assert len(records) == 200 + len(BAD_KINDS) + 1
    (folder / "locked").chmod(0o700)


def test_undecodable_names_survive(identifier: Identifier, tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"leaf\xff.jpg")
    leaf(next(iter(COLOURS)), 1).save(name, "JPEG")
    for ending in FORMATS:
        output = tmp_path / f"results{ending}"
        for _ in range(2):
            identify_to_file(identifier, [name, name], output, existing="resume")
        assert [record.path for record in read_records(output)] == [rf"{tmp_path}/leaf\xff.jpg"] * 2


def test_a_list_of_records_and_its_summary(identifier: Identifier, photos: list[Path]) -> None:
    records, summary = identify_to_list(identifier, photos[:6])
    assert [record.path for record in records] == [str(path) for path in photos[:6]]
    assert summary.images == 6 and summary.exit_code is ExitCode.OK
    assert summary.taxa == dict.fromkeys(COLOURS, 2)
