"""Areas of outlines in pixels, and which part of the frame they take."""

import numpy as np
import numpy.typing as npt

from leafid.demo.outline import Points


def frame_box(outline: Points, frame: tuple[int, int]) -> npt.NDArray[np.int64] | None:
    """Return columns and rows (left, top, right, bottom) of what lies in the frame, with a rim of 3 pixels."""
    low = np.maximum(np.floor(outline.min(axis=0)) - 3, -3)
    high = np.minimum(np.ceil(outline.max(axis=0)) + 4, np.array(frame[::-1]) + 3)
    if np.any(high - low < 8):
        return None
    return np.concatenate([low, high]).astype(np.int64)


def area(polygon: Points) -> float:
    """Return the area of a closed polygon [N, 2]."""
    x, y = polygon[:, 0], polygon[:, 1]
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def area_in_frame(polygons: list[Points], frame: tuple[int, int]) -> float:
    """Return the area of polygons inside the frame [H, W], clipped at its four edges (Sutherland and Hodgman 1974)."""
    total = 0.0
    for polygon in polygons:
        part = polygon
        for axis, limit, sign in ((0, 0.0, 1), (0, float(frame[1]), -1), (1, 0.0, 1), (1, float(frame[0]), -1)):
            if len(part) == 0:
                break
            depth = sign * (part[:, axis] - limit)
            after = np.roll(part, -1, axis=0)
            depth_after = np.roll(depth, -1)
            crosses = (depth >= 0) != (depth_after >= 0)
            t = depth / np.where(crosses, depth - depth_after, 1)
            cut = part + t[:, None] * (after - part)
            both = np.stack([part, cut], axis=1).reshape(-1, 2)
            part = both[np.stack([depth >= 0, crosses], axis=1).reshape(-1)]
        total += area(part) if len(part) > 2 else 0.0
    return total
