"""The watershed is that of scikit-image, without the time that its import takes."""

import subprocess
import sys

import numpy as np
import pytest
from skimage import segmentation

from leafid.sheets.crops.watershed import watershed


@pytest.mark.parametrize("flat", [False, True])
def test_every_pixel_gets_the_marker_that_scikit_image_gives_it(flat: bool) -> None:
    random = np.random.default_rng(0)
    for density in (0.55, 0.62, 0.9):  # of the mask: from many small components to one
        mask = (random.random((90, 120)) < density).astype(np.uint8)
        height = np.zeros(mask.shape) if flat else random.random(mask.shape).astype(np.float32)
        markers = (random.random(mask.shape) < 0.003).astype(np.int32)  # some of them outside the mask
        markers[markers > 0] = np.arange(markers.sum()) + 1
        expected = segmentation.watershed(height, markers=markers, mask=mask > 0)  # type: ignore[no-untyped-call]
        assert len(np.unique(expected)) > 5
        np.testing.assert_array_equal(watershed(height, markers, mask), expected)


def test_it_does_not_import_scipy() -> None:
    code = (
        "import sys, numpy as np\n"
        "from leafid.sheets.crops.watershed import watershed\n"
        "mask = np.ones((3, 9), np.uint8); markers = np.zeros((3, 9), np.int32); markers[1, [0, 8]] = 1, 2\n"
        "assert watershed(np.zeros((3, 9)), markers, mask)[0].tolist()[:3] == [1, 1, 1]\n"
        "sys.exit('scipy' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
