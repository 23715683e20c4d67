"""Thumbnails of reference specimens, kept in the bundle only if the licence of the image allows it."""

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
"""Largest side in pixels, and JPEG quality: a thumbnail takes about 5 kB."""

PERMISSIVE_LICENCES = ("CC0-", "CC-BY-", "CC-PDM-", "LicenseRef-Public-Domain", "PDDL-")
"""Prefixes of SPDX licences that allow to share a smaller copy with attribution."""


def allows_thumbnail(licence: str) -> bool:
    """Return whether a publisher's licence text allows a smaller copy; unclear and no-derivatives licences do not."""
    name = read_licence(licence).name
    return f"{name}-".startswith(PERMISSIVE_LICENCES) and "-ND" not in name


def write_thumbnails(bundle: Path, run: "Run", table: str) -> int:
    """Write thumbnails of the specimens whose licence allows it into a bundle; return their number.

    A thumbnail is a smaller copy of the first stored view of an image, such as the whole plant.

    Args:
        bundle: the bundle's folder; existing thumbnails are replaced.
        run: the bundle's.
        table: see ``reference_table``.
    """
    import pandas as pd

    from leafid.learning import first_views

    rows = pd.read_csv(io.StringIO(table), dtype=str, keep_default_na=False)
    allowed = {image_id for image_id, licence in rows[["image_id", "license"]].to_numpy() if allows_thumbnail(licence)}
    path = bundle / THUMBNAILS
    path.unlink(missing_ok=True)
    if allowed:
        with written_atomically(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for image_id, pixels in first_views(run, allowed):
                archive.writestr(f"{image_id}.jpg", _jpeg_thumbnail(pixels))
    return len(allowed)


def _jpeg_thumbnail(pixels: NDArray[np.uint8]) -> bytes:
    thumbnail = Image.fromarray(pixels)
    thumbnail.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    thumbnail.save(content, "JPEG", quality=QUALITY)
    return content.getvalue()
