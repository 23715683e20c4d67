"""Watershed from markers (Beucher & Lantuéjoul 1979), by scikit-image."""

import numpy as np
from numpy.typing import NDArray


def watershed(height: NDArray[np.floating], markers: NDArray[np.int32], mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Flood the mask from the markers, lowest pixels first; return the marker that reached each pixel, 0 for none.

    Gives what ``skimage.segmentation.watershed`` gives. That function imports scipy, which takes longer than the
    identification of a photo; its compiled part does not. OpenCV's watershed floods by differences of colour instead of
    height.

    Args:
        height: (h, w).
        markers: (h, w), 0 where there is none.
        mask: (h, w), above 0 where water may flow, to the four neighbours of a pixel.
    """
    try:
        from skimage.segmentation._watershed_cy import watershed_raveled
    except ImportError:  # private, and may move
        from skimage.segmentation import watershed as slow_to_import

        return np.asarray(slow_to_import(height, markers=markers, mask=mask > 0), np.int32)  # type: ignore[no-untyped-call]
    # A frame outside the mask, so that no neighbour of a pixel in it lies outside the array.
    heights, allowed = np.pad(height.astype(np.float64), 1), np.pad(mask > 0, 1).astype(np.int8)
    labels = np.pad(np.where(mask > 0, markers, 0).astype(np.int32), 1)
    row = labels.shape[1]
    watershed_raveled(
        heights.ravel(),
        np.flatnonzero(labels),
        np.array([-row, -1, 1, row]),  # the neighbours, as steps in the flat array
        allowed.ravel(),
        np.array([row, 1]),
        0.0,  # compactness: none
        labels.ravel(),  # a view, which is filled in
        False,  # no lines between the basins
    )
    return labels[1:-1, 1:-1].copy()
