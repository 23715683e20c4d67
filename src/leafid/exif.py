"""Read date, camera and position from the EXIF of a photo.

Many programs write invalid EXIF. Unreadable values are ignored, and a photo never fails because of its EXIF.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

MAX_CAMERA_LENGTH = 100
"""Longest camera name, in characters; longer names are cut."""

_TIFF_STARTS = (b"II*\0", b"MM\0*")

COORDINATE_DECIMALS = 6
"""Decimal places of degrees, equal to a tenth of a metre."""


@dataclass(frozen=True)
class CaptureInfo:
    """When, with what and where a photo was taken; any value may be missing.

    Attributes:
        taken: date and time of the camera's clock in ISO 8601, with the offset from UTC if the camera wrote it.
        camera: make and model.
        position: latitude and longitude in decimal degrees, WGS 84; north and east are positive.
    """

    taken: str | None = None
    camera: str | None = None
    position: tuple[float, float] | None = None


NO_CAPTURE_INFO = CaptureInfo()


def read_capture_info(image: Image.Image) -> CaptureInfo:
    """Read the EXIF of an opened image; missing, unreadable and impossible values are None."""
    return _capture_info(image.getexif)


def read_raw_capture_info(content: bytes) -> CaptureInfo:
    """Read the EXIF of a raw photo that is a TIFF file, as most are; other formats give no values."""
    return _capture_info(lambda: _raw_exif(content)) if content.startswith(_TIFF_STARTS) else NO_CAPTURE_INFO


def _raw_exif(content: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(b"Exif\0\0" + content)
    return exif


def is_adobe_rgb(image: Image.Image) -> bool:
    """Return whether the EXIF says that the values are in Adobe RGB (1998).

    Most cameras write "uncalibrated" as the colour space, and R03 as the index of interoperability (DCF 2.0); some
    write 2 as the colour space.
    """
    try:
        return _says_adobe_rgb(image.getexif())
    except Exception:  # Pillow raises many types for damaged EXIF; the image itself may be good
        return False


def is_raw_adobe_rgb(content: bytes) -> bool:
    """Return whether a raw photo that is a TIFF file says that its preview is in Adobe RGB (1998)."""
    try:
        return _says_adobe_rgb(_raw_exif(content)) if content.startswith(_TIFF_STARTS) else False
    except Exception:  # as above
        return False


def _says_adobe_rgb(exif: Image.Exif) -> bool:
    colour_space = _ifd(exif, ExifTags.IFD.Exif).get(ExifTags.Base.ColorSpace, exif.get(ExifTags.Base.ColorSpace))
    if colour_space == 2:
        return True
    interoperability = _text(_ifd(exif, ExifTags.IFD.Interop).get(ExifTags.Interop.InteropIndex))
    return colour_space in (None, 0xFFFF) and interoperability == "R03"


def _capture_info(load: Callable[[], Image.Exif]) -> CaptureInfo:
    try:
        exif = load()
        main = dict(exif)
        exif_ifd = _ifd(exif, ExifTags.IFD.Exif)
        gps = _ifd(exif, ExifTags.IFD.GPSInfo)
    except Exception:  # Pillow raises many types for damaged EXIF; the image itself may be good
        return NO_CAPTURE_INFO
    return CaptureInfo(_date_taken(main, exif_ifd), _camera(main), _position(gps))


def _ifd(exif: Image.Exif, which: int) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(which))
    except Exception:  # as above; the values of other directories are kept
        return {}


def _date_taken(main: Mapping[int, Any], exif_ifd: Mapping[int, Any]) -> str | None:
    """Return DateTimeOriginal, or else DateTimeDigitized; never DateTime, which is the time of the last change."""
    for moment, offset in (
        (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
        (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
    ):
        text = _text(exif_ifd.get(moment)) or _text(main.get(moment))
        match = re.fullmatch(r"(\d{4})[:\-/](\d\d)[:\-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.\d*)?", text or "", re.ASCII)
        if match is None:
            continue
        try:
            year, month, day, hour, minute, second = map(int, match.groups())
            taken = datetime(year, month, day, hour, minute, second)
        except ValueError:  # 0000:00:00 is written if the clock was never set
            continue
        shift = _text(exif_ifd.get(offset)) or ""
        if re.fullmatch(r"[+-](0\d|1[0-4]):[0-5]\d", shift, re.ASCII):
            return taken.isoformat() + shift
        return taken.isoformat() + ("+00:00" if shift == "Z" else "")
    return None


def _camera(main: Mapping[int, Any]) -> str | None:
    """Return make and model; the make is omitted if the model begins with it."""
    make, model = _text(main.get(ExifTags.Base.Make)), _text(main.get(ExifTags.Base.Model))
    if make and model and not model.casefold().startswith(make.casefold()):
        return f"{make} {model}"[:MAX_CAMERA_LENGTH]
    return (model or make or "")[:MAX_CAMERA_LENGTH] or None


def _position(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    latitude = _degrees(gps.get(ExifTags.GPS.GPSLatitude), gps.get(ExifTags.GPS.GPSLatitudeRef), "NS", 90)
    longitude = _degrees(gps.get(ExifTags.GPS.GPSLongitude), gps.get(ExifTags.GPS.GPSLongitudeRef), "EW", 180)
    return None if latitude is None or longitude is None else (latitude, longitude)


def _degrees(parts: object, reference: object, references: str, limit: int) -> float | None:
    """Convert degrees, minutes, seconds and hemisphere to signed degrees."""
    hemisphere = (_text(reference) or "").upper()[:1]
    if not isinstance(parts, tuple | list) or len(parts) != 3 or hemisphere not in tuple(references):
        return None
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
        value = degrees + minutes / 60 + seconds / 3600
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not (degrees >= 0 and 0 <= minutes <= 60 and 0 <= seconds <= 60 and value <= limit):  # also false for NaN
        return None
    return round(-value if hemisphere == references[1] else value, COORDINATE_DECIMALS)


def _text(value: object) -> str | None:
    """Return printable text on one line, without terminating and padding zero bytes; None if it is empty."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if not isinstance(value, str):
        return None
    words = "".join(char if char.isprintable() else " " for char in value.partition("\0")[0])
    return " ".join(words.split()) or None
