"""The user's cache of compiled models; a bundle holds only files that are checked by their hash."""

import os
from pathlib import Path

from leafid.caches import user_caches


def model_cache(weights_sha256: str) -> Path | None:
    """Return the folder that keeps models of these weights, made if missing; None if it cannot be written.

    It is ``leafid/engines`` in ``$XDG_CACHE_HOME``, or else where the system keeps caches, and can be deleted at any
    time. Each network has its own folder: OpenVINO recognises a model by path, size and time of change only.
    """
    try:
        folder = user_caches() / "leafid" / "engines" / weights_sha256[:16]
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError):  # RuntimeError: the user has no home
        return None
    return folder if os.access(folder, os.W_OK) else None
