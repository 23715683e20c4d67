"""No output contains the position of a photo unless the user asks for it."""

import base64
import io
import re
from datetime import date
from pathlib import Path

import pytest
from PIL import Image

from leafid.errors import OutputError
from leafid.identify import Identifier, identify_to_file, read_records, write_darwin_core, write_report
from tests.identify.small_bundle import TARGET, leaf
from tests.test_exif import PHONE

POSITION_MARKS = (b"3.51", b"114.75", b"GPS", b"Exif", b"back camera", b"\x00\x00\x00\x72\x00\x00\x00\x01")
"""The position as text, and bytes that any copy of the photo's EXIF would contain, such as 114 degrees."""


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "phone.jpg"
    leaf(TARGET, 1).save(path, exif=PHONE)
    assert POSITION_MARKS[-1] in path.read_bytes() or POSITION_MARKS[-1][::-1] in path.read_bytes()
    return path


def test_no_output_contains_the_position(identifier: Identifier, photo: Path, tmp_path: Path) -> None:
    outputs = [tmp_path / name for name in ("r.csv", "r.jsonl", "r.parquet", "rows.csv", "page.html")]
    for output in outputs[:3]:
        identify_to_file(identifier, [photo], output)
        (record,) = read_records(output)
        assert (record.photo_taken, record.camera) == ("2024-03-17T08:09:10+07:00", "Apple iPhone 15")
        assert record.latitude is None and record.longitude is None
    write_darwin_core([record], outputs[3], identifier.info.taxonomy)
    write_report([record], outputs[4], identifier.info, on=date(2026, 3, 1))
    contents = [output.read_bytes() for output in outputs]
    pictures = [base64.b64decode(found) for found in re.findall(rb"data:image/jpeg;base64,([\w+/=]+)", contents[-1])]
    assert pictures and all(not Image.open(io.BytesIO(picture)).getexif() for picture in pictures)
    for content in [*contents, *pictures]:
        assert not [mark for mark in POSITION_MARKS if mark in content or mark[::-1] in content]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_with_the_option_it_is_kept_and_not_mixed_with_records_without_it(
    identifier: Identifier, photo: Path, tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"results{ending}"
    identify_to_file(identifier, [photo], output, keep_location=True)
    (record,) = read_records(output)
    assert (record.latitude, record.longitude) == (-3.51, 114.755)
    with pytest.raises(OutputError, match=r"record 1: contains the position of its photo\. Add --keep-location"):
        identify_to_file(identifier, [photo, photo], output, existing="resume")
    identify_to_file(identifier, [photo, photo], output, existing="resume", keep_location=True)
    assert [record.latitude for record in read_records(output)] == [-3.51, -3.51]
