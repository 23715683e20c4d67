"""Images made smaller before they are searched: nothing else saves as much time."""

import cv2
import numpy as np
from numpy.typing import NDArray


def downscale(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """Reduce an image (H, W, 3), uint8, to this many pixels of its long side; a smaller one is returned as it is."""
    scale = longest / max(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), dtype=np.uint8)
