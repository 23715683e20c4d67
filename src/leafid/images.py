"""Open image files as upright sRGB images at the size needed, or fail with a coded reason.

Every mode and format (grey, palette, CMYK, 16 bits, alpha, progressive, HEIC, a page of a TIFF, the preview of a raw
photo) gives an upright RGB image of 8 bits, or an ``ImageError``. A truncated file is a failure and never padded with
grey.
"""

import functools
import io
import math
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from leafid.errors import FailureReason, ImageError
from leafid.exif import NO_CAPTURE_INFO, CaptureInfo, read_capture_info, read_raw_capture_info
from leafid.pages import file_and_page, page_frames
from leafid.raw_photos import RAW_EXTENSIONS, embedded_preview

MAX_PIXELS = 200_000_000
"""Larger images are refused as decompression bombs; the largest herbarium scans have 100 million pixels."""

MAX_BYTES = 2_000_000_000
"""Larger files are refused before they are read; 200 million uncompressed pixels of 3 x 16 bits have 1.2 GB."""

IMAGE_EXTENSIONS = RAW_EXTENSIONS | frozenset(
    ".jpg .jpeg .jpe .png .tif .tiff .webp .bmp .gif .heic .heif .avif .jp2 .j2k .jpx .ppm .pgm .jfif".split()
)
"""Extensions by which images are found in folders. A file named on the command line may have any extension."""

FORMATS = ("JPEG", "MPO", "PNG", "TIFF", "WEBP", "BMP", "GIF", "HEIF", "AVIF", "JPEG2000", "PPM")
"""Formats that are opened, by Pillow's names. Others are rare or risky: for EPS, Pillow runs Ghostscript."""

_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""The transposition that makes an image upright, by EXIF orientation."""

Image.MAX_IMAGE_PIXELS = None  # open_image checks the size itself before decoding


@dataclass(frozen=True)
class OpenedImage:
    """An upright image in sRGB with 8 bits.

    Attributes:
        rgb: the pixels; may be smaller than the original (see ``open_image``).
        width: width of the upright original, in pixels.
        height: height of the upright original, in pixels.
        pages: number of pages or frames in the file; ``rgb`` is the first or the one that the path names.
        capture: date, camera and position from the EXIF.
    """

    rgb: Image.Image
    width: int
    height: int
    pages: int
    capture: CaptureInfo = NO_CAPTURE_INFO


def open_image(path: Path, *, needed_side: int | None = None, max_pixels: int = MAX_PIXELS) -> OpenedImage:
    """Open an image file.

    Args:
        path: the file; ``scan.tif#page=2`` is the second page of ``scan.tif`` (see ``leafid.pages``).
        needed_side: shorter side, in pixels, that the caller needs. JPEG and JPEG 2000 are decoded at the smallest of
            1/8, 1/4, 1/2 of their size that keeps it, which is several times faster. None: full size.
        max_pixels: larger images are refused before decoding.

    Raises:
        ImageError: with the reason why the file cannot be read.
    """
    file, page = file_and_page(path)
    content = _read_bytes(file)
    raw_capture = None
    if file.suffix.lower() in RAW_EXTENSIONS:
        raw_capture, content = read_raw_capture_info(content), embedded_preview(content)
    try:
        with Image.open(io.BytesIO(content), formats=_formats()) as image:
            pages = _seek_page(image, content, page)
            full = image.size
            if full[0] * full[1] > max_pixels:
                raise ImageError(
                    FailureReason.TOO_LARGE,
                    f"{full[0]} x {full[1]} pixels; the limit is {max_pixels / 1e6:g} million",
                )
            if needed_side is not None and image.format == "JPEG":
                image.draft(None, _draft_size(full, needed_side))
            elif needed_side is not None and isinstance(image, Jpeg2KImageFile):
                image.reduce = _jpeg2000_reduction(content, full, needed_side)
            capture = raw_capture or read_capture_info(image)  # before decoding, which closes TIFF files
            image.load()
            orientation = _orientation(image)  # after decoding, which rotates TIFF and HEIC
            rgb = _upright_srgb(image, orientation)
            rgb.info = {}  # a saved copy of the pixels must not contain the position
    except ImageError:
        raise
    except MemoryError:
        raise ImageError(FailureReason.TOO_LARGE, "not enough memory to decode it") from None
    except Exception as error:  # decoders raise many types for damaged files
        raise _image_error(content, error) from None
    width, height = full if orientation < 5 else full[::-1]
    return OpenedImage(rgb=rgb, width=width, height=height, pages=pages, capture=capture)


def _seek_page(image: Image.Image, content: bytes, page: int | None) -> int:
    """Seek to a page of a TIFF file, the first if None; return the number of pages, or of frames in other formats."""
    if image.format != "TIFF":
        if page is not None:
            raise ImageError(FailureReason.MISSING, f"no page {page}: only TIFF files have pages")
        return int(getattr(image, "n_frames", 1))
    frames = page_frames(io.BytesIO(content))
    if page is not None and page > len(frames):
        raise ImageError(FailureReason.MISSING, f"there is no page {page}; the file has {len(frames)}")
    image.seek(frames[(page or 1) - 1])
    return len(frames)


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) to 8; 1 if it is missing or invalid."""
    try:
        orientation = image.getexif().get(0x0112)
    except Exception:  # Pillow raises many types for damaged EXIF; the pixels may be good
        return 1
    return orientation if isinstance(orientation, int) and orientation in _TRANSPOSE else 1


def _read_bytes(path: Path) -> bytes:
    try:
        status = path.stat()  # first, because opening a pipe or a device may block forever
        if stat.S_ISDIR(status.st_mode):
            if not os.access(path, os.R_OK | os.X_OK):
                raise ImageError(FailureReason.NO_PERMISSION, "this user may not read the folder")
            raise ImageError(FailureReason.NOT_A_FILE, "this is a folder")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(FailureReason.NOT_A_FILE, "this is a pipe, a socket or a device")
        if status.st_size > MAX_BYTES:
            raise ImageError(
                FailureReason.TOO_LARGE, f"{status.st_size / 1e9:.1f} GB; the limit is {MAX_BYTES / 1e9:g} GB"
            )
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError(FailureReason.MISSING, "there is no such file") from None
    except PermissionError:
        raise ImageError(FailureReason.NO_PERMISSION, "this user may not read the file") from None
    except (OSError, ValueError) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ImageError(FailureReason.UNREADABLE, detail) from None
    if not content:
        raise ImageError(FailureReason.EMPTY, "the file has no bytes")
    return content


def _draft_size(full: tuple[int, int], needed_side: int) -> tuple[int, int]:
    """Return the size to request from the JPEG decoder, with the same proportions and shorter side ``needed_side``."""
    scale = min(1.0, needed_side / min(full))
    return max(1, round(full[0] * scale)), max(1, round(full[1] * scale))


def _jpeg2000_reduction(content: bytes, full: tuple[int, int], needed_side: int) -> int:
    """Return how often to halve a JPEG 2000 image: at most three times, and at most its number of levels."""
    coding_style = content.find(b"\xff\x52", content.find(b"\xff\x4f\xff\x51"))  # marker COD after SOC and SIZ
    levels = content[coding_style + 9] if 0 <= coding_style < len(content) - 9 else 0
    wanted = int(math.log2(max(1.0, min(full) / needed_side)))
    return min(wanted, levels, 3)


def _upright_srgb(image: Image.Image, orientation: int) -> Image.Image:
    """Apply the EXIF orientation and convert any mode to RGB; transparent pixels become white, as paper."""
    profile = image.info.get("icc_profile")
    upright = image.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else image
    if upright.mode.startswith(("I", "F")):
        return _to_8_bits(upright)
    if upright.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in upright.info:
        layer = upright.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        return _to_srgb(Image.alpha_composite(paper, layer).convert("RGB"), profile)
    if upright.mode == "P" or upright.mode == "1":
        return upright.convert("RGB")
    return _to_srgb(upright, profile)


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Scale grey values to 8 bits: 16 bits by their range, 32 bits and floats by the smallest usual range that fits."""
    values = np.asarray(image, dtype=np.float64)
    if image.mode.startswith("I;16"):
        top = 65535.0
    elif image.mode == "F":
        top = 1.0 if values.max(initial=0) <= 1 else 255.0 if values.max(initial=0) <= 255 else 65535.0
    else:
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
    grey = np.clip(values / top * 255 + 0.5, 0, 255).astype(np.uint8)
    return Image.fromarray(grey, mode="L").convert("RGB")


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert by the embedded colour profile, or by Pillow's default if it is missing or invalid."""
    if profile and not _is_srgb(profile):
        try:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            converted = ImageCms.profileToProfile(image, source, _srgb(), outputMode="RGB")
        except (ImageCms.PyCMSError, OSError, ValueError):
            converted = None  # many cameras write profiles of the wrong kind
        if converted is not None:
            return converted
    return image.convert("RGB")


@functools.lru_cache(maxsize=32)
def _is_srgb(profile: bytes) -> bool:
    """Whether the profile is named sRGB, as most are; a conversion would then cost time and change nothing."""
    try:
        return "srgb" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).lower()
    except (ImageCms.PyCMSError, OSError):
        return False


@functools.cache
def _formats() -> tuple[str, ...]:
    """Return the ``FORMATS`` that this installation of Pillow supports."""
    import pillow_heif

    pillow_heif.register_heif_opener()
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _image_error(content: bytes, error: Exception) -> ImageError:
    """Turn an exception of a decoder into an ImageError with a coded reason and plain words."""
    start = content[:512].lstrip().lower()
    if isinstance(error, UnidentifiedImageError):
        if start.startswith((b"<!doctype html", b"<html")) or b"<html" in start:
            return ImageError(FailureReason.NOT_AN_IMAGE, "an HTML page with the name of an image")
        if start.startswith((b"<svg", b"<?xml")):
            return ImageError(FailureReason.NOT_AN_IMAGE, "an SVG or XML document")
        if start.startswith(b"%pdf"):
            return ImageError(FailureReason.NOT_AN_IMAGE, "a PDF document")
        if content.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")):
            return ImageError(FailureReason.TRUNCATED, f"only the first {len(content)} bytes of an image")
        return ImageError(FailureReason.NOT_AN_IMAGE, "no known image format")
    if not isinstance(error, OSError | SyntaxError | ValueError | RuntimeError | EOFError | struct.error):
        return ImageError(FailureReason.UNREADABLE, f"the file is damaged ({type(error).__name__}: {error})")
    message = str(error).lower()
    if (
        "truncated" in message
        or "unexpected end" in message
        or "incomplete" in message
        or isinstance(error, EOFError | struct.error)
    ):
        return ImageError(FailureReason.TRUNCATED, f"the file ends too early (it has {len(content)} bytes)")
    if "not supported" in message or "unsupported" in message or "cannot handle" in message:
        return ImageError(FailureReason.UNSUPPORTED, str(error))
    return ImageError(FailureReason.UNREADABLE, str(error) or os.strerror(5))
