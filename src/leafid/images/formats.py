"""Which files are images: extensions, formats that are opened, and true reasons for files that are not."""

import functools
import os
import struct

from PIL import Image, UnidentifiedImageError

from leafid.errors import FailureReason, ImageError
from leafid.raw_photos import RAW_EXTENSIONS

FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP", "DIB", "GIF", "HEIF", "AVIF", "JPEG2000", "PPM")
"""Formats that are opened, by Pillow's names. Others are rare or risky: for EPS, Pillow runs Ghostscript."""

IMAGE_EXTENSIONS = RAW_EXTENSIONS | frozenset(
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .tif .tiff .webp .bmp .dib .gif .heic .heif .heics .heifs .hif .avif .avifs "
    ".jp2 .j2k .j2c .jpc .jpf .jpx .ppm .pgm .pbm .pnm .pfm".split()
)
"""Extensions by which images are found in folders: all of ``FORMATS`` (a test compares them with what Pillow registers)
and of raw photos. A file named on the command line may have any extension."""

_STARTS = (
    (b"8BPS", "a Photoshop document"),
    (b"PK\3\4", "a ZIP archive or an office document"),
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xff\x0a", "a JPEG XL image, which is not read yet"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image, which is not read yet"),
    (b"II\xbc\x01", "a JPEG XR image, which is not read"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"SQLite format 3", "a database"),
    (b"version https://git-lfs", "a pointer of Git LFS; fetch the file itself with `git lfs pull`"),
)
"""First bytes of files that are often mistaken for images, and what they are."""

_IMAGE_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"\0\0\0\x0cjP  \r\n", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
)
_FTYP_KINDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"mif1", b"msf1", b"heim", b"heis"), "HEIF"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}


@functools.cache
def supported_formats() -> tuple[str, ...]:
    """Return the ``FORMATS`` that this installation of Pillow supports."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def image_error(content: bytes, size: int, error: Exception) -> ImageError:
    """Turn an exception of a decoder into an ImageError with a coded reason and plain words.

    Args:
        content: the file, or its first bytes.
        size: length of the file in bytes.
        error: what the decoder raised.
    """
    if isinstance(error, UnidentifiedImageError):
        return _unidentified(content, size)
    if not isinstance(error, OSError | SyntaxError | ValueError | RuntimeError | EOFError | struct.error):
        return ImageError(FailureReason.UNREADABLE, f"the file is damaged ({type(error).__name__}: {error})")
    message = str(error).lower()
    if (
        "truncated" in message
        or "unexpected end" in message
        or "incomplete" in message
        or isinstance(error, EOFError | struct.error)
    ):
        return ImageError(FailureReason.TRUNCATED, f"the file ends too early (it has {size} bytes)")
    if "not supported" in message or "unsupported" in message or "cannot handle" in message:
        return ImageError(FailureReason.UNSUPPORTED, str(error))
    return ImageError(FailureReason.UNREADABLE, str(error) or os.strerror(5))


def _unidentified(content: bytes, size: int) -> ImageError:
    """Describe a file that no decoder accepts by its first bytes."""
    start = content[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html")) or b"<html" in start:
        return ImageError(FailureReason.NOT_AN_IMAGE, "an HTML page with the name of an image")
    if start.startswith((b"<svg", b"<?xml")):
        return ImageError(FailureReason.NOT_AN_IMAGE, "an SVG or XML document")
    for first, what in _STARTS:
        if content.startswith(first) or start.startswith(first.lower()):
            return ImageError(FailureReason.NOT_AN_IMAGE, what)
    kind = next((name for first, name in _IMAGE_STARTS if content.startswith(first)), None)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        kind = "WebP"
    if content[4:8] == b"ftyp":
        kind = _FTYP_KINDS.get(content[8:12])
        if kind is None:
            return ImageError(FailureReason.NOT_AN_IMAGE, "a video, or a kind of file that is not read")
    if kind is None:
        return ImageError(FailureReason.NOT_AN_IMAGE, "no known image format")
    if size < 4096:
        return ImageError(FailureReason.TRUNCATED, f"only the first {size} bytes of an image")
    return ImageError(FailureReason.DAMAGED, f"the header of this {kind} file is damaged")
