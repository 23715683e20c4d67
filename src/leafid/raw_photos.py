"""Raw photos of cameras: the preview that the camera itself made and put into them, upright and in its colours.

What the sensor saw is not developed: every program does so differently, and the network would see the program.
"""

import io

import numpy as np
from PIL import Image

from leafid.errors import FailureReason, ImageError

RAW_EXTENSIONS = frozenset(".dng .cr2 .cr3 .crw .nef .nrw .arw .sr2 .orf .rw2 .raf .pef .srw .rwl .3fr .iiq".split())
"""Endings of raw photos. Most are TIFF files too, in which others see no more than a tiny picture."""


def preview(content: bytes) -> bytes:
    """Return the preview in a raw photo as the bytes of an image file.

    Raises:
        ImageError: rawpy is not installed, or there is no preview.
    """
    try:
        import rawpy
    except ImportError:
        raise ImageError(
            FailureReason.UNSUPPORTED, "a raw photo; to read its preview: pip install 'leafid[raw]'"
        ) from None
    try:
        with rawpy.imread(io.BytesIO(content)) as raw:
            found = raw.extract_thumb()
    except rawpy.LibRawDataError:
        raise ImageError(FailureReason.UNREADABLE, "the raw photo is damaged") from None
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        detail = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ImageError(FailureReason.UNSUPPORTED, f"no preview in this raw photo: {detail}") from None
    if isinstance(found.data, bytes):  # a JPEG
        return found.data
    picture = io.BytesIO()
    Image.fromarray(np.asarray(found.data)).save(picture, "PNG")
    return picture.getvalue()
