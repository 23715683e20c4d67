"""The watershed is that of scikit-image, which is imported only where markers compete."""

import subprocess
import sys

import numpy as np
import pytest
from skimage import segmentation

from leafid.sheets.watershed import watershed


@pytest.mark.parametrize("flat", [False, True])
def test_every_pixel_gets_the_marker_that_scikit_image_gives_it(flat: bool) -> None:
    random = np.random.default_rng(0)
    for density in (0.55, 0.62, 0.9):  # of the mask: from many small components to one
        mask = (random.random((90, 120)) < density).astype(np.uint8)
        height = np.zeros(mask.shape) if flat else random.random(mask.shape)
        markers = np.where((random.random(mask.shape) < 0.003) & (mask > 0), 1, 0).astype(np.int32)
        markers[markers > 0] = np.arange(markers.sum()) + 1
        assert markers.max() > 5
        expected = segmentation.watershed(height, markers=markers, mask=mask > 0)  # type: ignore[no-untyped-call]
        np.testing.assert_array_equal(watershed(height, markers, mask), expected)


def test_a_marker_alone_in_its_component_needs_no_flood() -> None:
    code = (
        "import sys, numpy as np\n"
        "from leafid.sheets.watershed import watershed\n"
        "mask = np.zeros((9, 9), np.uint8); mask[1:4, 1:4] = mask[6:8, 2:9] = 1\n"
        "markers = np.zeros((9, 9), np.int32); markers[2, 2], markers[6, 5], markers[7, 5] = 1, 2, 2\n"
        "labels = watershed(np.zeros((9, 9)), markers, mask)\n"
        "assert (labels[1:4, 1:4] == 1).all() and (labels[6:8, 2:9] == 2).all() and (labels[mask == 0] == 0).all()\n"
        "assert not {'skimage', 'scipy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
