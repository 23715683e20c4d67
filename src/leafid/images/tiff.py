"""TIFF files of kinds that Pillow does not open: floats of colour, deep grey with alpha, planes, 12 and 64 bits."""

from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.errors import FailureReason, ImageError
from leafid.images.conversion import GreyRange, extreme_values, scaled_to_8_bits, value_range
from leafid.images.file_content import FileContent

if TYPE_CHECKING:
    import tifffile

_COLOURS = {0: 1, 1: 1, 2: 3, 5: 4}  # channels by PhotometricInterpretation
_MODES = {(1, False): "L", (1, True): "LA", (3, False): "RGB", (3, True): "RGBA", (4, False): "CMYK"}
_STRIP_VALUES = 16_000_000


def tiff_page(file: BinaryIO, frame: int) -> "tifffile.TiffPage":
    """Return the directory of a page, without its pixels.

    Args:
        file: a TIFF file.
        frame: index among all images of the file.

    Raises:
        ImageError: the directory is damaged, with what is wrong.
    """
    import tifffile

    try:
        page = tifffile.TiffFile(file).pages[frame]
        if not isinstance(page, tifffile.TiffPage) or not page.imagelength or not page.imagewidth:
            raise ValueError("no size")
    except Exception:  # tifffile raises many types for damaged files
        raise ImageError(
            FailureReason.DAMAGED, "the directory of this TIFF file is damaged: it does not say where the pixels are"
        ) from None
    if not isinstance(page.bitspersample, int) or not isinstance(page.samplesperpixel, int):
        raise ImageError(
            FailureReason.UNSUPPORTED, "a TIFF whose channels differ in depth is not read; save it with 8 or 16 bits"
        )
    return page


def decode_tiff(page: "tifffile.TiffPage", content: FileContent, frame: int) -> Image.Image:
    """Decode a page to 8 bits per channel: L, LA, RGB, RGBA or CMYK.

    Raises:
        ImageError: its kind is not supported; the message describes it.
    """
    channels = _COLOURS.get(int(page.photometric))
    if channels is None:
        raise _unsupported(page)
    values = _values(page, content, frame, channels)
    alpha = bool(page.extrasamples) and int(page.extrasamples[0]) in (1, 2) and values.shape[2] > channels
    mode = _MODES.get((channels, alpha))
    if mode is None:
        raise _unsupported(page)
    inverted = int(page.photometric) == 0
    pixels = np.empty((*values.shape[:2], channels + alpha), dtype=np.uint8)
    pixels[..., :channels] = _scaled(values[..., :channels], page.bitspersample, inverted=inverted)
    if alpha:
        pixels[..., channels:] = _scaled(values[..., channels : channels + 1], page.bitspersample, inverted=False)
    image = Image.fromarray(pixels[..., 0] if mode == "L" else pixels, mode=mode)
    if 34675 in page.tags:
        image.info["icc_profile"] = bytes(page.tags[34675].value)
    return image


def _values(page: "tifffile.TiffPage", content: FileContent, frame: int, channels: int) -> NDArray[np.generic]:
    """Return the values of a page, shape (H, W, samples)."""
    try:
        values = np.asarray(page.asarray())
        axes = page.axes
    except Exception:  # compressed by a method that tifffile decodes with a further package only
        values, axes = _opencv_values(page, content, frame), "YXS"
    if not values.size:
        raise ImageError(FailureReason.DAMAGED, "this TIFF file does not contain the pixels that it describes")
    if values.ndim == 2:
        values, axes = values[..., None], "YXS"
    if axes == "SYX":
        values, axes = np.moveaxis(values, 0, 2), "YXS"
    if axes != "YXS" or values.ndim != 3 or values.shape[2] < channels or values.dtype.kind not in "uif":
        raise _unsupported(page)
    return values


def _opencv_values(page: "tifffile.TiffPage", content: FileContent, frame: int) -> NDArray[np.generic]:
    import cv2  # only here: importing it takes a tenth of a second

    encoded = np.frombuffer(content.all(), np.uint8)
    if int(page.photometric) == 0:
        raise _unsupported(page)  # OpenCV inverts some depths and not others
    try:
        _, images = cv2.imdecodemulti(encoded, cv2.IMREAD_UNCHANGED, range=(frame, frame + 1))
        values = np.asarray(images[0])
    except (cv2.error, IndexError):
        raise _unsupported(page) from None
    if values.ndim == 3 and values.shape[2] >= 3:
        values = values[..., [2, 1, 0, *range(3, values.shape[2])]]  # OpenCV has blue first
    return values if values.ndim == 3 else values[..., None]


def _scaled(values: NDArray[np.generic], bits: int, *, inverted: bool) -> NDArray[np.uint8]:
    """Scale values (H, W, C) to 8 bits, all channels alike."""
    if values.dtype.kind == "u" and bits <= 16:
        low, high = 0.0, float(2**bits - 1)
    else:
        low, high = value_range(*extreme_values(values), floats=values.dtype.kind == "f")
    height, width, channels = values.shape
    rows = max(1, _STRIP_VALUES // (width * channels))
    return scaled_to_8_bits(lambda top, bottom: values[top:bottom], height, rows, GreyRange(low, high, inverted))


def _unsupported(page: "tifffile.TiffPage") -> ImageError:
    kind = {1: "whole numbers", 2: "signed numbers", 3: "floats", 5: "complex numbers", 6: "complex numbers"}.get(
        int(page.sampleformat), "numbers"
    )
    photometric = getattr(page.photometric, "name", page.photometric)
    compression = getattr(page.compression, "name", page.compression)
    return ImageError(
        FailureReason.UNSUPPORTED,
        f"a TIFF of {page.samplesperpixel} x {page.bitspersample}-bit {kind} ({photometric}, compression "
        f"{compression}) is not read; save it with 8 or 16 bits in grey or RGB",
    )
