"""Kinds of image files that other programs write: every depth and colour space, damage that decoders hide, metadata."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import tifffile
from PIL import ExifTags, Image, ImageCms

from leafid.errors import FailureReason, ImageError
from leafid.images import FORMATS, IMAGE_EXTENSIONS, open_image
from leafid.images.colour_space import ADOBE_GAMMA, ADOBE_RGB, SRGB, matrix_profile

GREEN = (60, 170, 70)
ADOBE_GREEN = (107, 169, 79)  # the same colour in Adobe RGB
LINEAR_GREEN = (11, 103, 16)  # and in linear light
P3_GREEN = (93, 168, 82)


def _near(path: Path, colour: tuple[int, int, int], tolerance: int = 3) -> bool:
    rgb = open_image(path).rgb
    pixel = np.asarray(rgb, dtype=int)[rgb.height // 2, rgb.width // 2]
    return bool(np.abs(pixel - np.array(colour)).max() <= tolerance)


def _failure(path: Path) -> ImageError:
    with pytest.raises(ImageError) as failure:
        open_image(path)
    return failure.value


def _jpeg(**options: Any) -> bytes:  # noqa: ANN401 -- options of Pillow
    grain = np.random.default_rng(0).integers(100, 160, (120, 90, 3), dtype=np.uint8)
    content = io.BytesIO()
    Image.fromarray(grain).save(content, "JPEG", quality=90, **options)
    return content.getvalue()


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("needed_side", [None, 20])
def test_damage_inside_a_jpeg_is_seen(tmp_path: Path, progressive: bool, needed_side: int | None) -> None:
    whole = _jpeg(progressive=progressive)
    third = len(whole) // 3
    damaged = {
        "cut": whole[:third] + b"\xff\xd9",
        "zeros": whole[:third] + bytes(400) + whole[third + 400 :],
        "zeros to the end": whole[:third] + bytes(len(whole) - third - 2) + b"\xff\xd9",
        "a piece is missing": whole[:third] + whole[third + 500 :],
    }
    for name, content in damaged.items():
        (tmp_path / "photo.jpg").write_bytes(content)
        with pytest.raises(ImageError) as failure:
            open_image(tmp_path / "photo.jpg", needed_side=needed_side)
        assert failure.value.reason is FailureReason.DAMAGED, name
    (tmp_path / "photo.jpg").write_bytes(whole + b"a video may follow")
    assert open_image(tmp_path / "photo.jpg").rgb.size == (90, 120)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_jpeg_pixels_are_those_of_pillow(tmp_path: Path, mode: str) -> None:
    grain = Image.open(io.BytesIO(_jpeg())).resize((333, 257)).convert(mode)
    grain.save(tmp_path / "photo.jpg")
    with Image.open(tmp_path / "photo.jpg") as expected:
        assert np.array_equal(np.asarray(open_image(tmp_path / "photo.jpg").rgb), np.asarray(expected.convert("RGB")))
    with Image.open(tmp_path / "photo.jpg") as expected:
        expected.draft(None, (333 // 4, 257 // 4))
        reduced = open_image(tmp_path / "photo.jpg", needed_side=60).rgb
        assert np.array_equal(np.asarray(reduced), np.asarray(expected.convert("RGB")))


@pytest.mark.timeout(20)
def test_a_jpeg_with_thousands_of_scans_is_refused(tmp_path: Path) -> None:
    content = _jpeg(progressive=True)
    last = content.rindex(b"\xff\xda")
    (tmp_path / "photo.jpg").write_bytes(content[:last] + content[last:-2] * 3000 + b"\xff\xd9")
    assert "scans; the limit" in _failure(tmp_path / "photo.jpg").detail


@pytest.mark.parametrize("size", [(5000, 2), (1, 2049), (60, 1)])
def test_a_strip_too_narrow_for_a_leaf_is_refused_in_words(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "strip.png")
    assert _failure(tmp_path / "strip.png").reason is FailureReason.TOO_NARROW


@pytest.mark.parametrize(
    ("kind", "top", "photometric"),
    [
        (np.uint8, 255, "miniswhite"),
        (np.uint16, 65535, "miniswhite"),
        (np.float32, 1.0, "miniswhite"),
        (np.uint32, 2**32 - 1, "miniswhite"),
        (np.uint32, 2**32 - 1, "minisblack"),
        (np.uint32, 65535, "minisblack"),
        (np.float16, 1.0, "minisblack"),
        (np.float64, 1.0, "minisblack"),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_grey_of_every_depth_keeps_its_brightness(
    tmp_path: Path, kind: type, top: float, photometric: str, order: Literal["<", ">"]
) -> None:
    grey = np.full((40, 30), 180 / 255)
    grey[:20] = 1.0
    values = 1 - grey if photometric == "miniswhite" else grey
    tifffile.imwrite(tmp_path / "grey.tif", (values * top).astype(kind), photometric=photometric, byteorder=order)
    rgb = np.asarray(open_image(tmp_path / "grey.tif").rgb)
    assert abs(int(rgb[30, 15, 0]) - 180) <= 1 and rgb[5, 15, 0] >= 254


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda path: tifffile.imwrite(path, _colour(np.float32, 1), photometric="rgb"), GREEN),
        (lambda path: tifffile.imwrite(path, _colour(np.float32, 1), photometric="rgb", compression="zlib"), GREEN),
        (lambda path: tifffile.imwrite(path, _colour(np.uint32, 2**32 - 1), photometric="rgb"), GREEN),
        (
            lambda path: tifffile.imwrite(
                path, np.moveaxis(_colour(np.uint16, 65535), 2, 0), photometric="rgb", planarconfig="separate"
            ),
            GREEN,
        ),
        (
            lambda path: tifffile.imwrite(
                path,
                np.dstack([np.full((40, 30), 180 * 257), np.full((40, 30), 65535)]).astype(np.uint16),
                photometric="minisblack",
                extrasamples=["unassalpha"],
            ),
            (180, 180, 180),
        ),
    ],
)
def test_tiff_kinds_that_pillow_does_not_open(
    tmp_path: Path, write: Callable[[Path], None], expected: tuple[int, int, int]
) -> None:
    write(tmp_path / "image.tif")
    assert _near(tmp_path / "image.tif", expected, tolerance=1)


def _colour(kind: type, top: float) -> np.ndarray[Any, Any]:
    return (np.full((40, 30, 3), GREEN) / 255 * top).astype(kind)


def test_unreadable_tiff_files_fail_with_the_true_reason(tmp_path: Path) -> None:
    content = io.BytesIO()
    Image.new("L", (300, 400), 180).save(content, "TIFF", compression="tiff_lzw")
    half = content.tell() // 2
    (tmp_path / "lost.tif").write_bytes(content.getvalue()[:half] + bytes(half))
    failure = _failure(tmp_path / "lost.tif")
    assert failure.reason is FailureReason.DAMAGED and "directory" in failure.detail
    tifffile.imwrite(tmp_path / "complex.tif", np.ones((40, 30), np.complex64))
    failure = _failure(tmp_path / "complex.tif")
    assert failure.reason is FailureReason.UNSUPPORTED and "64-bit complex numbers" in failure.detail


@pytest.mark.parametrize("ending", [".png", ".jpg", ".tif", ".webp"])
def test_a_profile_is_applied_whatever_its_name(tmp_path: Path, ending: str) -> None:
    linear = matrix_profile(SRGB, 1.0).replace(b"leafid", b"sRGB**")
    Image.new("RGB", (60, 40), LINEAR_GREEN).save(tmp_path / f"a{ending}", icc_profile=linear, quality=100)
    assert _near(tmp_path / f"a{ending}", GREEN, tolerance=8 if ending == ".webp" else 4)
    with Image.new("RGB", (60, 40), LINEAR_GREEN) as image:
        image.quantize(4).save(tmp_path / "palette.png", icc_profile=linear)
        image.convert("RGBA").save(tmp_path / "alpha.png", icc_profile=linear)
    assert _near(tmp_path / "palette.png", GREEN) and _near(tmp_path / "alpha.png", GREEN)


def test_a_profile_of_srgb_changes_no_pixel(tmp_path: Path) -> None:
    grain = Image.open(io.BytesIO(_jpeg()))
    grain.save(tmp_path / "plain.png")
    grain.save(tmp_path / "s.png", icc_profile=ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    grain.save(tmp_path / "made.png", icc_profile=matrix_profile(SRGB, None))
    plain = open_image(tmp_path / "plain.png").rgb.tobytes()
    assert open_image(tmp_path / "s.png").rgb.tobytes() == open_image(tmp_path / "made.png").rgb.tobytes() == plain


@pytest.mark.parametrize(
    ("ending", "space"),
    [
        *((ending, "R03") for ending in (".jpg", ".png", ".webp", ".heic")),
        *((ending, "two") for ending in (".jpg", ".png", ".webp", ".heic", ".tif")),
    ],
)
def test_adobe_rgb_in_the_exif_alone_is_converted(tmp_path: Path, ending: str, space: str) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    inner = exif.get_ifd(ExifTags.IFD.Exif)
    inner[0xA001] = 2 if space == "two" else 65535
    if space == "R03":
        inner[0xA005] = {1: "R03\0"}
    Image.new("RGB", (60, 40), ADOBE_GREEN).save(tmp_path / f"photo{ending}", exif=exif.tobytes(), quality=100)
    assert _near(tmp_path / f"photo{ending}", GREEN, tolerance=4)
    inner[0xA001], inner[0xA005] = 1, {1: "R98\0"}
    Image.new("RGB", (60, 40), ADOBE_GREEN).save(tmp_path / f"photo{ending}", exif=exif.tobytes(), quality=100)
    assert _near(tmp_path / f"photo{ending}", ADOBE_GREEN, tolerance=4)


def _with_chunks(content: bytes, *chunks: tuple[bytes, bytes], wrong: bool = False) -> bytes:
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data) ^ wrong)
        for kind, data in chunks
    )
    return content[:33] + made + content[33:]  # after IHDR


def _png(colour: tuple[int, int, int]) -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (60, 40), colour).save(content, "PNG")
    return content.getvalue()


def test_colour_spaces_that_a_png_tells_in_numbers(tmp_path: Path) -> None:
    adobe = struct.pack(">8I", *(round(100_000 * value) for value in ADOBE_RGB))
    for colour, chunks in [
        (LINEAR_GREEN, [(b"gAMA", struct.pack(">I", 100_000))]),
        (ADOBE_GREEN, [(b"gAMA", struct.pack(">I", round(100_000 / ADOBE_GAMMA))), (b"cHRM", adobe)]),
        (P3_GREEN, [(b"cICP", bytes((12, 13, 0, 1)))]),
        (GREEN, [(b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 45_455))]),
        (GREEN, [(b"gAMA", struct.pack(">I", 45_455))]),
    ]:
        (tmp_path / "image.png").write_bytes(_with_chunks(_png(colour), *chunks))
        assert _near(tmp_path / "image.png", GREEN), chunks[0]


def test_metadata_never_cost_a_png(tmp_path: Path) -> None:
    large = b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(b"history " * 200_000)
    for chunk, wrong in [
        ((b"iTXt", large), False),
        ((b"zTXt", b"Comment\0\0" + zlib.compress(bytes(2_000_000))), False),
        ((b"tEXt", b"Comment\0hello"), True),
        ((b"eXIf", b"MM\0*"), True),
        ((b"iCCP", b"x\0\0broken"), True),
        ((b"zTXt", b"Comment\0\0broken"), False),
        ((b"gAMA", b"\0"), False),
    ]:
        (tmp_path / "photo.png").write_bytes(_with_chunks(_png(GREEN), chunk, wrong=wrong))
        assert _near(tmp_path / "photo.png", GREEN, tolerance=0), chunk[0]


@pytest.mark.parametrize(
    ("marker", "data"),
    [
        (0xE2, b"ICC_PROFILE\0\7\3broken"),
        (0xED, b"Photoshop 3.0\x008BIM\1"),
        (0xE0, b"JFIF"),
        (0xEE, b"Adobe\1"),
        (0xE2, b"MPF\0II*\0\1"),
        (0xE1, b"Exif\0\0II*\0\x08\0\0\0\xff\xff"),
        (0xFE, b""),
    ],
)
def test_metadata_never_cost_a_jpeg(tmp_path: Path, marker: int, data: bytes) -> None:
    content = io.BytesIO()
    Image.new("RGB", (60, 40), GREEN).save(content, "JPEG", quality=95)
    segment = bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data
    (tmp_path / "photo.jpg").write_bytes(content.getvalue()[:2] + segment + content.getvalue()[2:])
    assert _near(tmp_path / "photo.jpg", GREEN)


def test_damaged_pixels_of_a_png_fail_all_the_same(tmp_path: Path) -> None:
    content = bytearray(_png(GREEN))
    content[content.index(b"IDAT") + 12] ^= 0xFF
    (tmp_path / "photo.png").write_bytes(content)
    assert _failure(tmp_path / "photo.png").reason is FailureReason.DAMAGED


def test_the_extensions_follow_what_is_decoded() -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.init()
    decoded = {extension for extension, name in Image.registered_extensions().items() if name in FORMATS}
    assert decoded <= IMAGE_EXTENSIONS, decoded - IMAGE_EXTENSIONS
    assert {".hif", ".mpo", ".nef", ".dng"} <= IMAGE_EXTENSIONS


def test_a_photo_is_found_whatever_the_unicode_form_of_its_name(tmp_path: Path) -> None:
    (tmp_path / "Herba\u0301rio").mkdir()
    Image.new("RGB", (60, 40), GREEN).save(tmp_path / "Herba\u0301rio" / "e\u0301.png")
    assert _near(tmp_path / "Herb\u00e1rio" / "\u00e9.png", GREEN, tolerance=0)
    assert _failure(tmp_path / "Herb\u00e1rio" / "\u00e8.png").reason is FailureReason.MISSING


def test_a_jpeg_named_as_a_raw_photo_is_read(tmp_path: Path) -> None:
    (tmp_path / "photo.nef").write_bytes(_jpeg())
    assert open_image(tmp_path / "photo.nef").rgb.size == (90, 120)


@pytest.mark.parametrize(("tag", "field", "value"), [(273, 8, 10**6), (256, 4, 2), (274, 4, 2), (277, 4, 3)])
def test_a_tiff_directory_that_makes_no_sense_is_damage(tmp_path: Path, tag: int, field: int, value: int) -> None:
    path = tmp_path / "scan.tif"  # floats, which Pillow does not open
    extra = [(274, "H", 1, 1, True)]
    tifffile.imwrite(path, np.ones((8, 8, 3), np.float32), photometric="rgb", extratags=extra)
    content = bytearray(path.read_bytes())
    place = tifffile.TiffFile(path).pages.first.tags[tag].offset + field  # of the number of values, or of the value
    content[place : place + 4] = value.to_bytes(4, "little")
    path.write_bytes(content)
    try:
        assert open_image(path).rgb.size == (8, 8)
    except ImageError as error:
        assert error.reason in (FailureReason.DAMAGED, FailureReason.UNREADABLE, FailureReason.UNSUPPORTED), error
    else:
        assert tag == 274
