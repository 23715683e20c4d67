"""Names of files on disk: Unicode forms, and files that are not a user's own."""

import functools
import os
import unicodedata
from pathlib import Path

SYSTEM_FOLDERS = frozenset(
    "$recycle.bin recycler #recycle @recycle @recently-snapshot #snapshot ~snapshot @eadir @__thumb @tmp __macosx "
    "lost+found".split()
) | {"system volume information"}
"""Folders that systems keep thumbnails, deleted files and snapshots in, in lower case: Windows, macOS, Synology, QNAP,
NetApp. Their images are copies of others, or were deleted."""


def is_hidden_or_system(name: str) -> bool:
    """Return whether a file or folder of this name is left out when a folder is searched."""
    return name.startswith(".") or name.casefold() in SYSTEM_FOLDERS


def existing_form(path: Path) -> Path:
    """Return the path of an existing file whose name differs only in its Unicode form, or ``path`` if there is none.

    macOS and some archives decompose letters (``é`` as ``e`` and an accent, NFD); lists of names are mostly composed
    (NFC). Both look the same.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[1 if path.anchor else 0 :]:
        exact = found / part
        if not os.path.lexists(exact):
            try:
                changed = os.stat(found).st_mtime_ns
            except (OSError, ValueError):
                return path
            name = _composed_names(str(found), changed).get(unicodedata.normalize("NFC", part))
            if name is None:
                return path
            exact = found / name
        found = exact
    return found


@functools.lru_cache(maxsize=32)
def _composed_names(folder: str, changed: int) -> dict[str, str]:
    """Return the names in a folder by their composed form; ``changed`` is part of the key of the cache."""
    try:
        names = os.listdir(folder)
    except OSError:
        return {}
    return {unicodedata.normalize("NFC", name): name for name in sorted(names) if not name.isascii()}
