"""Chunks of PNG files: texts that must never cost a photo, and the colour space in numbers (PNG 3rd edition)."""

import zlib
from collections.abc import Iterator

from leafid.errors import FailureReason, ImageError

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_NEEDED = frozenset((b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"eXIf", b"pHYs", b"acTL", b"fcTL", b"fdAT"))
"""Ancillary chunks that are used here; all others are texts and private data."""


def without_metadata(content: bytes) -> bytes:
    """Return a PNG file without its texts, private chunks, and ancillary chunks whose checksum is wrong.

    Pixels are complete without them. Chunks of the pixels are kept as they are, damaged or not.
    """
    kept = [SIGNATURE]
    for kind, start, end in _chunks(content):
        ancillary = bool(kind[:1].islower())
        if ancillary and (kind not in _NEEDED or zlib.crc32(content[start + 4 : end - 4]) != _number(content, end - 4)):
            continue
        kept.append(content[start:end])
    return b"".join(kept)


def pixels_alone(content: bytes) -> bytes:
    """Return a PNG file without metadata, colour space and EXIF, which may be damaged inside."""
    plain = without_metadata(content)
    kept = [plain[start:end] for kind, start, end in _chunks(plain) if kind[:1].isupper() or kind in (b"tRNS", b"fdAT")]
    return SIGNATURE + b"".join(kept)


def check_pixels(content: bytes) -> None:
    """Check the checksums of the pixels, which Pillow does not.

    Raises:
        ImageError: one is wrong.
    """
    for kind, start, end in _chunks(content):
        if kind in (b"IHDR", b"PLTE", b"IDAT") and end - start == 12 + _number(content, start):
            if zlib.crc32(memoryview(content)[start + 4 : end - 4]) != _number(content, end - 4):
                raise ImageError(FailureReason.DAMAGED, "part of the picture is lost (a wrong checksum of its pixels)")


def coding_independent_colour(content: bytes) -> tuple[int, int] | None:
    """Return the colour primaries and transfer function of the chunk cICP, by ITU-T H.273; None without one."""
    for kind, start, end in _chunks(content):
        if kind == b"IDAT":
            return None
        if kind == b"cICP" and end - start == 16:
            return content[start + 8], content[start + 9]
    return None


def _chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each chunk; the last may be incomplete."""
    place = len(SIGNATURE)
    while place + 8 <= len(content):
        end = place + 12 + _number(content, place)
        yield content[place + 4 : place + 8], place, min(end, len(content))
        place = end


def _number(content: bytes, place: int) -> int:
    return int.from_bytes(content[place : place + 4], "big")
