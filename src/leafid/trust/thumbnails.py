"""Small pictures of reference specimens, kept in the bundle where the licence allows it and never without one."""

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leafid.bundle import THUMBNAILS
from leafid.files import written_atomically
from leafid.sources import read_licence

if TYPE_CHECKING:
    from leafid.learning import Run

SIDE, QUALITY = 160, 75
"""Largest side in pixels, and JPEG quality: 5 kB each."""

FREE = ("CC0-", "CC-BY-", "CC-PDM-", "LicenseRef-Public-Domain", "PDDL-")
"""Beginnings of licences (SPDX) under which a smaller copy may be passed on, its source being named."""


def may_be_shown(licence: str) -> bool:
    """Tell whether a publisher's words allow a smaller copy; not where they are unclear or allow no derivatives."""
    name = read_licence(licence).name
    return f"{name}-".startswith(FREE) and "-ND" not in name


def write_thumbnails(bundle: Path, run: "Run", table: str) -> int:
    """Write the pictures of those specimens that may be shown into a bundle; return how many there are.

    A picture is what the network sees first of an image, such as the whole plant, from the views that are stored.

    Args:
        bundle: the bundle's folder; pictures that are there are replaced.
        run: the bundle's.
        table: see ``reference_table``.
    """
    import pandas as pd

    from leafid.learning import first_views

    rows = pd.read_csv(io.StringIO(table), dtype=str, keep_default_na=False)
    shown = {image_id for image_id, licence in rows[["image_id", "license"]].to_numpy() if may_be_shown(licence)}
    path = bundle / THUMBNAILS
    path.unlink(missing_ok=True)
    if shown:
        with written_atomically(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for image_id, pixels in first_views(run, shown):
                archive.writestr(f"{image_id}.jpg", _small(pixels))
    return len(shown)


def read_thumbnail(bundle: Path, image_id: str) -> bytes | None:
    """Return the picture of a specimen as JPEG; None where there is none."""
    try:
        with zipfile.ZipFile(bundle / THUMBNAILS) as archive:
            return archive.read(f"{image_id}.jpg")
    except (OSError, KeyError, zipfile.BadZipFile):
        return None


def _small(pixels: NDArray[np.uint8]) -> bytes:
    picture = Image.fromarray(pixels)
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=QUALITY)
    return content.getvalue()
