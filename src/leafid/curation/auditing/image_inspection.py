"""Inspect an image file: features for the shortcut table, thumbnail for the page."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from leafid.curation.auditing.region_features import PlantMask, RegionFeatures, region_features
from leafid.images import guard_image, open_image

INSPECTED_SIDE = 384
"""Shorter side, in pixels, to which images are reduced."""
THUMBNAIL = (180, 180)
"""Largest width and height of thumbnails, in pixels."""


@dataclass(frozen=True)
class InspectedImage:
    """The requested parts of an image: ``features`` of its regions, ``thumbnail`` as a data URL for an HTML page."""

    features: RegionFeatures | None
    thumbnail: str | None


def inspect_image(
    path: Path, *, with_features: bool, with_thumbnail: bool, plant_mask: PlantMask | None
) -> InspectedImage:
    """Open an image once and compute what is requested.

    Raises:
        ImageError: the file cannot be read or inspected.
    """
    with guard_image(path):
        rgb = open_image(path, needed_side=INSPECTED_SIDE).rgb
        scale = INSPECTED_SIDE / min(rgb.size)
        if scale < 1:
            size = (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale)))
            rgb = rgb.resize(size, Image.Resampling.BOX)
        features = region_features(np.asarray(rgb, dtype=np.uint8), plant_mask) if with_features else None
        return InspectedImage(features, _thumbnail(rgb) if with_thumbnail else None)


def _thumbnail(rgb: Image.Image) -> str:
    rgb.thumbnail(THUMBNAIL)
    content = io.BytesIO()
    rgb.save(content, "JPEG", quality=72)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode("ascii")
