"""Any exception on one image becomes its ImageError, and the log says once how to report it."""

import logging
import re
from pathlib import Path

import cv2
import pytest

from leafid.errors import BundleError, FailureReason, ImageError
from leafid.images import guard_image


def _broken(path: str) -> None:
    with guard_image(path):
        cv2.resize(cv2.UMat(1, 1, cv2.CV_8U), (0, 0))


def test_an_exception_is_reported_once_and_fails_its_image_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for path in ("first.jpg", "second.jpg"):
            with pytest.raises(ImageError) as failure:
                _broken(path)
            assert failure.value.reason is FailureReason.NOT_PROCESSED
            assert failure.value.detail.startswith("error: ") and len(failure.value.detail) <= 160
    assert len(caplog.messages) == 1 and "first.jpg could not be processed" in caplog.messages[0]
    saved = re.search(r"with the file (\S+)$", caplog.messages[0])
    assert saved and "Traceback" in Path(saved[1]).read_text()
    Path(saved[1]).unlink()


def test_errors_of_the_user_pass_and_memory_is_named() -> None:
    with pytest.raises(BundleError), guard_image("a.jpg"):
        raise BundleError("no bundle")
    with pytest.raises(ImageError) as failure, guard_image("a.jpg"):
        raise MemoryError
    assert failure.value.reason is FailureReason.TOO_LARGE
    with pytest.raises(KeyboardInterrupt), guard_image("a.jpg"):
        raise KeyboardInterrupt
