"""Read the preview that a camera stores in a raw photo.

The sensor data are not developed, since each raw converter does it differently, and the network could learn the
converter.
"""

import io

import numpy as np
from PIL import Image

from leafid.errors import FailureReason, ImageError

RAW_EXTENSIONS = frozenset(".dng .cr2 .cr3 .crw .nef .nrw .arw .sr2 .orf .rw2 .raf .pef .srw .rwl .3fr .iiq".split())
"""Extensions of raw photos. Most are TIFF files; a plain TIFF reader opens only their thumbnail."""


def embedded_preview(content: bytes) -> bytes:
    """Return the preview of a raw photo as the bytes of an image file.

    Raises:
        ImageError: rawpy is not installed, or the photo has no preview.
    """
    try:
        import rawpy
    except ImportError:
        raise ImageError(
            FailureReason.UNSUPPORTED, "a raw photo; to read its preview: pip install 'leafid[raw]'"
        ) from None
    try:
        with rawpy.imread(io.BytesIO(content)) as raw:
            thumbnail = raw.extract_thumb()
    except rawpy.LibRawDataError:
        raise ImageError(FailureReason.UNREADABLE, "the raw photo is damaged") from None
    except (rawpy.LibRawError, rawpy.NotSupportedError) as error:
        detail = error.args[0].decode() if error.args and isinstance(error.args[0], bytes) else str(error)
        raise ImageError(FailureReason.UNSUPPORTED, f"no preview in this raw photo: {detail}") from None
    if isinstance(thumbnail.data, bytes):  # a JPEG
        return thumbnail.data
    encoded = io.BytesIO()
    Image.fromarray(np.asarray(thumbnail.data)).save(encoded, "PNG")
    return encoded.getvalue()
