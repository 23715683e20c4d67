"""Raw photos: the preview is upright with date and camera; without rawpy the failure names what to install."""

import io
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leafid.errors import FailureReason, ImageError
from leafid.exif import CaptureInfo
from leafid.images import open_image

GREEN = (60, 170, 70)
SENSOR = 64


def _preview() -> Image.Image:
    """Green with a black left quarter, to detect rotation."""
    image = Image.new("RGB", (320, 240), GREEN)
    image.paste((0, 0, 0), (0, 0, 80, 240))
    return image


class Dng:
    """A small DNG as written by a camera: a preview in the first directory, sensor data in another."""

    def __init__(self, preview: Image.Image | None) -> None:
        self.content = bytearray(b"II*\0\0\0\0\0")
        sensor = np.full((SENSOR, SENSOR), 2000, np.uint16).tobytes()
        side, one = [("I", SENSOR)], [("H", 1)]
        seen = self._directory(
            {254: [("I", 0)], 256: side, 257: side, 258: [("H", 16)], 259: one, 262: [("H", 32803)], 277: one}
            | {273: [("I", self._put(sensor))], 278: side, 279: [("I", len(sensor))], 284: one}
            | {33421: [("H", 2)] * 2, 33422: [("B", colour) for colour in (0, 1, 1, 2)], 50717: [("I", 4000)]}
        )
        details = self._directory({36867: b"2024:03:17 08:09:10\0", 36881: b"+07:00\0"})
        matrix = [("i", value) for row in ((1, 0, 0), (0, 1, 0), (0, 0, 1)) for cell in row for value in (cell, 1)]
        main: dict[int, Any] = {271: b"Leafcam\0", 272: b"One\0", 274: [("H", 6)], 330: [("I", seen)]}
        main |= {34665: [("I", details)], 50706: [("B", 1), ("B", 4), ("B", 0), ("B", 0)], 50721: matrix}
        main |= {50708: b"Leafcam One\0", 50778: [("H", 21)]}
        if preview is not None:
            jpeg = io.BytesIO()
            preview.save(jpeg, "JPEG", quality=95)
            place, length = self._put(jpeg.getvalue()), len(jpeg.getvalue())
            main |= {254: [("I", 1)], 256: [("I", preview.width)], 257: [("I", preview.height)], 258: [("H", 8)] * 3}
            main |= {259: [("H", 7)], 262: [("H", 6)], 273: [("I", place)], 277: [("H", 3)]}
            main |= {278: [("I", preview.height)], 279: [("I", length)]}
        self.content[4:8] = struct.pack("<I", self._directory(main))

    def _put(self, content: bytes) -> int:
        self.content += b"\0" * (len(self.content) % 2)
        self.content += content
        return len(self.content) - len(content)

    def _directory(self, entries: dict[int, Any]) -> int:
        written = struct.pack("<H", len(entries))
        for tag, values in sorted(entries.items()):
            if isinstance(values, bytes):
                kind, number, content = 2, len(values), values
            else:
                form = values[0][0]
                kind = {"B": 1, "H": 3, "I": 4, "i": 10}[form]
                content = struct.pack(f"<{len(values)}{form}", *(value for _, value in values))
                number = len(values) // (2 if kind == 10 else 1)
            held = content.ljust(4, b"\0") if len(content) <= 4 else struct.pack("<I", self._put(content))
            written += struct.pack("<HHI", tag, kind, number) + held
        return self._put(written + struct.pack("<I", 0))


def test_the_preview_is_opened_upright(tmp_path: Path) -> None:
    pytest.importorskip("rawpy", reason="needs the extra leafid[raw]")
    path = tmp_path / "photo.DNG"
    path.write_bytes(Dng(_preview()).content)
    opened = open_image(path)
    assert (opened.width, opened.height) == opened.rgb.size == (240, 320)
    assert opened.rgb.getpixel((120, 10)) == (0, 0, 0) and abs(opened.rgb.getpixel((120, 300))[1] - 170) < 6  # type: ignore[index]
    assert opened.capture == CaptureInfo("2024-03-17T08:09:10+07:00", "Leafcam One")
    assert min(open_image(path, needed_side=50).rgb.size) < 200


def test_a_damaged_photo_or_one_without_preview_fails_with_a_reason(tmp_path: Path) -> None:
    pytest.importorskip("rawpy", reason="needs the extra leafid[raw]")
    whole = bytes(Dng(_preview()).content)
    for content, reasons in [
        (bytes(Dng(None).content), [FailureReason.UNSUPPORTED]),
        (b"no photo at all", [FailureReason.UNSUPPORTED]),
        (whole[:9000], [FailureReason.UNSUPPORTED, FailureReason.UNREADABLE, FailureReason.TRUNCATED]),
    ]:
        (tmp_path / "photo.dng").write_bytes(content)
        with pytest.raises(ImageError) as failure:
            open_image(tmp_path / "photo.dng")
        assert failure.value.reason in reasons and "b'" not in failure.value.detail


def test_without_rawpy_the_failure_names_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "photo.nef").write_bytes(Dng(_preview()).content)
    program = (
        "import sys, pathlib; sys.modules['rawpy'] = None\n"
        "from leafid.errors import ImageError; from leafid.images import open_image\n"
        f"try: open_image(pathlib.Path({str(tmp_path / 'photo.nef')!r}))\n"
        "except ImageError as failure: print(failure)"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert output == "unsupported: a raw photo; to read its preview: pip install 'leafid[raw]'\n"
