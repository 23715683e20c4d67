"""Pictures of what the leaf parser found."""

from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser import ParsedLeaf


def drawing(pixels: NDArray[np.uint8], leaves: Iterable[ParsedLeaf]) -> NDArray[np.uint8]:
    """Draw what was found over a picture."""
    factor = 900 / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    shown = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC))
    colours = [(255, 60, 60), (60, 160, 255), (255, 200, 0), (200, 60, 255), (0, 220, 160), (255, 120, 0)]
    for index, leaf in enumerate(leaves):
        colour = colours[index % len(colours)]
        mask = cv2.resize(leaf.full_mask(pixels.shape[:2]).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        outlines, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(shown, outlines, -1, colour, 2)
        lines = [(leaf.midrib, (255, 255, 255), 2), *((line, (255, 255, 0), 1) for line in leaf.left)]
        lines += [(line, (0, 255, 255), 1) for line in leaf.right]
        if leaf.petiole is not None:
            lines.append((leaf.petiole, (255, 0, 255), 2))
        for line, tint, thickness in lines:
            cv2.polylines(shown, [np.round(line * factor).astype(np.int32)], False, tint, thickness, cv2.LINE_AA)
        at = np.round(leaf.base * factor).astype(int)
        cv2.circle(shown, (int(at[0]), int(at[1])), 5, (255, 0, 0), -1)
        text = f"{leaf.count_left.expected:.1f}/{leaf.count_right.expected:.1f} s{leaf.score:.2f} "
        text += ",".join(reason.name[:4] for reason in leaf.reasons)
        middle = np.round(leaf.midrib[len(leaf.midrib) // 2] * factor).astype(int)
        place = (max(0, int(middle[0]) - 90), int(middle[1]))
        cv2.putText(shown, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.putText(shown, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (255, 255, 255), 1, cv2.LINE_AA)
    return np.asarray(shown, np.uint8)
