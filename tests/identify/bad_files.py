"""Writes one file of each kind that is not a readable image."""

import io
import os
import struct
import zlib
from pathlib import Path

from PIL import Image

from leafid.errors import FailureReason

BAD_KINDS: dict[str, FailureReason] = {
    "truncated.jpg": FailureReason.TRUNCATED,
    "truncated_in_header.jpg": FailureReason.TRUNCATED,
    "truncated.png": FailureReason.TRUNCATED,
    "text.jpg": FailureReason.NOT_AN_IMAGE,
    "page.jpg": FailureReason.NOT_AN_IMAGE,
    "empty.jpg": FailureReason.EMPTY,
    "forbidden.jpg": FailureReason.NO_PERMISSION,
    "folder.jpg": FailureReason.NOT_A_FILE,
    "bomb.png": FailureReason.TOO_LARGE,
    "pipe.jpg": FailureReason.NOT_A_FILE,
    "device.jpg": FailureReason.NOT_A_FILE,
    "broken_link.jpg": FailureReason.MISSING,
    "loop.jpg": FailureReason.UNREADABLE,
}
"""File name and the reason it is expected to fail with; ``forbidden.jpg`` is readable for root."""


def write_bad_files(folder: Path) -> None:
    """Write each of ``BAD_KINDS`` into a folder."""
    jpeg, png = _encoded("JPEG"), _encoded("PNG")
    (folder / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    (folder / "truncated_in_header.jpg").write_bytes(jpeg[:12])
    (folder / "truncated.png").write_bytes(png[: len(png) // 2])
    (folder / "text.jpg").write_text("This is a note about a leaf.\n")
    (folder / "page.jpg").write_text("<!DOCTYPE html><html><body>404 Not Found</body></html>")
    (folder / "empty.jpg").touch()
    (folder / "forbidden.jpg").write_bytes(jpeg)
    (folder / "forbidden.jpg").chmod(0)
    (folder / "folder.jpg").mkdir()
    (folder / "bomb.png").write_bytes(huge_png(20_000, 20_000))
    os.mkfifo(folder / "pipe.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    (folder / "broken_link.jpg").symlink_to("nowhere.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")


def huge_png(width: int, height: int) -> bytes:
    """Return a PNG that claims any size, but takes no space itself."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0"))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _encoded(form: str) -> bytes:
    content = io.BytesIO()
    Image.effect_noise((200, 200), 40).convert("RGB").save(content, form)
    return content.getvalue()
