"""Images that a program holds in memory: bytes, file objects, images of Pillow and arrays."""

from dataclasses import dataclass
from os import PathLike, fspath
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.errors import FailureReason, ImageError, UsageError
from leafid.images import FileContent, ImageSource, open_pillow_image

Photo = str | PathLike[str] | bytes | BinaryIO | Image.Image | NDArray[np.uint8]
"""What Python programs may identify: a path or web address, the bytes of an image file, a file opened in binary mode,
an image of Pillow, or pixels as uint8 RGB (H, W, 3)."""


@dataclass(frozen=True)
class MemoryImage:
    """An image in memory.

    Attributes:
        name: as it is called in its record.
        content: bytes of a file, an image, or the error of reading a file object.
    """

    name: str
    content: bytes | Image.Image | ImageError

    def source(self) -> ImageSource:
        """Return what ``open_image`` takes.

        Raises:
            ImageError: the image cannot be read.
        """
        if isinstance(self.content, ImageError):
            raise self.content
        if isinstance(self.content, Image.Image):
            return open_pillow_image(self.content)
        if not self.content:
            raise ImageError(FailureReason.EMPTY, "there are no bytes")
        return FileContent.of(self.content)


def as_input(photo: Photo, number: int) -> str | Path | MemoryImage:
    """Return a photo as the pipeline takes it.

    An image without a file name is called ``image 1``, ``image 2`` ... by its position.

    Args:
        photo: as a program gives it.
        number: its position, from 1.

    Raises:
        UsageError: it is of another type, or an array of another shape.
    """
    unnamed = f"image {number}"
    if isinstance(photo, str | Path):
        return photo
    if isinstance(photo, PathLike):
        return Path(fspath(photo))
    if isinstance(photo, bytes | bytearray | memoryview):
        return MemoryImage(unnamed, bytes(photo))
    if isinstance(photo, Image.Image):
        return MemoryImage(str(getattr(photo, "filename", "") or unnamed), photo)
    if isinstance(photo, np.ndarray):
        if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3:
            raise UsageError(
                f"{unnamed} is an array of {photo.dtype} {photo.shape}. Give pixels as uint8 RGB, (height, width, 3)."
            )
        return MemoryImage(unnamed, Image.fromarray(np.ascontiguousarray(photo)))
    if hasattr(photo, "read"):
        name = getattr(photo, "name", None)
        return MemoryImage(name if isinstance(name, str) else unnamed, _read(photo, unnamed))
    raise UsageError(
        f"{unnamed} is a {type(photo).__name__}. Give a path, bytes, a file opened in binary mode, an image of Pillow, "
        "or an array of pixels."
    )


def _read(opened: BinaryIO, unnamed: str) -> bytes | ImageError:
    try:
        content = opened.read()
    except (OSError, ValueError) as error:
        return ImageError(FailureReason.UNREADABLE, str(error))
    if not isinstance(content, bytes):
        raise UsageError(f"{unnamed} is a file opened as text. Open it in binary mode: open(path, 'rb').")
    return content
