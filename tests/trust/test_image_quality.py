"""Image quality is that of the photo, not of the vein maps drawn from it."""

import numpy as np
import pytest

from leafid.sheets import CropKind, PreparedImage
from leafid.trust.image_quality import MIN_GOOD, fit_min_good, quality_with_sharpness


def test_the_sharp_lines_of_a_vein_map_do_not_make_a_blurred_photo_sharp() -> None:
    blurred = np.tile(np.linspace(90, 130, 64).astype(np.uint8)[:, None, None], (1, 64, 3))
    drawn = np.full((64, 64, 3), 255, dtype=np.uint8)
    drawn[:, 32] = 0
    quality = quality_with_sharpness(PreparedImage((blurred, drawn), (CropKind.LEAF, CropKind.VEINS), 64, 64))
    assert (
        quality.sharpness == quality_with_sharpness(PreparedImage((blurred,), (CropKind.LEAF,), 64, 64)).sharpness < 5
    )


@pytest.mark.parametrize(
    ("good", "limit"),
    [
        ([], None),
        ([0.9] * 100, MIN_GOOD),
        ([0.9] * 99 + [0.0], MIN_GOOD),  # a photo of a label among the training images changes nothing
        ([0.9] * 90 + [0.1] * 10, 0.1),
        ([0.9] * 50 + [0.0] * 50, None),  # what the bundle is for is no leaf to the gate
    ],
)
def test_the_limit_of_the_input_gate_lets_training_images_through(good: list[float], limit: float | None) -> None:
    fitted = fit_min_good([{"good": value} for value in good])
    assert fitted == (None if limit is None else pytest.approx(limit))
