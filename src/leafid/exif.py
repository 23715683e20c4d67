"""What a camera wrote into a photo: when it was taken, with what, and where, as far as it can be understood.

EXIF is written by thousands of programs and broken in as many ways: whatever lies there, a photo is never lost to it.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from PIL import ExifTags, Image

LONGEST = 100
"""Characters of a camera's name that are kept."""

DIGITS = 6
"""Decimal places of degrees: a tenth of a metre."""


@dataclass(frozen=True)
class Shot:
    """How a photo came about; everything may be missing.

    Attributes:
        taken: ISO 8601 date and time by the camera's clock, with its offset from UTC where the camera wrote it.
        camera: make and model.
        position: latitude and longitude in decimal degrees, WGS 84; north and east are positive.
    """

    taken: str | None = None
    camera: str | None = None
    position: tuple[float, float] | None = None


NOTHING = Shot()


def read_shot(image: Image.Image) -> Shot:
    """Return what the EXIF of an opened image tells; what is missing, broken or impossible is left out."""
    return _shot(image.getexif)


def read_raw_shot(content: bytes) -> Shot:
    """The same of a raw photo, of which most are TIFF files; of others nothing is told."""

    def load() -> Image.Exif:
        exif = Image.Exif()
        exif.load(b"Exif\0\0" + content)
        return exif

    return _shot(load) if content.startswith((b"II*\0", b"MM\0*")) else NOTHING


def _shot(load: Callable[[], Image.Exif]) -> Shot:
    try:
        exif = load()
        main = dict(exif)
        details = _folder(exif, ExifTags.IFD.Exif)
        place = _folder(exif, ExifTags.IFD.GPSInfo)
    except Exception:  # Pillow's reader stumbles over damaged EXIF in many ways, and none is the image's fault
        return NOTHING
    return Shot(_taken(main, details), _camera(main), _position(place))


def _folder(exif: Image.Exif, which: int) -> dict[int, Any]:
    try:
        return dict(exif.get_ifd(which))
    except Exception:  # as above; what the other folders tell is kept
        return {}


def _taken(main: Mapping[int, Any], details: Mapping[int, Any]) -> str | None:
    """DateTimeOriginal, else DateTimeDigitized; never DateTime, which is when a file was last changed."""
    for moment, offset in (
        (ExifTags.Base.DateTimeOriginal, ExifTags.Base.OffsetTimeOriginal),
        (ExifTags.Base.DateTimeDigitized, ExifTags.Base.OffsetTimeDigitized),
    ):
        text = _text(details.get(moment)) or _text(main.get(moment))
        found = re.fullmatch(r"(\d{4})[:\-/](\d\d)[:\-/](\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.\d*)?", text or "", re.ASCII)
        if found is None:
            continue
        try:
            year, month, day, hour, minute, second = map(int, found.groups())
            taken = datetime(year, month, day, hour, minute, second)
        except ValueError:  # 0000:00:00 stands for a clock that was never set
            continue
        shift = _text(details.get(offset)) or ""
        if re.fullmatch(r"[+-](0\d|1[0-4]):[0-5]\d", shift, re.ASCII):
            return taken.isoformat() + shift
        return taken.isoformat() + ("+00:00" if shift == "Z" else "")
    return None


def _camera(main: Mapping[int, Any]) -> str | None:
    """Make and model; many models begin with their make."""
    make, model = _text(main.get(ExifTags.Base.Make)), _text(main.get(ExifTags.Base.Model))
    if make and model and not model.casefold().startswith(make.casefold()):
        return f"{make} {model}"[:LONGEST]
    return (model or make or "")[:LONGEST] or None


def _position(place: Mapping[int, Any]) -> tuple[float, float] | None:
    latitude = _degrees(place.get(ExifTags.GPS.GPSLatitude), place.get(ExifTags.GPS.GPSLatitudeRef), "NS", 90)
    longitude = _degrees(place.get(ExifTags.GPS.GPSLongitude), place.get(ExifTags.GPS.GPSLongitudeRef), "EW", 180)
    return None if latitude is None or longitude is None else (latitude, longitude)


def _degrees(parts: object, side: object, sides: str, most: int) -> float | None:
    """Degrees, minutes and seconds, and the half of the globe, as a signed number."""
    half = (_text(side) or "").upper()[:1]
    if not isinstance(parts, tuple | list) or len(parts) != 3 or half not in tuple(sides):
        return None
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
        value = degrees + minutes / 60 + seconds / 3600
    except (TypeError, ValueError, ArithmeticError):
        return None
    if not (degrees >= 0 and 0 <= minutes <= 60 and 0 <= seconds <= 60 and value <= most):  # not for NaN either
        return None
    return round(-value if half == sides[1] else value, DIGITS)


def _text(value: object) -> str | None:
    """Printable text on one line, without the zero bytes that end and fill it; None when nothing is left."""
    if isinstance(value, bytes):
        value = value.decode("ascii", "replace")
    if not isinstance(value, str):
        return None
    words = "".join(char if char.isprintable() else " " for char in value.partition("\0")[0])
    return " ".join(words.split()) or None
