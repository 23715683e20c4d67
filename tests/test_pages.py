"""All pages of TIFF files are found without copies and masks, and a path can address one of them."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from leafid.errors import FailureReason, ImageError
from leafid.images import open_image
from leafid.pages import file_and_page, page_frames, page_path, pages_of_file

COLOURS = ((200, 60, 50), (60, 170, 70), (60, 70, 200))


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Three pages of one colour each, of growing width."""
    path = tmp_path / "scan.tif"
    pages = [Image.new("RGB", (40 + 10 * number, 40), colour) for number, colour in enumerate(COLOURS)]
    pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


def test_each_page_is_opened_by_its_path(scan: Path) -> None:
    assert pages_of_file(scan) == 3
    for number, colour in enumerate(COLOURS):
        opened = open_image(Path(page_path(scan, number + 1)), needed_side=20)
        assert opened.rgb.getpixel((5, 5)) == colour and opened.width == 40 + 10 * number and opened.pages == 3
    assert open_image(scan).rgb.getpixel((5, 5)) == COLOURS[0]


def test_a_missing_page_fails_with_a_reason(scan: Path, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    for path, detail in [
        (Path(f"{scan}#page=4"), "there is no page 4; the file has 3"),
        (tmp_path / "photo.png#page=1", "only TIFF files have pages"),
        (tmp_path / "gone.tif#page=1", "there is no such file"),
    ]:
        with pytest.raises(ImageError, match=detail) as failure:
            open_image(path)
        assert failure.value.reason is FailureReason.MISSING


def test_an_existing_file_of_that_name_takes_precedence(scan: Path) -> None:
    real = Path(f"{scan}#page=2")
    assert file_and_page(real) == (scan, 2)
    Image.new("RGB", (8, 8), "white").save(real, "PNG")
    assert file_and_page(real) == (real, None) and open_image(real).rgb.size == (8, 8)
    assert file_and_page(Path(f"{real}#page=1")) == (real, 1)


@pytest.mark.parametrize(
    "name", ["scan.tif#page=0", "scan.tif#page=", "scan.tif#page=+1", "scan.tif#page=1x", "#page=1"]
)
def test_other_names_are_not_pages(name: str) -> None:
    assert file_and_page(Path(name)) == (Path(name), None)


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_reduced_copies_and_masks_are_not_pages(tmp_path: Path, big: bool, order: str) -> None:
    path = tmp_path / "scan.tif"
    with tifffile.TiffWriter(path, bigtiff=big, byteorder=order) as writer:  # type: ignore[arg-type]
        for kind, value in [(1, 10), (0, 100), (4, 0), (0, 200), (1, 30)]:
            if kind == 4:
                writer.write(np.zeros((30, 40), bool), photometric="mask", subfiletype=kind)
            else:
                writer.write(np.full((30, 40, 3), value, np.uint8), photometric="rgb", subfiletype=kind)
    with path.open("rb") as opened:
        assert page_frames(opened) == (1, 3)
    if big and order == ">":
        return  # Pillow does not read these
    assert open_image(path).rgb.getpixel((3, 3)) == (100, 100, 100)
    assert open_image(Path(f"{path}#page=2")).rgb.getpixel((3, 3)) == (200, 200, 200)


@given(st.binary(max_size=200), st.sampled_from([b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0", b""]))
def test_any_bytes_have_at_least_one_page(content: bytes, start: bytes) -> None:
    assert len(page_frames(io.BytesIO(start + content))) >= 1


def test_cyclic_directories_end() -> None:
    content = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 0) + struct.pack("<I", 8)
    assert page_frames(io.BytesIO(content)) == (0,)
