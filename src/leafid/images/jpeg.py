"""Decode JPEG images so that damage is seen.

libjpeg repairs damaged data: it warns, and fills the lost part with grey or with shifted blocks. Pillow, OpenCV and
torchvision drop these warnings; simplejpeg (the same libjpeg-turbo, the same pixels) raises them.
"""

import re

import simplejpeg
from PIL import Image, ImageChops

from leafid.errors import FailureReason, ImageError

MAX_SCANS = 200
"""Most scans of an image. Encoders write up to about 64; each scan costs a pass over all blocks, so that thousands of
empty ones in a small file would take minutes."""

_DAMAGE = re.compile(
    r"corrupt jpeg data: (premature end of data|bad huffman|bad arithmetic|\d+ extraneous)"
    r"|found marker .* instead of rst",
    re.IGNORECASE,
)
_EXTRANEOUS = re.compile(r"corrupt jpeg data: (\d+) extraneous bytes before marker 0xd9", re.IGNORECASE)
_MAX_EXTRANEOUS = 4
"""Bytes between the last block and the end marker that are no damage: some cameras pad the data."""

_COLOURS = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
_WITHOUT_LENGTH = (0x01, *range(0xD0, 0xD8), _SOI)  # TEM, RST0 to RST7, SOI


def decode_jpeg(content: bytes, image: Image.Image, *, reduced: bool, size: int) -> Image.Image | None:
    """Decode the first picture of a JPEG file at the size and in the mode of ``image``.

    Args:
        content: the file.
        image: the file as opened by Pillow, not yet decoded.
        reduced: whether ``Image.draft`` has reduced its size.
        size: length of the file as it is on disk, for messages.

    Returns:
        The pixels, equal to those of Pillow; None if the file is of a rare kind or has a harmless irregularity, which
        Pillow decodes.

    Raises:
        ImageError: the data are damaged or end too early, or there are too many scans.
    """
    if content.count(b"\xff\xda") > MAX_SCANS and (scans := count_scans(content)) > MAX_SCANS:
        raise ImageError(FailureReason.UNSUPPORTED, f"a JPEG with {scans} scans; the limit is {MAX_SCANS}")
    colours = _COLOURS.get(image.mode)
    if colours is None:
        return None
    width, height = image.size if reduced else (0, 0)  # 0: as it is
    try:
        pixels = simplejpeg.decode_jpeg(content, colours, min_width=width, min_height=height)
    except ValueError as error:
        _raise_if_damaged(str(error), size)
        return None
    if pixels.shape[:2] != (image.height, image.width):
        return None
    if colours == "GRAY":
        return Image.fromarray(pixels[..., 0])
    decoded = Image.fromarray(pixels, mode=image.mode) if colours == "CMYK" else Image.fromarray(pixels)
    return ImageChops.invert(decoded) if colours == "CMYK" else decoded  # Adobe writes inverted inks, as Pillow expects


def without_metadata(content: bytes) -> bytes:
    """Return a JPEG file without application data and comments, except EXIF and a complete Adobe marker.

    Pixels are complete without them; the Adobe marker says how colours are coded.
    """
    kept, place = [content[:2]], 2
    while place + 4 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        end = place + 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        if marker in (_SOS, _EOI) or marker in _WITHOUT_LENGTH:
            break
        data = content[place + 4 : end]
        needed = data.startswith(b"Exif\0\0") or (marker == 0xEE and data.startswith(b"Adobe") and len(data) >= 12)
        if needed or not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(content[place:end])
        place = end
    return b"".join([*kept, content[place:]])


def count_scans(content: bytes) -> int:
    """Return the number of scans of the first picture in a JPEG file, without its thumbnail."""
    scans, place = 0, 2
    while 0 <= (place := content.find(b"\xff", place)) < len(content) - 3:
        marker = content[place + 1]
        if marker == _EOI:
            break
        if marker in (0x00, 0xFF) or marker in _WITHOUT_LENGTH:  # stuffed byte, padding
            place += 1 if marker == 0xFF else 2
            continue
        scans += marker == _SOS
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return scans


def _raise_if_damaged(message: str, size: int) -> None:
    """Raise the error that a warning of libjpeg stands for; return if it is harmless or not about damage."""
    padding = _EXTRANEOUS.search(message)
    if padding and int(padding[1]) <= _MAX_EXTRANEOUS:
        return
    if "premature end of jpeg file" in message.lower():
        raise ImageError(FailureReason.TRUNCATED, f"the file ends too early (it has {size} bytes)")
    if _DAMAGE.search(message):
        raise ImageError(FailureReason.DAMAGED, f"part of the picture is lost ({message})")
