"""Open image files as upright sRGB images at the size needed, or fail with a coded reason.

Every mode and format (grey, palette, CMYK, 16 bits, floats, alpha, progressive, HEIC, a page of a TIFF, the preview of
a raw photo) gives an upright RGB image of 8 bits, or an ``ImageError``. A truncated file is a failure and never padded
with grey; metadata never cost a photo.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

from leafid.errors import FailureReason, ImageError
from leafid.exif import NO_CAPTURE_INFO, CaptureInfo, is_raw_adobe_rgb, read_capture_info, read_raw_capture_info
from leafid.images import jpeg, png
from leafid.images.colour_space import ADOBE_GAMMA, ADOBE_RGB, matrix_profile, source_profile
from leafid.images.conversion import convert_to_srgb
from leafid.images.decoded_size import (
    decoded_size,
    decoding_memory,
    draft_size,
    jpeg2000_reduction,
    reduction_to,
)
from leafid.images.file_content import MAX_BYTES, FileContent, read_content
from leafid.images.formats import image_error, supported_formats
from leafid.images.in_flight import noted
from leafid.images.memory import budget
from leafid.images.tiff import decode_tiff, tiff_page
from leafid.pages import TIFF_STARTS, file_and_page, page_frames
from leafid.raw_photos import RAW_EXTENSIONS, embedded_preview

__all__ = ["MAX_ASPECT", "MAX_BYTES", "MAX_PIXELS", "ImageSource", "OpenedImage", "open_image", "open_pillow_image"]

MAX_PIXELS = 200_000_000
"""Larger images are refused as decompression bombs; the largest herbarium scans have 100 million pixels."""

MAX_ASPECT = 50
"""Images that are more than this many times as long as wide are refused: they show no leaf, and drawing or reducing
them in proportion is not possible."""

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

_FINAL = (FailureReason.TOO_LARGE, FailureReason.TOO_NARROW, FailureReason.MISSING, FailureReason.DAMAGED)
"""Reasons that metadata do not have a part in."""

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


@dataclass(frozen=True)
class _Raw:
    """What a raw photo says about its preview."""

    capture: CaptureInfo
    adobe_rgb: bool


ImageSource = Path | FileContent | OpenedImage
"""What ``open_image`` takes: a file, the bytes of one, or pixels that are decoded already."""


def open_image(source: ImageSource, *, needed_side: int | None = None, max_pixels: int = MAX_PIXELS) -> OpenedImage:
    """Open an image.

    Args:
        source: a file; ``scan.tif#page=2`` is the second page of ``scan.tif`` (see ``leafid.pages``). Or the bytes of a
            file, without raw photos, which only their extension distinguishes from other TIFF files. An image that is
            open already is returned as it is.
        needed_side: shorter side, in pixels, that the caller needs. JPEG and JPEG 2000 are decoded at the smallest of
            1/8, 1/4, 1/2 of their size that keeps it, which is several times faster; other images of more than
            ``decoded_size.REDUCED_ABOVE`` pixels are reduced likewise. None: full size.
        max_pixels: larger images are refused before decoding.

    Raises:
        ImageError: with the reason why the file cannot be read.
    """
    if isinstance(source, OpenedImage):
        _check_size((source.width, source.height), max_pixels)
        return source
    if isinstance(source, FileContent):
        return _open_content(source, None, None, needed_side, max_pixels)
    with noted(source):
        return _open_file(source, needed_side, max_pixels)


def open_pillow_image(image: Image.Image) -> OpenedImage:
    """Turn an image of Pillow, of any mode, into an upright one in sRGB; its profile and EXIF count as in a file.

    Raises:
        ImageError: it cannot be decoded, or has a form that cannot show a leaf.
    """
    try:
        _check_size(image.size, MAX_PIXELS)
        capture = read_capture_info(image)  # before decoding, which closes TIFF files
        profile = source_profile(image, b"")
        image.load()
        orientation = _orientation(image)
        rgb = _upright(convert_to_srgb(image.copy(), profile), orientation)
    except ImageError:
        raise
    except Exception as error:  # Pillow raises many types for damaged files
        raise ImageError(FailureReason.UNREADABLE, f"{type(error).__name__}: {error}") from None
    return OpenedImage(rgb=rgb, width=rgb.width, height=rgb.height, pages=1, capture=capture)


def _open_file(path: Path, needed_side: int | None, max_pixels: int) -> OpenedImage:
    file, page = file_and_page(path)
    content, raw = read_content(file), None
    if file.suffix.lower() in RAW_EXTENSIONS and not content.start.startswith(b"\xff\xd8\xff"):
        raw = _Raw(read_raw_capture_info(content.all()), is_raw_adobe_rgb(content.all()))
        content = FileContent.of(embedded_preview(content.all()))
    return _open_content(content, page, raw, needed_side, max_pixels)


def _open_content(
    content: FileContent, page: int | None, raw: _Raw | None, needed_side: int | None, max_pixels: int
) -> OpenedImage:
    attempts = [content]
    if content.start.startswith(png.SIGNATURE):  # the second and third only if the one before fails
        attempts += [content.changed(png.without_metadata), content.changed(png.pixels_alone)]
        png.check_pixels(content.all())
    elif content.start.startswith(b"\xff\xd8\xff"):
        attempts.append(content.changed(jpeg.without_metadata))
    for attempt in attempts[:-1]:
        try:
            return _open(attempt, page, raw, needed_side, max_pixels)
        except ImageError as failure:
            if failure.reason in _FINAL:
                raise
    return _open(attempts[-1], page, raw, needed_side, max_pixels)


def _open(
    content: FileContent, page: int | None, raw: _Raw | None, needed_side: int | None, max_pixels: int
) -> OpenedImage:
    try:
        return _open_by_pillow(content, page, raw, needed_side, max_pixels)
    except UnidentifiedImageError as error:
        if not content.start.startswith(TIFF_STARTS):
            raise image_error(content.start, content.size, error) from None
    return _open_tiff(content, page, raw, needed_side, max_pixels)


@contextmanager
def _coded_errors(content: FileContent) -> Iterator[None]:
    """Turn what decoders raise, many types for damaged files, into an ``ImageError``; not that a format is unknown."""
    try:
        yield
    except (ImageError, UnidentifiedImageError):
        raise
    except MemoryError:
        raise ImageError(FailureReason.TOO_LARGE, "not enough memory to decode it") from None
    except Exception as error:
        raise image_error(content.start, content.size, error) from None


def _open_by_pillow(
    content: FileContent, page: int | None, raw: _Raw | None, needed_side: int | None, max_pixels: int
) -> OpenedImage:
    with _coded_errors(content), Image.open(content.opened(), formats=supported_formats()) as image:
        pages = _seek_page(image, content, page)
        full = image.size
        _check_size(full, max_pixels)
        if needed_side is not None and image.format in ("JPEG", "MPO"):
            image.draft(None, draft_size(full, needed_side))
        elif needed_side is not None and isinstance(image, Jpeg2KImageFile):
            image.reduce = jpeg2000_reduction(content.start, full, needed_side)
        capture = raw.capture if raw else read_capture_info(image)  # before decoding, which closes TIFF files
        profile = source_profile(image, content.start)
        if profile is None and raw and raw.adobe_rgb:
            profile = matrix_profile(ADOBE_RGB, ADOBE_GAMMA)
        reduction = reduction_to(decoded_size(image), needed_side)
        with budget.reserved(decoding_memory(image, content.in_memory, reduction)):
            decoded, orientation = _decode(image, content, reduced=image.size != full)
            rgb = _upright(convert_to_srgb(decoded, profile, reduction=reduction), orientation)
    width, height = full if orientation < 5 else full[::-1]
    return OpenedImage(rgb=rgb, width=width, height=height, pages=pages, capture=capture)


def _open_tiff(
    content: FileContent, page: int | None, raw: _Raw | None, needed_side: int | None, max_pixels: int
) -> OpenedImage:
    """Open a TIFF file of a kind that Pillow does not know."""
    with _coded_errors(content):
        frames = page_frames(content.opened())
        frame = _frame(frames, page)
        found = tiff_page(content.opened(), frame)
        full = (found.imagewidth, found.imagelength)
        _check_size(full, max_pixels)
        reduction = reduction_to(full, needed_side)
        values = full[0] * full[1] * found.samplesperpixel
        with budget.reserved(values * (1 + max(1, found.bitspersample // 8)) + 4 * full[0] * full[1] // reduction**2):
            decoded = decode_tiff(found, content, frame)
            orientation = int(found.tags[274].value) if 274 in found.tags else 1
            orientation = orientation if orientation in _TRANSPOSE else 1
            profile = decoded.info.pop("icc_profile", None)
            rgb = _upright(convert_to_srgb(decoded, profile, reduction=reduction), orientation)
    width, height = full if orientation < 5 else full[::-1]
    capture = raw.capture if raw else read_raw_capture_info(content.all())
    return OpenedImage(rgb=rgb, width=width, height=height, pages=len(frames), capture=capture)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    """Refuse an image with too many pixels, or of a form that cannot show a leaf."""
    width, height = size
    if width * height > max_pixels:
        raise ImageError(
            FailureReason.TOO_LARGE, f"{width} x {height} pixels; the limit is {max_pixels / 1e6:g} million"
        )
    if max(size) > MAX_ASPECT * min(size):
        raise ImageError(
            FailureReason.TOO_NARROW, f"{width} x {height} pixels; a leaf is not visible in so narrow a strip"
        )


def _decode(image: Image.Image, content: FileContent, *, reduced: bool) -> tuple[Image.Image, int]:
    """Decode an opened image; return it with its EXIF orientation."""
    if image.format in ("JPEG", "MPO"):
        decoded = jpeg.decode_jpeg(content.all(), image, reduced=reduced, size=content.size)
        if decoded is not None:
            return decoded, _orientation(image)
    image.load()
    return image, _orientation(image)  # after decoding, which rotates TIFF and HEIC


def _upright(rgb: Image.Image, orientation: int) -> Image.Image:
    upright = rgb.transpose(_TRANSPOSE[orientation]) if orientation in _TRANSPOSE else rgb
    upright.info = {}  # a saved copy of the pixels must not contain the position
    return upright


def _seek_page(image: Image.Image, content: FileContent, page: int | None) -> int:
    """Seek to a page of a TIFF file, the first if None; return the number of pages, or of frames in other formats."""
    if image.format != "TIFF":
        if page is not None:
            raise ImageError(FailureReason.MISSING, f"no page {page}: only TIFF files have pages")
        return int(getattr(image, "n_frames", 1))
    frames = page_frames(content.opened())
    image.seek(_frame(frames, page))
    return len(frames)


def _frame(frames: tuple[int, ...], page: int | None) -> int:
    if page is not None and page > len(frames):
        raise ImageError(FailureReason.MISSING, f"there is no page {page}; the file has {len(frames)}")
    return frames[(page or 1) - 1]


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 (upright) to 8; 1 if it is missing or invalid."""
    try:
        orientation = image.getexif().get(0x0112)
    except Exception:  # Pillow raises many types for damaged EXIF; the pixels may be good
        return 1
    return orientation if isinstance(orientation, int) and orientation in _TRANSPOSE else 1
