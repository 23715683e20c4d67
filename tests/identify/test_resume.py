"""Resuming with other options than before is refused if the records show the difference."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from pyarrow import parquet

from leafid.errors import OutputError
from leafid.files import Existing
from leafid.identify import Identifier, Record, Status, identify_to_file, read_records, watch_folder, write_report
from leafid.identify.outputs.writers import open_output
from leafid.identify.record_reading import RENAMED_COLUMNS
from leafid.identify.records import CitedSpecimen
from tests.identify.small_bundle import COLOURS

CITED = CitedSpecimen(next(iter(COLOURS)), 0.5, "i1")


def _write(output: Path, *records: Record) -> Path:
    with open_output(output) as writer:
        writer.write(records)
    return output


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"engine": "openvino-int8"}, "identified with openvino-int8, not with torch. Add --engine openvino-int8"),
        ({"specimens": (CITED, CITED)}, "cites 2 specimens for a candidate. Add --references 2"),
        ({"flora_sentence": "5 pairs"}, "was written with leaf characters. Add --characters"),
        ({"latitude": 1.0}, "contains the position of its photo. Add --keep-location"),
        ({"bundle": "other@1"}, "identified by the bundle other@1"),
    ],
)
def test_incompatible_records_are_not_mixed(
    identifier: Identifier, photos: list[Path], tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    first, second = identifier.identify(photos[:2])
    output = _write(tmp_path / "results.jsonl", first, replace(second, **changed))  # type: ignore[arg-type]
    with pytest.raises(OutputError, match=f"record 2: {message}"):
        identify_to_file(identifier, photos[:3], output, existing="resume")
    with pytest.raises(OutputError, match=f"record 2: {message}"):
        watch_folder(identifier, tmp_path, output)


def test_missing_specimens_are_noticed(identifier: Identifier, photos: list[Path], tmp_path: Path) -> None:
    output = _write(tmp_path / "results.csv", *identifier.identify(photos[:1]))
    with pytest.raises(OutputError, match=r"record 1: cites no specimens .* Leave out --references"):
        identify_to_file(replace(identifier, references_per_candidate=1), photos[:2], output, existing="resume")


def test_engines_with_equal_output_continue_each_others_results(
    identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    first, failed = identifier.identify([photos[0], photos[100]])
    assert first.engine == "torch" and failed.engine is None
    output = _write(tmp_path / "results.csv", replace(first, engine="onnx"), failed)
    identify_to_file(identifier, [photos[0], photos[100], photos[1]], output, existing="resume")
    assert [record.engine for record in read_records(output)] == ["onnx", None, "torch"]


def _rename_to_old_columns(output: Path) -> None:
    """Turn a result into one of an earlier version, in which probabilities were called scores."""
    if output.suffix == ".parquet":
        old = {new: name for name, new in RENAMED_COLUMNS.items()}
        table = parquet.read_table(output)
        parquet.write_table(table.rename_columns([old.get(name, name) for name in table.column_names]), output)
    elif output.suffix == ".jsonl":
        output.write_text(output.read_text().replace('probability"', 'score"'))
    else:
        header, rest = output.read_text().split("\n", 1)
        output.write_text(header.replace("probability", "score") + "\n" + rest)


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_result_with_old_columns_names_the_new_ones(
    identifier: Identifier, photos: list[Path], tmp_path: Path, ending: str
) -> None:
    output = _write(tmp_path / f"results{ending}", *identifier.identify(photos[:2]))
    _rename_to_old_columns(output)
    before = output.read_bytes()
    message = (
        f"{re.escape(str(output))} was written by an earlier leafid: column score is now probability, column "
        r"target_score is now target_probability\. Identify the images again into another file\."
    )
    existing: Existing
    for existing in ("resume", "replace"):
        with pytest.raises(OutputError, match=message):
            identify_to_file(identifier, photos[:3], output, existing=existing)
    with pytest.raises(OutputError, match=message):
        write_report(read_records(output), tmp_path / "report.html", identifier.info, on=date(2026, 3, 1))
    if ending != ".parquet":
        with pytest.raises(OutputError, match=message):
            watch_folder(identifier, tmp_path, output)
    assert output.read_bytes() == before and not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("name", ["results.csv", "results.jsonl"])
def test_failed_images_are_tried_again_on_request(
    identifier: Identifier, photos: list[Path], tmp_path: Path, name: str
) -> None:
    late = tmp_path / "late.png"
    paths = [late, photos[0], tmp_path / "never.png"]
    identify_to_file(identifier, paths, tmp_path / name)
    late.write_bytes(photos[1].read_bytes())
    identify_to_file(identifier, paths, tmp_path / name, existing="resume")
    assert [record.status for record in read_records(tmp_path / name)].count(Status.FAILED) == 2
    summary = identify_to_file(identifier, paths, tmp_path / name, existing="resume", retry_failed=True)
    found = {record.path: record.status for record in read_records(tmp_path / name)}
    assert len(found) == summary.images == 3 and found[str(late)] is not Status.FAILED
    assert found[str(tmp_path / "never.png")] is Status.FAILED
    assert not list(tmp_path.glob(".*"))


def test_a_result_of_another_bundle_keeps_its_failed_records(
    identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    (failed,) = identifier.identify([tmp_path / "gone.png"])
    output = _write(tmp_path / "results.csv", replace(failed, bundle="other@1"))
    before = output.read_bytes()
    with pytest.raises(OutputError, match="identified by the bundle other@1"):
        identify_to_file(identifier, [tmp_path / "gone.png"], output, existing="resume", retry_failed=True)
    assert output.read_bytes() == before
