"""Watershed from markers: which marker's water reaches a pixel first."""

import cv2
import numpy as np
from numpy.typing import NDArray


def watershed(height: NDArray[np.floating], markers: NDArray[np.int32], mask: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Flood the mask from the markers, lowest pixels first; return the marker that reached each pixel, 0 for none.

    Args:
        height: (h, w).
        markers: (h, w), 0 where there is none.
        mask: (h, w), above 0 where water may flow.
    """
    count, components = cv2.connectedComponents(mask, connectivity=4)
    marked = (markers > 0) & (mask > 0)
    component, marker = np.unique(np.stack([components[marked], markers[marked]]), axis=1)
    if len(np.unique(component)) < len(component):  # two markers compete for a component
        # cv2.watershed floods by differences of colour instead of height, so it cannot be used here.
        from skimage import segmentation

        return np.asarray(segmentation.watershed(height, markers=markers, mask=mask > 0), np.int32)  # type: ignore[no-untyped-call]
    # Each marker fills its component. Leaves often lie apart, and the import of scikit-image takes longer than the
    # identification of a photo.
    filled = np.zeros(count, np.int32)
    filled[component] = marker
    return np.asarray(filled[components])
