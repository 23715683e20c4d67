"""Lets Pillow crash, as a fault of a decoder in C does, on files that contain a mark; for processes of tests."""

import os
from pathlib import Path

MARK = b"crash the decoder"

_HOOK = f"""
import ctypes
from PIL import Image

opened = Image.open

def crashing(file, *words, **options):
    if {MARK!r} in file.read():
        ctypes.string_at(0)
    file.seek(0)
    return opened(file, *words, **options)

Image.open = crashing
"""


def environment(folder: Path) -> dict[str, str]:
    """Return the environment of a process in which Pillow crashes on marked files; ``folder`` holds the hook."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(_HOOK)
    return os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}


def mark(path: Path) -> None:
    """Mark a file."""
    with path.open("ab") as opened:
        opened.write(MARK)
