"""What cameras write is understood where it can be, and a photo is never lost to what is broken in it."""

import io
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image

from leafid.exif import NO_CAPTURE_INFO, CaptureInfo, read_capture_info
from leafid.images import open_image

pillow_heif.register_heif_opener()

GREEN = Image.new("RGB", (64, 48), (60, 170, 70))
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF")


def exif_of(
    details: dict[int, Any] | None = None, place: dict[int, Any] | None = None, main: dict[int, Any] | None = None
) -> Image.Exif:
    exif = Image.Exif()
    exif.update(main or {})
    exif.get_ifd(ExifTags.IFD.Exif).update(details or {})
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(place or {})
    return exif


PHONE = exif_of(
    main={ExifTags.Base.Make: "Apple", ExifTags.Base.Model: "iPhone 15", ExifTags.Base.DateTime: "2026:05:01 10:00:00"},
    details={
        ExifTags.Base.DateTimeOriginal: "2024:03:17 08:09:10",
        ExifTags.Base.OffsetTimeOriginal: "+07:00",
        ExifTags.Base.LensModel: "back camera",
    },
    place={
        ExifTags.GPS.GPSLatitudeRef: "S",
        ExifTags.GPS.GPSLatitude: (3.0, 30.0, 36.0),
        ExifTags.GPS.GPSLongitudeRef: "E",
        ExifTags.GPS.GPSLongitude: (114.0, 45.0, 18.0),
    },
)


def _shot(exif: Image.Exif) -> CaptureInfo:
    content = io.BytesIO()
    GREEN.save(content, "JPEG", exif=exif)
    with Image.open(content) as image:
        return read_capture_info(image)


@pytest.mark.parametrize("form", FORMATS)
def test_date_camera_and_position_of_a_phone_photo_are_read(tmp_path: Path, form: str) -> None:
    GREEN.save(tmp_path / "photo", form, exif=PHONE.tobytes())
    opened = open_image(tmp_path / "photo")
    assert opened.capture == CaptureInfo("2024-03-17T08:09:10+07:00", "Apple iPhone 15", (-3.51, 114.755))
    assert not opened.rgb.info


def test_without_exif_all_values_are_missing(tmp_path: Path) -> None:
    GREEN.save(tmp_path / "photo.png")
    assert open_image(tmp_path / "photo.png").capture == NO_CAPTURE_INFO


@pytest.mark.parametrize(
    ("details", "taken"),
    [
        ({ExifTags.Base.DateTimeOriginal: "2024:03:17 08:09:10"}, "2024-03-17T08:09:10"),
        (
            {ExifTags.Base.DateTimeOriginal: "2024:03:17 08:09:10", ExifTags.Base.OffsetTimeOriginal: "Z"},
            "2024-03-17T08:09:10+00:00",
        ),
        (
            {ExifTags.Base.DateTimeOriginal: "2024:03:17 08:09:10", ExifTags.Base.OffsetTimeOriginal: "+99:00"},
            "2024-03-17T08:09:10",
        ),
        (
            {
                ExifTags.Base.DateTimeOriginal: "0000:00:00 00:00:00",
                ExifTags.Base.DateTimeDigitized: "2020-01-02 03:04:05",
            },
            "2020-01-02T03:04:05",
        ),
        ({ExifTags.Base.DateTimeOriginal: "2023:02:30 08:09:10"}, None),
        ({ExifTags.Base.DateTimeOriginal: "yesterday"}, None),
        ({ExifTags.Base.DateTimeOriginal: "    :  :     :  :  "}, None),
    ],
)
def test_dates(details: dict[int, Any], taken: str | None) -> None:
    assert _shot(exif_of(details, main={ExifTags.Base.DateTime: "2026:05:01 10:00:00"})).taken == taken


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Canon", "Canon EOS R5", "Canon EOS R5"),
        ("NIKON CORPORATION\0\0", "NIKON D850 ", "NIKON CORPORATION NIKON D850"),
        ("", "Leaf\n=cam\x1b[31m", "Leaf =cam [31m"),
        ("Make", "", "Make"),
        (" ", "\0", None),
    ],
)
def test_cameras(make: str, model: str, camera: str | None) -> None:
    assert _shot(exif_of(main={ExifTags.Base.Make: make, ExifTags.Base.Model: model})).camera == camera


@pytest.mark.parametrize(
    ("latitude", "side", "position"),
    [
        ((3.0, 30.0, 36.0), "N", (3.51, 114.755)),
        ((3.0, 30.0, 36.0), "", None),
        ((91.0, 0.0, 0.0), "N", None),
        ((3.0, 30.0), "N", None),
        (3.0, "N", None),
    ],
)
def test_positions(latitude: object, side: str, position: tuple[float, float] | None) -> None:
    place = {
        **PHONE.get_ifd(ExifTags.IFD.GPSInfo),
        ExifTags.GPS.GPSLatitudeRef: side,
        ExifTags.GPS.GPSLatitude: latitude,
    }
    assert _shot(exif_of(place=place)).position == position


@pytest.mark.filterwarnings("ignore::UserWarning")
@settings(deadline=None)
@given(
    form=st.sampled_from(["JPEG", "PNG", "WEBP", "HEIF", "AVIF"]),
    payload=st.binary(max_size=80) | st.binary(max_size=80).map(lambda rest: b"II*\0\x08\0\0\0" + rest),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=8),
    is_phone=st.booleans(),
)
def test_broken_exif_never_fails_an_image(
    tmp_path_factory: pytest.TempPathFactory,
    form: str,
    payload: bytes,
    changes: list[tuple[int, int]],
    is_phone: bool,
) -> None:
    if is_phone:
        damaged = bytearray(PHONE.tobytes())
        for place, value in changes:
            damaged[6 + place % (len(damaged) - 6)] = value  # what makes it EXIF at all is left
        payload = bytes(damaged)
    else:
        payload = b"Exif\0\0" + payload
    path = tmp_path_factory.mktemp("broken") / "photo"
    try:
        GREEN.save(path, form, exif=payload)
    except Exception:  # Pillow's writers read the EXIF they are given, too: then there is no such photo
        return
    opened = open_image(path)
    assert sorted(opened.rgb.size) == [48, 64] and abs(opened.rgb.getpixel((20, 20))[1] - 170) < 10  # type: ignore[index]
    assert opened.capture.camera is None or len(opened.capture.camera) <= 100
