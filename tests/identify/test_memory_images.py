"""Python programs identify paths, bytes, file objects, images of Pillow and arrays alike."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leafid.errors import ImageError, UsageError
from leafid.identify import Identifier, Record, Status
from tests.identify.small_bundle import TARGET, leaf


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a photo of the target, turned by its EXIF."""
    path = tmp_path_factory.mktemp("photo") / "leaf.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    leaf(TARGET).save(path, exif=exif)
    return path


def test_every_form_of_a_photo_has_the_same_record(identifier: Identifier, file: Path) -> None:
    with file.open("rb") as opened, Image.open(file) as image:
        pixels = np.asarray(Image.open(file).transpose(Image.Transpose.ROTATE_270))
        forms: list[Any] = [file, str(file), file.read_bytes(), opened, image, pixels, io.BytesIO(file.read_bytes())]
        records = list(identifier.identify(forms, batch_size=2, characters=True))
    assert [record.path for record in records] == [
        str(file),
        str(file),
        "image 3",
        *[str(file)] * 2,
        "image 6",
        "image 7",
    ]
    assert {record.scientific_name for record in records} == {TARGET}
    assert len({record.candidates for record in records}) == 1
    assert len({record.flora_sentence for record in records}) == 1


def test_what_is_no_image_is_a_failed_record(identifier: Identifier, file: Path) -> None:
    closed = file.open("rb")
    closed.close()
    truncated = Image.open(io.BytesIO(file.read_bytes()[:1500]))
    forms: list[Any] = [b"", b"no image", closed, truncated, np.zeros((2, 400, 3), np.uint8)]
    records: list[Record] = list(identifier.identify(forms))
    assert [record.status for record in records] == [Status.FAILED] * 5
    assert [record.reason_code for record in records] == [
        "empty",
        "not_an_image",
        "unreadable",
        "unreadable",
        "too_narrow",
    ]


@pytest.mark.parametrize(
    ("photo", "message"),
    [
        (np.zeros((9, 9), np.uint8), r"image 1 is an array of uint8 \(9, 9\)"),
        (np.zeros((9, 9, 3)), "image 1 is an array of float64"),
        (io.StringIO("text"), "opened as text"),
        (7, "image 1 is a int. Give a path, bytes"),
    ],
)
def test_other_types_are_refused(identifier: Identifier, photo: Any, message: str) -> None:  # noqa: ANN401
    with pytest.raises(UsageError, match=message):
        list(identifier.identify([photo]))


@pytest.mark.parametrize(
    "photo", ["leaf.jpg", b"bytes", np.zeros((9, 9, 3), np.uint8), io.BytesIO(b"x"), Image.new("L", (9, 9))]
)
def test_a_single_photo_instead_of_a_list_is_refused(identifier: Identifier, photo: Any) -> None:  # noqa: ANN401
    for function in (identifier.identify, identifier.identify_plant, identifier.embed):
        with pytest.raises(UsageError, match="takes a list of photos"):
            function(photo)


def test_embeddings_are_those_that_are_compared(identifier: Identifier, file: Path) -> None:
    rows = identifier.embed([file, leaf("Coffea canephora")])
    assert rows.dtype == np.float32 and rows.shape == (2, 1024)
    scale = np.abs(rows).max()  # the small network's features are tiny
    assert np.allclose(identifier.embed([file]), rows[:1], atol=1e-4 * scale)
    assert not np.allclose(rows[0], rows[1], atol=1e-2 * scale)
    with pytest.raises(ImageError, match=r"gone\.jpg: there is no such file"):
        identifier.embed([file, "gone.jpg"])
    with pytest.raises(UsageError, match="at least one photo"):
        identifier.embed([])
