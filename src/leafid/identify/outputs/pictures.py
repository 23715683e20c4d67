"""Pictures of images and of their measured leaves, as JPEG, for pages."""

import base64
import io
from pathlib import Path

from PIL import Image

from leafid.errors import ImageError
from leafid.images import guard_image, open_image


def jpeg(picture: Image.Image, quality: int) -> bytes:
    """Return a picture as the bytes of a JPEG file."""
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=quality)
    return content.getvalue()


def data_address(content: bytes) -> str:
    """Return an address that holds the bytes of a JPEG file itself."""
    return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")


def reduced(path: Path, longest: int) -> Image.Image | None:
    """Return an image, upright and reduced so that its longer side has at most ``longest`` pixels; None if unreadable.

    Args:
        path: the file, or a page such as ``scan.tif#page=2``.
        longest: in pixels.
    """
    try:
        with guard_image(path):
            picture = open_image(path, needed_side=longest).rgb
            picture.thumbnail((longest, longest))
            return picture
    except ImageError:
        return None
