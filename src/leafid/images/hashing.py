"""The SHA-256 of image files, by which a result names the very file that it is about."""

import hashlib
import stat
from pathlib import Path

from leafid.file_names import existing_form
from leafid.files import sha256_of
from leafid.images.file_content import MAX_BYTES, FileContent
from leafid.images.opening import ImageSource
from leafid.pages import file_and_page


def image_sha256(source: ImageSource) -> str | None:
    """Return the SHA-256 of a file's bytes in hexadecimal; None if it cannot be read, or is too large to be opened.

    Args:
        source: the file; of a page such as ``scan.tif#page=2``, the whole file ``scan.tif`` counts. Or bytes in memory;
            pixels in memory are no file and have no hash.
    """
    if isinstance(source, FileContent):
        return hashlib.sha256(source.all()).hexdigest()
    if not isinstance(source, Path):
        return None
    try:
        file = existing_form(file_and_page(source)[0])
        status = file.stat()  # first, because opening a pipe or a device may block forever
        return sha256_of(file) if stat.S_ISREG(status.st_mode) and status.st_size <= MAX_BYTES else None
    except (OSError, ValueError):
        return None
