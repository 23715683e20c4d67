"""What a worker process of a review does: it opens one photo and returns a smaller JPEG of it."""

import io
import signal
from pathlib import Path

from leafid.errors import ImageError
from leafid.images import guard_image, open_image
from leafid.serve.worker import limit_memory

_JPEG_QUALITY = 85


def start(further_bytes: int) -> None:
    """Prepare the process; see ``limit_memory``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the service, which ends its workers
    limit_memory(further_bytes)


def ready() -> bool:
    """Return that the process has started."""
    return True


def picture(path: Path, longest: int) -> bytes | ImageError:
    """Return a JPEG of a photo, upright, without its metadata; or why it cannot be read.

    Args:
        path: the photo.
        longest: its longer side in pixels, at most.
    """
    try:
        with guard_image(path):
            rgb = open_image(path, needed_side=longest).rgb
            rgb.thumbnail((longest, longest))
            content = io.BytesIO()
            rgb.save(content, "JPEG", quality=_JPEG_QUALITY)
            return content.getvalue()
    except ImageError as error:
        return error
