"""The one guard that turns any exception on one image into the ``ImageError`` of its record."""

import logging
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leafid.defects import save_defect
from leafid.errors import FailureReason, ImageError, LeafidError
from leafid.images.in_flight import noted

_logger = logging.getLogger(__name__)
_saved: set[str] = set()
_saving = threading.Lock()


@contextmanager
def guard_image(path: Path | str) -> Iterator[None]:
    """Raise every exception of the block as an ``ImageError``, so that one image never ends a run.

    Use it around all work on one image. Errors that a user can fix (``LeafidError``, for example a bundle that cannot
    be read) pass unchanged. The first exception from a place in the code is saved to a file with its traceback, and
    the log names the file; further ones from the same place are not logged, since they may be thousands.

    Raises:
        ImageError: ``too_large`` if memory was not sufficient, ``not_processed`` for any other exception, or if the
            image made an earlier process crash.
    """
    try:
        with noted(path):
            yield
    except LeafidError:
        raise
    except MemoryError:
        raise ImageError(FailureReason.TOO_LARGE, "not enough memory for this image") from None
    except Exception as error:
        _report(path, error)
        raise ImageError(FailureReason.NOT_PROCESSED, _in_short(error)) from None


def _in_short(error: Exception, length: int = 160) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= length else text[: length - 1] + "…"


def _report(path: Path | str, error: Exception) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    kind = f"{type(error).__name__} {place.filename}:{place.lineno}"
    with _saving:
        if kind in _saved:
            return
        _saved.add(kind)
    _logger.warning(
        "%s could not be processed (%s). The other images are not affected. Please report this with the file %s",
        path,
        _in_short(error),
        save_defect(error),
    )
