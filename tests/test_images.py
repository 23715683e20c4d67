"""Every image mode becomes upright RGB, every unreadable file has a coded reason, and no file blocks."""

import io
import random
import socket
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from leafid.errors import FailureReason, ImageError
from leafid.images import open_image
from tests.identify.bad_files import BAD_KINDS, write_bad_files

GREEN = (60, 170, 70)


def _halves(size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Green with a black left quarter, to detect rotation."""
    image = Image.new("RGB", size, GREEN)
    image.paste((0, 0, 0), (0, 0, size[0] // 4, size[1]))
    return image


def _near(image: Image.Image, place: tuple[int, int], colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return bool(np.abs(np.array(image.getpixel(place)) - np.array(colour)).max() <= tolerance)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.jpg", {}),
        ("progressive.jpg", {"progressive": True}),
        ("plain.png", {}),
        ("lossless.webp", {"lossless": True}),
        ("compressed.tif", {"compression": "tiff_lzw"}),
        ("bitmap.bmp", {}),
        ("phone.heic", {}),
        ("phone.avif", {}),
        ("scan.jp2", {}),
    ],
)
def test_formats(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    _halves().save(tmp_path / name, **options)
    opened = open_image(tmp_path / name)
    assert (opened.rgb.mode, opened.rgb.size, opened.width, opened.height) == ("RGB", (60, 40), 60, 40)
    assert _near(opened.rgb, (40, 20), GREEN) and _near(opened.rgb, (4, 20), (0, 0, 0))


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "RGBA", "CMYK", "I;16", "I", "F"])
def test_modes_keep_their_brightness(tmp_path: Path, mode: str) -> None:
    grey = np.full((40, 60), 180, dtype=np.uint8)
    grey[:, :15] = 0
    match mode:
        case "I;16":
            image = Image.fromarray(grey.astype(np.uint16) * 257)
        case "I":
            image = Image.fromarray(grey.astype(np.int32) * 257)
        case "F":
            image = Image.fromarray((grey / 255).astype(np.float32))
        case _:
            image = Image.fromarray(grey).convert("RGB").convert(mode)
    image.save(tmp_path / "image.tif")
    rgb = open_image(tmp_path / "image.tif").rgb
    assert rgb.mode == "RGB"
    bright = np.asarray(rgb)[5:35, 25:55].mean()
    assert abs(bright - 180) < (20 if mode == "1" else 6)  # dithered
    assert np.asarray(rgb)[5:35, 2:12].mean() < 6


def test_a_dark_sixteen_bit_scan_stays_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 60), 200, dtype=np.uint16)).save(tmp_path / "dark.png")
    assert np.asarray(open_image(tmp_path / "dark.png").rgb).max() <= 1


def test_transparent_becomes_white_paper(tmp_path: Path) -> None:
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    image.paste((*GREEN, 255), (30, 0, 60, 40))
    image.save(tmp_path / "cut_out.png")
    rgb = open_image(tmp_path / "cut_out.png").rgb
    assert rgb.getpixel((5, 20)) == (255, 255, 255) and rgb.getpixel((45, 20)) == GREEN
    image.convert("P").save(tmp_path / "palette.gif", transparency=image.convert("P").getpixel((5, 5)))
    assert open_image(tmp_path / "palette.gif").rgb.getpixel((5, 20)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("orientation", "black"), [(1, (2, 20)), (2, (57, 20)), (3, (57, 20)), (6, (20, 2)), (8, (20, 57)), (5, (20, 2))]
)
@pytest.mark.parametrize("ending", [".jpg", ".png", ".tif"])
def test_exif_orientation(tmp_path: Path, orientation: int, black: tuple[int, int], ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    _halves().save(tmp_path / f"photo{ending}", exif=exif)
    opened = open_image(tmp_path / f"photo{ending}")
    assert _near(opened.rgb, black, (0, 0, 0))
    assert (opened.width, opened.height) == opened.rgb.size == ((60, 40) if orientation < 5 else (40, 60))


def test_reduced_decoding_keeps_the_needed_side_and_reports_the_full_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    _halves((1600, 1200)).save(tmp_path / "large.jpg", exif=exif)
    opened = open_image(tmp_path / "large.jpg", needed_side=224)
    assert (opened.width, opened.height) == (1200, 1600)
    assert 224 <= min(opened.rgb.size) < 600


@pytest.mark.parametrize(("resolutions", "shorter_side"), [(6, 250), (2, 600), (1, 1200)])
def test_jpeg_2000_is_decoded_as_small_as_its_file_allows(tmp_path: Path, resolutions: int, shorter_side: int) -> None:
    _halves((1600, 1200)).save(tmp_path / "scan.jp2", num_resolutions=resolutions)
    opened = open_image(tmp_path / "scan.jp2", needed_side=150)
    assert (opened.width, opened.height) == (1600, 1200)
    assert 150 <= min(opened.rgb.size) <= shorter_side
    assert _near(opened.rgb, (opened.rgb.width // 2, 50), GREEN)


@pytest.mark.parametrize("name", ["scan.png", "scan.tif"])
def test_sixteen_bits_of_colour_become_eight(tmp_path: Path, name: str) -> None:
    cv2.imwrite(str(tmp_path / name), np.full((40, 60, 3), [70 * 257, 170 * 257, 60 * 257], dtype=np.uint16))
    assert _near(open_image(tmp_path / name).rgb, (30, 20), GREEN, tolerance=1)


def test_a_broken_colour_profile_is_not_a_failure(tmp_path: Path) -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    for profile in (b"not a profile at all", lab):
        _halves().save(tmp_path / "photo.png", icc_profile=profile)
        assert open_image(tmp_path / "photo.png").rgb.size == (60, 40)


def test_first_page_and_number_of_pages(tmp_path: Path) -> None:
    _halves().save(tmp_path / "pages.tif", save_all=True, append_images=[Image.new("RGB", (10, 10))] * 2)
    opened = open_image(tmp_path / "pages.tif")
    assert opened.pages == 3 and opened.rgb.size == (60, 40)


@pytest.mark.timeout(20)
def test_bad_files_fail_with_their_reason(tmp_path: Path) -> None:
    write_bad_files(tmp_path)
    for name, reason in BAD_KINDS.items():
        if reason is FailureReason.NO_PERMISSION:
            continue  # needs another user than root: see tests/identify/test_bad_files.py
        with pytest.raises(ImageError) as failure:
            open_image(tmp_path / name, needed_side=224)
        assert failure.value.reason is reason, name
        assert failure.value.detail


@pytest.mark.parametrize("form", ["EPS", "PDF", "ICO"])
def test_formats_that_run_programs_or_are_not_photos_are_refused(tmp_path: Path, form: str) -> None:
    _halves().save(tmp_path / "photo.jpg", form)
    with pytest.raises(ImageError) as failure:
        open_image(tmp_path / "photo.jpg")
    assert failure.value.reason is FailureReason.NOT_AN_IMAGE


def test_a_socket_and_a_path_through_a_file_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.jpg")
        (tmp_path / "file").touch()
        for name, reason in [("socket.jpg", "not_a_file"), ("file/x.jpg", "missing"), ("nul\0.jpg", "unreadable")]:
            with pytest.raises(ImageError) as failure:
                open_image(Path(name))
            assert failure.value.reason == reason, name


def test_size_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _halves().save(tmp_path / "image.png")
    with pytest.raises(ImageError, match="60 x 40 pixels"):
        open_image(tmp_path / "image.png", max_pixels=2399)
    open_image(tmp_path / "image.png", max_pixels=2400)
    with (tmp_path / "huge.tif").open("wb") as sparse:
        sparse.truncate(3_000_000_000)
    with pytest.raises(ImageError, match=r"3\.0 GB; the limit is 2 GB") as failure:
        open_image(tmp_path / "huge.tif")
    assert failure.value.reason is FailureReason.TOO_LARGE


@pytest.mark.parametrize("ending", [".jpg", ".tif", ".webp", ".jp2", ".gif", ".bmp", ".avif", ".heic"])
def test_half_a_file_is_never_padded(tmp_path: Path, ending: str) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    grain = np.random.default_rng(0).integers(0, 255, (80, 120, 3), dtype=np.uint8)
    Image.fromarray(grain).save(tmp_path / f"whole{ending}")
    content = (tmp_path / f"whole{ending}").read_bytes()
    (tmp_path / f"half{ending}").write_bytes(content[: len(content) // 2])
    with pytest.raises(ImageError) as failure:
        open_image(tmp_path / f"half{ending}")
    assert failure.value.reason in (FailureReason.TRUNCATED, FailureReason.UNREADABLE, FailureReason.NOT_AN_IMAGE)


def _samples() -> list[bytes]:
    import pillow_heif

    pillow_heif.register_heif_opener()
    contents = []
    for form, options in [
        ("JPEG", {}),
        ("PNG", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
        ("WEBP", {}),
        ("GIF", {}),
    ] + [(form, {}) for form in ("HEIF", "AVIF", "JPEG2000", "PPM")]:
        content = io.BytesIO()
        _halves().save(content, form, **options)
        contents.append(content.getvalue())
    return contents


SAMPLES = _samples()


@pytest.mark.filterwarnings("ignore::UserWarning")
@given(st.integers(0, 10**9))
def test_damaged_bytes_give_an_image_or_an_image_error(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    chance = random.Random(seed)
    path = tmp_path_factory.mktemp("damaged") / "damaged.jpg"
    for sample in SAMPLES:
        content = bytearray(sample)
        for _ in range(chance.choice([1, 4, 16])):
            content[chance.randrange(min(len(content), chance.choice([64, 4000])))] = chance.randrange(256)
        path.write_bytes(content)
        try:
            assert open_image(path, needed_side=32).rgb.mode == "RGB"
        except ImageError as failure:
            assert failure.detail
