"""What is seen of a leaf when all is laid: its masks, its visible share, and how well its veins stand out."""

import cv2
import numpy as np
import numpy.typing as npt

from leafid.demo.leaf import Image8
from leafid.demo.outline import Points
from leafid.demo.photographs.stage import LaidLeaf
from leafid.demo.photographs.truth import Mask, PhotographedLeaf

SMALLEST_SHARE = 0.05  # of the frame's short side: what is shorter is not asked for
_CLEAR = 20.0  # colour difference (CIE 1976 L*a*b*) at which veins count as fully visible


def seen_leaf(laid: LaidLeaf, owner: npt.NDArray[np.int16], image: Image8) -> PhotographedLeaf | None:
    """Return what is known of a leaf, or nothing where too little of it is seen to be asked for."""
    leaf, patch = laid.leaf, laid.leaf.patch
    column, row = patch.offset
    height, width = owner.shape
    h, w = patch.alpha.shape
    top, left, bottom, right = max(row, 0), max(column, 0), min(row + h, height), min(column + w, width)
    if top >= bottom or left >= right:
        return None
    inner = np.s_[top - row : bottom - row, left - column : right - column]
    visible = owner[top:bottom, left:right] == laid.number
    whole = (leaf.whole[inner] >= 0.5) | visible
    shown = np.argwhere(visible)
    if len(shown) < 12 or np.ptp(shown, axis=0).max() + 1 < SMALLEST_SHARE * min(height, width):
        return None
    present = (patch.alpha[inner] >= 0.5) | visible
    seen, inside = float(visible.sum()), float(whole.sum())
    return PhotographedLeaf(
        offset=(left, top),
        visible=visible,
        whole=whole,
        visible_fraction=min(seen / max(leaf.whole_area, inside), 1.0),
        cut_by_frame=leaf.outside > 0.01,
        overlapped=bool(seen < 0.9 * present.sum()),
        folded=leaf.folded,
        facing=leaf.facing,
        face=leaf.face,
        base_xy=leaf.midrib[0],
        apex_xy=leaf.midrib[-1],
        petiole=laid.petiole,
        midrib=leaf.midrib,
        left=leaf.left,
        right=leaf.right,
        veins_visible=_contrast(leaf.left + leaf.right, visible, (left, top), leaf.vein_px, image),
    )


def _contrast(
    lines: tuple[Points, ...], visible: Mask, offset: tuple[int, int], vein_px: float, image: Image8
) -> float:
    """Colour difference between seen secondaries and the blade on both sides of them, relative to `_CLEAR`.

    Means over each vein are compared, so that noise does not count as contrast; a vein that only parts light from
    shade counts by a quarter of the difference of its sides.
    """
    height, width = visible.shape
    area = image[offset[1] : offset[1] + height, offset[0] : offset[0] + width]
    lab = cv2.cvtColor(area.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    aside = max(1.5 * vein_px, 1.5)
    differences = []
    for line in lines:
        inner = line[len(line) // 8 : max(7 * len(line) // 8, 4)] - offset
        if len(inner) < 3:
            continue
        tangent = np.gradient(inner, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
        spots = np.floor(np.stack([inner, inner + aside * normal, inner - aside * normal])).astype(int)  # [3, N, 2]
        spots = spots[:, ((spots >= 0) & (spots < (width, height))).all(axis=(0, 2))]
        seen = visible[spots[..., 1], spots[..., 0]].all(axis=0)
        if seen.sum() < 3:
            continue
        vein, one, other = lab[spots[:, seen, 1], spots[:, seen, 0]].mean(axis=1)
        edge = float(np.linalg.norm(one - other)) / 2
        differences.append(float(np.hypot(np.linalg.norm(vein - (one + other) / 2), 0.5 * edge)))
    return min(float(np.mean(differences)) / _CLEAR, 1.0) if differences else 0.0
