"""The one conversion of all modes and depths to sRGB with 8 bits, in strips where images are large."""

import functools
import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

STRIP_PIXELS = 16_000_000
"""Larger images are converted in strips of about this size, so that no second copy of the whole is needed."""

_SAME = 2
"""Largest difference, in levels of 255, between the result of a profile and sRGB for which it is sRGB: a conversion
would cost time and change nothing."""

_TRANSPARENT = ("RGBA", "LA", "PA", "La", "RGBa")


@dataclass(frozen=True)
class GreyRange:
    """How grey values of more than 8 bits become brightness.

    Attributes:
        low: value of black.
        high: value of white.
        inverted: white and black are exchanged (WhiteIsZero of TIFF).
        unsigned: values of 32 bits are unsigned, though they are stored as signed ones.
    """

    low: float
    high: float
    inverted: bool = False
    unsigned: bool = False


def convert_to_srgb(image: Image.Image, profile: bytes | None, *, reduction: int = 1) -> Image.Image:
    """Convert a decoded image of any mode to RGB in sRGB; transparent pixels become white, as paper.

    Args:
        image: 8 bits per channel, or 1, 16, 32 bits or floats of grey.
        profile: the ICC profile of its values; one that is invalid or of another kind is ignored.
        reduction: whole number by which the size is divided, by averaging.
    """
    if image.mode.startswith(("I", "F")):
        image = deep_grey_to_8_bits(image)
    if reduction == 1 and image.width * image.height <= STRIP_PIXELS:
        return _convert(image, profile)
    if reduction == 1 and image.mode == "RGB" and _transform(profile, "RGB") is None:
        return _convert(image, None) if "transparency" in image.info else image
    width, height = image.size
    size = (-(-width // reduction), -(-height // reduction))
    rgb = image if reduction == 1 and image.mode == "RGB" else Image.new("RGB", size)
    rows = max(1, STRIP_PIXELS // width // reduction) * reduction
    for top in range(0, height, rows):
        strip = _convert(image.crop((0, top, width, min(height, top + rows))), profile)
        rgb.paste(strip.reduce(reduction) if reduction > 1 else strip, (0, top // reduction))
    return rgb


def deep_grey_to_8_bits(image: Image.Image) -> Image.Image:
    """Scale grey values of 16 or 32 bits or floats to 8 bits, in strips."""
    tags = getattr(image, "tag_v2", {})
    bits = int(tags.get(258, (16 if image.mode.startswith("I;16") else 32,))[0])
    unsigned = image.mode == "I" and bits == 32 and int(tags.get(339, (1,))[0]) == 1 and bool(tags)
    rows = max(1, STRIP_PIXELS // image.width)

    def strip(top: int, bottom: int) -> NDArray[np.generic]:
        values = np.asarray(image.crop((0, top, image.width, bottom)))
        return values.view(np.uint32) if unsigned else values

    if image.mode.startswith("I;16"):
        low, high = 0.0, float(2**bits - 1)
    else:
        extremes = [extreme_values(strip(top, min(image.height, top + rows))) for top in range(0, image.height, rows)]
        low, high = value_range(min(e[0] for e in extremes), max(e[1] for e in extremes), floats=image.mode == "F")
    return Image.fromarray(
        scaled_to_8_bits(strip, image.height, rows, GreyRange(low, high, inverted=tags.get(262) == 0))
    )


def extreme_values(values: NDArray[np.generic]) -> tuple[float, float]:
    """Return the smallest and the largest finite value; 0 and 0 if there is none."""
    finite = values[np.isfinite(values)] if np.issubdtype(values.dtype, np.floating) else values
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)


def value_range(smallest: float, largest: float, *, floats: bool) -> tuple[float, float]:
    """Return the smallest usual range that contains the values; for values below 0 their own."""
    if smallest < 0:
        return smallest, largest
    tops = (1.0, 255.0, 65535.0, float(2**32 - 1)) if floats else (255.0, 65535.0, float(2**32 - 1))
    return 0.0, next((top for top in tops if largest <= top), largest)


def scaled_to_8_bits(
    strip: Callable[[int, int], NDArray[np.generic]], height: int, rows: int, scale: GreyRange
) -> NDArray[np.uint8]:
    """Scale values to 8 bits, a strip at a time; values that are no numbers become black.

    Args:
        strip: returns the values of the rows from the first to before the second.
        height: number of all rows.
        rows: rows of a strip.
        scale: values of black and white.
    """
    factor = 255 / ((scale.high - scale.low) or 1.0)
    scaled: NDArray[np.uint8] | None = None
    for top in range(0, height, rows):
        # float64 for integers of 32 bits, which float32 would round; a strip is small
        values = (np.nan_to_num(strip(top, min(height, top + rows)).astype(np.float64)) - scale.low) * factor
        if scale.inverted:
            values = 255 - values
        if scaled is None:
            scaled = np.empty((height, *values.shape[1:]), dtype=np.uint8)
        scaled[top : top + rows] = np.clip(values + 0.5, 0, 255)
    return np.empty((0, 0), dtype=np.uint8) if scaled is None else scaled


def _convert(image: Image.Image, profile: bytes | None) -> Image.Image:
    mode = image.mode
    if mode in _TRANSPARENT or "transparency" in image.info:
        layer = image.convert("RGBA")
        paper = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(paper, layer).convert("L" if mode in ("L", "LA", "La") else "RGB")
    elif mode in ("P", "1", "YCbCr", "HSV"):
        image = image.convert("RGB")
    transform = _transform(profile, image.mode)
    if transform is not None:
        return ImageCms.applyTransform(image, transform) or image
    if image.mode == "L" and profile is not None:  # a profile of three channels on grey values
        transform = _transform(profile, "RGB")
        if transform is not None:
            return ImageCms.applyTransform(image.convert("RGB"), transform) or image
    return image if image.mode == "RGB" else image.convert("RGB")


@functools.cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@functools.lru_cache(maxsize=32)
def _transform(profile: bytes | None, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return the conversion from a profile to sRGB; None if it is invalid, does not fit the mode, or changes nothing.

    Whether a profile is sRGB is measured on colours: its name does not tell, since some programs give linear profiles
    names with sRGB.
    """
    if profile is None and mode != "LAB":
        return None
    try:
        if profile is None:
            source = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        else:
            source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, _srgb(), mode, "RGB")
        samples = _samples(mode)
        converted = None if samples is None else ImageCms.applyTransform(samples, transform)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None  # many cameras write profiles of the wrong kind
    if samples is not None and converted is not None:
        difference = np.asarray(converted, dtype=int) - np.asarray(samples.convert("RGB"), dtype=int)
        if np.abs(difference).max() <= _SAME:
            return None
    return transform


def _samples(mode: str) -> Image.Image | None:
    """Return colours over the whole range of a mode; None for a mode that is never sRGB."""
    if mode == "L":
        return Image.fromarray(np.arange(256, dtype=np.uint8)[None])
    if mode != "RGB":
        return None
    levels = np.array([0, 20, 64, 128, 192, 255], dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    grey = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[None, :, None], 3, axis=2)
    return Image.fromarray(np.concatenate([cube, grey], axis=1))
