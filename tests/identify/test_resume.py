"""Going on with a result whose records were made with other options is refused, where the records tell."""

from dataclasses import replace
from pathlib import Path

import pytest

from leafid.errors import OutputError
from leafid.identify import Identifier, Record, identify_to_file, read_records, watch_folder
from leafid.identify.outputs.writers import open_output
from leafid.identify.records import CitedSpecimen
from tests.identify.small_bundle import COLOURS

CITED = CitedSpecimen(next(iter(COLOURS)), 0.5, "i1")


def _left(output: Path, *records: Record) -> Path:
    with open_output(output) as writer:
        writer.write(records)
    return output


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"engine": "openvino-int8"}, "answered with openvino-int8, not with torch. Add --engine openvino-int8"),
        ({"specimens": (CITED, CITED)}, "cites 2 specimens for a candidate. Add --references 2"),
        ({"flora_sentence": "5 pairs"}, "was written with leaf characters. Add --characters"),
        ({"latitude": 1.0}, "holds the position of its photo. Add --keep-location"),
        ({"bundle": "other@1"}, "answered by the bundle other@1"),
    ],
)
def test_records_made_otherwise_are_not_mixed(
    identifier: Identifier, photos: list[Path], tmp_path: Path, changed: dict[str, object], message: str
) -> None:
    first, second = identifier.identify(photos[:2])
    output = _left(tmp_path / "results.jsonl", first, replace(second, **changed))  # type: ignore[arg-type]
    with pytest.raises(OutputError, match=f"record 2: {message}"):
        identify_to_file(identifier, photos[:3], output, existing="resume")
    with pytest.raises(OutputError, match=f"record 2: {message}"):
        watch_folder(identifier, tmp_path, output)


def test_specimens_that_are_missing_are_noticed(identifier: Identifier, photos: list[Path], tmp_path: Path) -> None:
    output = _left(tmp_path / "results.csv", *identifier.identify(photos[:1]))
    with pytest.raises(OutputError, match=r"record 1: cites no specimens .* Leave out --references"):
        identify_to_file(replace(identifier, references_per_candidate=1), photos[:2], output, existing="resume")


def test_engines_that_answer_alike_go_on_with_each_other(
    identifier: Identifier, photos: list[Path], tmp_path: Path
) -> None:
    first, failed = identifier.identify([photos[0], photos[100]])
    assert first.engine == "torch" and failed.engine is None
    output = _left(tmp_path / "results.csv", replace(first, engine="onnx"), failed)
    identify_to_file(identifier, [photos[0], photos[100], photos[1]], output, existing="resume")
    assert [record.engine for record in read_records(output)] == ["onnx", None, "torch"]
