"""Raw photos of cameras: the preview that the camera itself made and put into them, upright and in its colours.

What the sensor saw is not developed: every program does so differently, and the network would see the program.
"""

import io

from PIL import Image

from leafid.errors import FailureReason, ImageError

RAW_ENDINGS = frozenset(".dng .cr2 .cr3 .crw .nef .nrw .arw .sr2 .orf .rw2 .raf .pef .srw .rwl .3fr .iiq".split())
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
    except rawpy.NotSupportedError as error:  # also where there is no preview
        raise ImageError(
            FailureReason.UNSUPPORTED, f"a raw photo without a preview that can be read ({error})"
        ) from None
    except rawpy.LibRawError as error:
        raise ImageError(FailureReason.UNREADABLE, f"the raw photo is damaged ({error})") from None
    if found.format == rawpy.ThumbFormat.JPEG:
        return bytes(found.data)
    picture = io.BytesIO()
    Image.fromarray(found.data).save(picture, "PNG")
    return picture.getvalue()
