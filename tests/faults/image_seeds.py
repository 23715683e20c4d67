"""Tiny images in every kind of file that leafid opens, drawn from a seed."""

import functools
import io
import random
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from leafid.images.formats import supported_formats
from tests.test_raw_photos import Dng

_SIDES = (24, 33, 64)


def drawn(seed: int, mode: str = "RGB") -> Image.Image:
    """Draw a leaf on paper."""
    random_ = np.random.default_rng(seed)
    height, width = (int(random_.choice(_SIDES)) for _ in range(2))
    y, x = np.mgrid[:height, :width]
    inside = ((x - width / 2) / (width / 4)) ** 2 + ((y - height / 2) / (height / 3)) ** 2 < 1
    pixels = np.where(inside[..., None], (50, 120, 60), (230, 226, 215)) + random_.normal(0, 8, (height, width, 3))
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).convert(mode)


def _saved(format_: str, mode: str = "RGB", **options: Any) -> Callable[[int], bytes]:  # noqa: ANN401 -- of Pillow
    def make(seed: int) -> bytes:
        content = io.BytesIO()
        options_now = {name: value() if callable(value) else value for name, value in options.items()}
        if options_now.pop("animated", False):
            options_now |= {"save_all": True, "append_images": [drawn(seed, mode)] * 2}
        drawn(seed, mode).save(content, format_, **options_now)
        return content.getvalue()

    return make


def _tiff(dtype: str, shape: tuple[int, ...], **options: Any) -> Callable[[int], bytes]:  # noqa: ANN401 -- of tifffile
    def make(seed: int) -> bytes:
        values = np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)
        content = io.BytesIO()
        tifffile.imwrite(content, values, **options)
        return content.getvalue()

    return make


def _exif() -> Image.Exif:
    exif = Image.Exif()
    exif[274], exif[272] = 6, "Leafcam"
    exif.get_ifd(34665)[36867] = "2024:03:17 08:09:10"
    exif.get_ifd(34853).update({1: "N", 2: (1.0, 2.0, 3.0), 3: "E", 4: (4.0, 5.0, 6.0)})
    return exif


def _texts() -> PngImagePlugin.PngInfo:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "a leaf", zip=True)
    texts.add_itxt("Title", "Blatt", "de", "Blatt")
    return texts


@functools.cache
def _profile() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _raw(seed: int) -> bytes:
    """Return a raw photo with a preview."""
    return bytes(Dng(drawn(seed)).content)


_KINDS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "jpeg": (".jpg", _saved("JPEG", exif=_exif, icc_profile=_profile)),
    "jpeg progressive": (".jpg", _saved("JPEG", progressive=True, subsampling=2)),
    "jpeg grey": (".jpeg", _saved("JPEG", "L", restart_marker_blocks=2)),
    "jpeg inks": (".jpg", _saved("JPEG", "CMYK")),
    "mpo": (".mpo", _saved("MPO", animated=True)),
    "png": (".png", _saved("PNG", exif=_exif, icc_profile=_profile, pnginfo=_texts)),
    "png alpha": (".png", _saved("PNG", "RGBA")),
    "png grey alpha": (".png", _saved("PNG", "LA")),
    "png palette": (".png", _saved("PNG", "P", transparency=3)),
    "png 1 bit": (".png", _saved("PNG", "1")),
    "png 16 bits": (".png", _saved("PNG", "I;16")),
    "png animated": (".apng", _saved("PNG", animated=True)),
    "gif": (".gif", _saved("GIF", "P")),
    "gif animated": (".gif", _saved("GIF", "P", animated=True)),
    "bmp": (".bmp", _saved("BMP")),
    "bmp palette": (".bmp", _saved("BMP", "P")),
    "dib": (".dib", _saved("DIB")),
    "webp": (".webp", _saved("WEBP", exif=_exif)),
    "webp lossless": (".webp", _saved("WEBP", "RGBA", lossless=True)),
    "webp animated": (".webp", _saved("WEBP", animated=True)),
    "heif": (".heic", _saved("HEIF")),
    "avif": (".avif", _saved("AVIF")),
    "jpeg 2000": (".jp2", _saved("JPEG2000")),
    "jpeg 2000 stream": (".j2k", _saved("JPEG2000", "L", no_jp2=True)),
    "ppm": (".ppm", _saved("PPM")),
    "pgm": (".pgm", _saved("PPM", "L")),
    "pbm": (".pbm", _saved("PPM", "1")),
    "pfm": (".pfm", _saved("PPM", "F")),
    "tiff": (".tif", _saved("TIFF", exif=_exif, icc_profile=_profile)),
    "tiff lzw": (".tif", _saved("TIFF", compression="tiff_lzw")),
    "tiff deflate": (".tif", _saved("TIFF", "RGBA", compression="tiff_adobe_deflate")),
    "tiff packbits": (".tif", _saved("TIFF", "P", compression="packbits")),
    "tiff jpeg": (".tif", _saved("TIFF", compression="jpeg")),
    "tiff fax": (".tif", _saved("TIFF", "1", compression="group4")),
    "tiff inks": (".tif", _saved("TIFF", "CMYK")),
    "tiff pages": (".tif", _saved("TIFF", "L", animated=True)),
    "tiff 16 bits": (".tif", _tiff("uint16", (40, 30, 3), photometric="rgb")),
    "tiff floats": (".tif", _tiff("float32", (40, 30, 3), photometric="rgb")),
    "tiff signed": (".tif", _tiff("int16", (40, 30))),
    "tiff tiles": (".tif", _tiff("uint8", (40, 48, 3), photometric="rgb", tile=(16, 16))),
    "tiff planes": (".tif", _tiff("uint8", (3, 40, 30), photometric="rgb", planarconfig="separate")),
    "tiff 64 bits": (".tif", _tiff("uint8", (40, 30, 3), photometric="rgb", bigtiff=True)),
    "tiff big endian": (".tif", _tiff("uint16", (40, 30), byteorder=">")),
    "raw": (".dng", _raw),
}
"""Name of a kind: its extension and a function that makes a file from a seed."""

_NEEDS = {"heif": "HEIF", "avif": "AVIF", "jpeg 2000": "JPEG2000", "jpeg 2000 stream": "JPEG2000"}


def kinds() -> tuple[str, ...]:
    """Return the kinds that this installation decodes."""
    without_raw = () if find_spec("rawpy") else ("raw",)
    return tuple(kind for kind in _KINDS if _NEEDS.get(kind, "JPEG") in supported_formats() and kind not in without_raw)


@functools.cache
def image_file(kind: str, seed: int) -> bytes:
    """Return a whole file of a kind."""
    return _KINDS[kind][1](seed)


def extension(kind: str) -> str:
    """Return the extension of a kind."""
    return _KINDS[kind][0]


def mutated_image(number: int, seed: int) -> tuple[str, bytes]:
    """Return the kind and the content of the mutated file of a number."""
    from tests.faults.mutations import mutated

    chance = random.Random(f"image {seed} {number}")
    names = kinds()
    kind = names[number % len(names)]
    other = image_file(chance.choice(names), chance.randrange(4))
    return kind, mutated(image_file(kind, chance.randrange(4)), other, chance)
