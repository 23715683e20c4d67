"""Find the colour space that the values of an image are in, in all ways in which files tell it, as an ICC profile.

In this order: coding-independent code points (PNG, HEIF, AVIF), an embedded profile, gamma and chromaticities of a PNG,
EXIF (Adobe RGB of cameras), primaries of a TIFF. Without any, values are sRGB.
"""

import functools
import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from leafid.exif import is_adobe_rgb
from leafid.images.png import coding_independent_colour

Chromaticities = tuple[float, float, float, float, float, float, float, float]
"""x and y of white, red, green and blue (CIE 1931)."""

_D65 = (0.3127, 0.3290)
SRGB: Chromaticities = (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
ADOBE_RGB: Chromaticities = (*_D65, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)
ADOBE_GAMMA = 563 / 256
"""Adobe RGB (1998) Color Image Encoding, section 4.3.4."""

_PRIMARIES: dict[int, Chromaticities] = {
    1: SRGB,
    4: (0.310, 0.316, 0.67, 0.33, 0.21, 0.71, 0.14, 0.08),
    5: (*_D65, 0.64, 0.33, 0.29, 0.60, 0.15, 0.06),
    6: (*_D65, 0.630, 0.340, 0.310, 0.595, 0.155, 0.070),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    11: (0.314, 0.351, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
"""Chromaticities by the code of ITU-T H.273, table 2."""

_TRANSFERS: dict[int, float | None] = {1: None, 4: 2.2, 5: 2.8, 6: None, 8: 1.0, 13: None, 14: None, 15: None}
"""Exponent by the code of ITU-T H.273, table 3; None for sRGB's curve, which video images are shown with too."""


def source_profile(image: Image.Image, content: bytes) -> bytes | None:
    """Return the ICC profile of an image's values; None for sRGB, and for spaces that cannot be described by one.

    Args:
        image: the opened file.
        content: its bytes, or the first of them.
    """
    codes = _code_points(image, content)
    if codes is not None and codes[0] in _PRIMARIES and codes[1] in _TRANSFERS:
        if codes[0] != 1 or _TRANSFERS[codes[1]] is not None:
            return matrix_profile(_PRIMARIES[codes[0]], _TRANSFERS[codes[1]])
        if image.format == "PNG":  # in HEIF and AVIF, encoders write sRGB by default, whatever the EXIF says
            return None
    embedded = image.info.get("icc_profile") or _jpeg2000_profile(image, content)
    if embedded:
        return bytes(embedded)
    if image.format == "PNG":
        return _png_profile(image)
    if is_adobe_rgb(image):
        return matrix_profile(ADOBE_RGB, ADOBE_GAMMA)
    return _tiff_profile(image)


@functools.lru_cache(maxsize=32)
def matrix_profile(chromaticities: Chromaticities, gamma: float | None) -> bytes:
    """Return a profile of ICC version 2 with three primaries and one curve.

    Args:
        chromaticities: white, red, green and blue.
        gamma: exponent of the curve; None for the curve of sRGB.
    """
    colorants = _colorants(chromaticities)
    curve = _curve(gamma)
    name = b"leafid"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name + bytes(1 + 4 + 4 + 2 + 1 + 67),
        b"cprt": b"text\0\0\0\0none\0",
        b"wtpt": _xyz((0.9642, 1.0, 0.8249)),
        **{f"{letter}XYZ".encode(): _xyz(colorants[:, index]) for index, letter in enumerate("rgb")},
        **{f"{letter}TRC".encode(): curve for letter in "rgb"},
    }
    table, data = struct.pack(">I", len(tags)), b""
    begin = 128 + 4 + 12 * len(tags)
    for tag, value in tags.items():
        table += tag + struct.pack(">II", begin + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    header = struct.pack(">I4sI4s4s4s", begin + len(data), b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2024, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz((0.9642, 1.0, 0.8249))[8:]
    return header.ljust(128, b"\0") + table + data


def _colorants(chromaticities: Chromaticities) -> NDArray[np.float64]:
    """Return XYZ of red, green and blue in columns, adapted to D50 as profiles require (Bradford)."""
    xyz = np.array([(x / y, 1.0, (1 - x - y) / y) for x, y in np.reshape(chromaticities, (4, 2))]).T
    white, primaries = xyz[:, 0], xyz[:, 1:]
    primaries = primaries * np.linalg.solve(primaries, white)  # red + green + blue = white
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    gain = (bradford @ np.array([0.9642, 1.0, 0.8249])) / (bradford @ white)
    return np.asarray(np.linalg.inv(bradford) @ np.diag(gain) @ bradford @ primaries)


def _curve(gamma: float | None) -> bytes:
    if gamma == 1:
        return b"curv\0\0\0\0" + struct.pack(">I", 0)
    if gamma is not None:
        return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    encoded = np.linspace(0, 1, 1024)
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return b"curv\0\0\0\0" + struct.pack(">I", 1024) + np.round(linear * 65535).astype(">u2").tobytes()


def _xyz(values: Sequence[float] | NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))


def _code_points(image: Image.Image, content: bytes) -> tuple[int, int] | None:
    """Return primaries and transfer function by ITU-T H.273; None without them."""
    if image.format == "PNG":
        return coding_independent_colour(content)
    if image.format in ("HEIF", "AVIF"):
        place = content.find(b"colrnclx", 0, 65_536)  # in the box `meta`, at the beginning of the file
        if 0 <= place <= len(content) - 12 and not image.info.get("icc_profile"):
            primaries, transfer = struct.unpack_from(">2H", content, place + 8)
            return int(primaries), int(transfer)
    return None


def _jpeg2000_profile(image: Image.Image, content: bytes) -> bytes | None:
    """Return the profile in the box `colr` of a JPEG 2000 file, which Pillow does not read."""
    if image.format != "JPEG2000":
        return None
    place = content.find(b"colr\2", 0, 4096)
    if place < 4:
        return None
    (length,) = struct.unpack_from(">I", content, place - 4)
    return content[place + 7 : place - 4 + length] or None


def _png_profile(image: Image.Image) -> bytes | None:
    """Return a profile from gamma and chromaticities, which a chunk sRGB overrides."""
    info = image.info
    gamma, chromaticities = info.get("gamma"), info.get("chromaticity")
    if "srgb" in info or not (gamma or chromaticities):
        return matrix_profile(ADOBE_RGB, ADOBE_GAMMA) if "srgb" not in info and is_adobe_rgb(image) else None
    exponent = 1 / gamma if gamma and 0.1 <= gamma <= 5 else None
    if exponent is not None and abs(exponent - 2.2) < 0.02:
        exponent = None if chromaticities is None or np.allclose(chromaticities, SRGB, atol=0.002) else 2.2
    return _checked_profile(chromaticities or SRGB, exponent)


def _tiff_profile(image: Image.Image) -> bytes | None:
    """Return a profile from the white point and the primaries in the tags of a TIFF or in the EXIF."""
    try:
        exif = image.getexif()
        white, primaries = exif.get(ExifTags.Base.WhitePoint), exif.get(ExifTags.Base.PrimaryChromaticities)
        if white is None or primaries is None or image.mode not in ("RGB", "RGBA", "P"):
            return None
        return _checked_profile([float(value) for value in (*white, *primaries)], None)
    except Exception:  # Pillow raises many types for damaged EXIF; the pixels may be good
        return None


def _checked_profile(chromaticities: Sequence[float], gamma: float | None) -> bytes | None:
    """Return a profile; None for sRGB and for chromaticities that are impossible."""
    values = tuple(float(value) for value in chromaticities)
    if len(values) != 8 or not all(0 <= value <= 1 for value in values) or min(values[1::2]) < 0.001:
        return None
    if gamma is None and np.allclose(values, SRGB, atol=0.002):
        return None
    try:
        return matrix_profile(values, gamma)
    except (np.linalg.LinAlgError, struct.error):  # primaries on one line
        return None
