"""Where leafid keeps what it can make or fetch again."""

import os
import sys
from pathlib import Path


def user_caches() -> Path:
    """Return the user's folder for caches: ``$XDG_CACHE_HOME``, or else where the system keeps them.

    Raises:
        RuntimeError: the user has no home.
    """
    if named := os.environ.get("XDG_CACHE_HOME"):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")
