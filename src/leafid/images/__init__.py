"""Image files as upright sRGB images of 8 bits, or an ``ImageError`` with a coded reason.

``opening`` is the entry; ``jpeg``, ``png`` and ``tiff`` handle what Pillow does not, ``colour_space`` finds the profile
that the values are in, ``conversion`` turns all modes and depths into sRGB, ``guard`` turns any exception on one image
into its ``ImageError``. ``in_flight`` notes the images that are being worked on, in case a decoder ends the process.
"""

from leafid.images.file_content import FileContent
from leafid.images.formats import FORMATS, IMAGE_EXTENSIONS
from leafid.images.guard import guard_image
from leafid.images.hashing import image_sha256
from leafid.images.in_flight import InFlight, note_images
from leafid.images.opening import (
    MAX_ASPECT,
    MAX_BYTES,
    MAX_PIXELS,
    ImageSource,
    OpenedImage,
    open_image,
    open_pillow_image,
)

__all__ = [
    "FORMATS",
    "IMAGE_EXTENSIONS",
    "MAX_ASPECT",
    "MAX_BYTES",
    "MAX_PIXELS",
    "FileContent",
    "ImageSource",
    "InFlight",
    "OpenedImage",
    "guard_image",
    "image_sha256",
    "note_images",
    "open_image",
    "open_pillow_image",
]
