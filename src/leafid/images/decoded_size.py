"""The size at which an image is decoded, and the memory that decoding takes."""

import math

from PIL import Image
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile

REDUCED_ABOVE = 30_000_000
"""Decoded images with more pixels are reduced to the needed side before their colours are converted."""


def decoded_size(image: Image.Image) -> tuple[int, int]:
    """Return the size that decoding gives; JPEG 2000 keeps the full size in ``Image.size`` until then."""
    halvings = image.reduce if isinstance(image, Jpeg2KImageFile) and isinstance(image.reduce, int) else 0
    return -(-image.width // 2**halvings), -(-image.height // 2**halvings)


def reduction_to(size: tuple[int, int], needed_side: int | None) -> int:
    """Return 1, 2, 4 or 8: by what to divide the size of a very large image; its shorter side stays as needed."""
    if needed_side is None or size[0] * size[1] <= REDUCED_ABOVE:
        return 1
    return next((factor for factor in (8, 4, 2) if min(size) // factor >= needed_side), 1)


def decoding_memory(image: Image.Image, in_memory: int, reduction: int) -> int:
    """Return about how many bytes decoding and conversion take, with those of the file that are in memory."""
    width, height = decoded_size(image)
    native = {"1": 1, "L": 1, "P": 1, "LA": 4, "I;16": 2, "I;16B": 2, "I;16L": 2}.get(image.mode, 4)
    if image.format in ("JPEG", "MPO"):
        native += 3  # decoded apart, then copied
    elif image.format in ("HEIF", "AVIF", "JPEG2000"):
        native += 8  # planes of the decoder
    per_pixel = native + (0 if image.mode == "RGB" and reduction == 1 else 4 / reduction**2)
    coefficients = 6 * math.prod(image.size) if image.info.get("progressive") else 0
    return in_memory + round(width * height * per_pixel) + coefficients


def draft_size(full: tuple[int, int], needed_side: int) -> tuple[int, int]:
    """Return the size to request from the JPEG decoder, with the same proportions and shorter side ``needed_side``."""
    scale = min(1.0, needed_side / min(full))
    return max(1, round(full[0] * scale)), max(1, round(full[1] * scale))


def jpeg2000_reduction(content: bytes, full: tuple[int, int], needed_side: int) -> int:
    """Return how often to halve a JPEG 2000 image: at most three times, and at most its number of levels."""
    coding_style = content.find(b"\xff\x52", content.find(b"\xff\x4f\xff\x51"))  # marker COD after SOC and SIZ
    levels = content[coding_style + 9] if 0 <= coding_style < len(content) - 9 else 0
    wanted = int(math.log2(max(1.0, min(full) / needed_side)))
    return min(wanted, levels, 3)
