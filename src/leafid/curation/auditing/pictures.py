"""One look at one image file: its vectors for the shortcut table, its thumbnail for the page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from leafid.curation.auditing.regions import PlantMask, Seen, look
from leafid.images import open_image

LOOKED_SIDE = 384
"""Shorter side, in pixels, at which images are looked at."""
THUMBNAIL = (180, 180)
"""Largest width and height of thumbnails, in pixels."""


@dataclass(frozen=True)
class Pictured:
    """What was asked for of an image: ``seen`` by regions, ``thumbnail`` as a data address for an HTML page."""

    seen: Seen | None
    thumbnail: str | None


def picture(path: Path, *, seen: bool, shown: bool, plant_mask: PlantMask | None) -> Pictured:
    """Open an image once and look at it.

    Raises:
        ImageError: the file cannot be read.
    """
    rgb = open_image(path, needed_side=LOOKED_SIDE).rgb
    scale = LOOKED_SIDE / min(rgb.size)
    if scale < 1:
        size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
        rgb = rgb.resize(size, Image.Resampling.BOX)
    vectors = look(np.asarray(rgb, dtype=np.uint8), plant_mask) if seen else None
    return Pictured(vectors, _thumbnail(rgb) if shown else None)


def _thumbnail(rgb: Image.Image) -> str:
    rgb.thumbnail(THUMBNAIL)
    content = io.BytesIO()
    rgb.save(content, "JPEG", quality=72)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")
