"""Image quality is that of the photo, not of the vein maps drawn from it."""

import numpy as np

from leafid.jobs import Preprocessing, ViewCounts
from leafid.sheets import CropKind
from leafid.trust.image_quality import view_quality


def test_the_sharp_lines_of_a_vein_map_do_not_make_a_blurred_photo_sharp() -> None:
    blurred = np.tile(np.linspace(90, 130, 64).astype(np.uint8)[:, None, None], (1, 64, 3))
    drawn = np.full((64, 64, 3), 255, dtype=np.uint8)
    drawn[:, 32] = 0
    preprocessing = Preprocessing(size=64, views=ViewCounts(leaves=1, veins=1))
    quality = view_quality([blurred, drawn], [CropKind.LEAF, CropKind.VEINS], preprocessing)
    assert quality == view_quality([blurred], [CropKind.LEAF], preprocessing)
    assert quality.sharpness < 5
