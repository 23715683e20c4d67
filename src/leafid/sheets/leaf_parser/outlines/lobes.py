"""On a plain ground, brings the leaves that were found together with the outlines of blades.

The lobes of a maple or an oak look like leaves, and a round blade like two halves. The outline distinguishes them: each
leaf has a base of its own on it, while lobes and halves begin where the petiole does, or inside the blade.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.choosing import SeenLeaf
from leafid.sheets.leaf_parser.graph import OVERVIEW_SIDE, VIEW_HEIGHT
from leafid.sheets.leaf_parser.leaf_view import LeafView
from leafid.sheets.leaf_parser.outlines.plain_ground import PlainGround, plain_ground
from leafid.sheets.leaf_parser.outlines.silhouettes import Silhouette, ThinPart, silhouettes
from leafid.sheets.leaf_parser.overview import FoundLeaf

Map = NDArray[np.float32]
Mask = NDArray[np.bool_]
LookAt = Callable[[FoundLeaf], SeenLeaf]

_CELL = 4
_OWN = 0.6  # share of a leaf that lies on a blade, from which it belongs there
_NOTHING = 0.1  # share of a leaf on objects, below which there is nothing but ground
_COVERED = 0.8  # share of a blade, below which its leaf lacks a part of it
_SOLID = 0.9  # share of its convex hull that no two leaves fill
_CLEAR = 0.7  # clearness from which each of several parts may be a leaf, where no other evidence decides
_DEEP = 0.25  # depth of a place inside the blade, as a share of the blade's largest, from which it is not its margin
_NEAR = 0.5  # distance from the petiole, likewise, within which a base is that of the whole
_OTHERS = 0.3  # share of what was found that may have a base of its own
_UNLIKE_GROUND = 0.6  # difference from the ground of what is added, as a share of the leaf's; a shadow has less
_FEW = 0.02  # share of the leaf that may be added whatever it is like
_GROWN = 1.25  # a blade may be so many times as large as what was found of it
_LEAST = 0.7  # and must be so many times as large


def with_outlines(seen: Sequence[SeenLeaf], rgb: NDArray[np.uint8], factor: float, look: LookAt) -> list[SeenLeaf]:
    """On a plain ground, leave out leaves where nothing lies, join the lobes of blades, and give each leaf its outline.

    Args:
        seen: leaves of the picture.
        rgb: uint8 (H, W, 3).
        factor: pixels of the overview's square per pixel of the picture.
        look: looks at a leaf.
    """
    if not seen:
        return []
    size = np.ceil(np.array(rgb.shape[:2]) * factor / _CELL).astype(int)
    cells = np.max([one.leaf.cells for one in seen], axis=0)[: size[0], : size[1]]
    ground = plain_ground(rgb, cells)
    if ground is None:
        return list(seen)
    result = [one for one in seen if _on_objects(one, ground) > _NOTHING]
    for blade in silhouettes(ground, cells):
        own = [(one, mask) for one in result if (mask := _on_blade(one, blade)) is not None]
        if not own:
            continue
        covered = np.logical_or.reduce([mask for _, mask in own]) & blade.mask
        whole = np.count_nonzero(covered) > _COVERED * np.count_nonzero(blade.mask)
        if (len(own) > 1 or not whole) and _is_one(blade, [one for one, _ in own]):
            joined = _whole(blade, [one for one, _ in own], factor, look)
            result = [one for one in result if all(one is not part for part, _ in own)] + [joined]
        elif len(own) == 1 and whole:
            one, mask = own[0]
            outline = _outlined(blade, one)
            if _agree(outline, mask, ground):
                result = [replace(each, outline=outline) if each is one else each for each in result]
    return sorted(result, key=lambda one: -float(one.leaf.cells.sum()))


def _on_objects(one: SeenLeaf, ground: PlainGround) -> float:
    """Share of a leaf that lies on something, and not on the bare ground."""
    mask, area = _in_frame(one, (0, 0), ground.factor, ground.objects.shape)
    return float(np.count_nonzero(mask & ground.objects) / max(area, 1.0))


def _on_blade(one: SeenLeaf, blade: Silhouette) -> Mask | None:
    """The leaf in the frame of a blade [h, w], if most of it lies there."""
    mask, area = _in_frame(one, blade.corner, blade.factor, blade.mask.shape)
    return mask if np.count_nonzero(mask & blade.mask) > _OWN * area else None


def _in_frame(one: SeenLeaf, corner: tuple[float, float], factor: float, shape: tuple[int, ...]) -> tuple[Mask, float]:
    """The leaf in a frame [h, w] of the reduced picture, and its area, also outside the frame."""
    back = np.array([[1.0, 0, corner[0]], [0, 1, corner[1]], [0, 0, factor]]) / factor
    view = LeafView(one.look.view.matrix @ back)
    mask = view.paste(one.look.blade, (0, 0, shape[1], shape[0])) >= 0.5
    pixel = (VIEW_HEIGHT / one.look.blade.shape[0]) ** 2 / abs(float(np.linalg.det(view.matrix[:, :2])))
    return mask, np.count_nonzero(one.look.blade >= 0.5) * pixel


def _agree(outline: Silhouette, mask: Mask, ground: PlainGround) -> bool:
    """Whether an outline is about that of the leaf, and what it adds differs from the ground as the leaf does."""
    area = max(1.0, float(np.count_nonzero(mask)))
    if not _LEAST < np.count_nonzero(outline.mask) / area < _GROWN:
        return False
    left, top = (round(side) for side in outline.corner)
    height, width = mask.shape
    low = np.maximum([-top, -left], 0)
    away = ground.away[top + low[0] : top + height, left + low[1] : left + width]
    near = cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8))[low[0] :, low[1] :][
        : away.shape[0], : away.shape[1]
    ]
    inside = outline.mask[low[0] :, low[1] :][: away.shape[0], : away.shape[1]]
    added = away[inside & (near == 0)]
    if len(added) < _FEW * area:
        return True
    return bool(np.median(added) > _UNLIKE_GROUND * np.median(away[inside & (near > 0)]))


def _is_one(blade: Silhouette, parts: Sequence[SeenLeaf]) -> bool:
    """Whether a blade in which several leaves, or a part of one, were found is a single leaf."""
    if blade.joints:
        return False
    if blade.solidity > _SOLID and min(part.look.clearness for part in parts) < _CLEAR:
        return True
    if not blade.thin:
        return False
    depth = np.asarray(cv2.distanceTransform(np.pad(blade.mask, 1).astype(np.uint8), cv2.DIST_L2, 5))[1:-1, 1:-1]
    deep, near = _DEEP * float(depth.max()), _NEAR * blade.radius
    others = total = 0.0
    for part in parts:
        size = float(part.leaf.cells.sum())
        total += size
        base = blade.to_mask(part.look.view.to_picture(part.look.ends.base[None]))[0]
        column, row = np.clip(base.astype(int), 0, np.array(depth.shape[::-1]) - 1)
        if depth[row, column] < deep and not any(np.hypot(*(base - thin.joint)) < near for thin in blade.thin[:1]):
            others += size
    return others < _OTHERS * total


def _whole(blade: Silhouette, parts: Sequence[SeenLeaf], factor: float, look: LookAt) -> SeenLeaf:
    petiole = blade.thin[0] if blade.thin else None
    outline = replace(blade, mask=blade.without(petiole))
    rows, columns = np.nonzero(outline.mask)
    places = np.stack([columns, rows], axis=1) + 0.5
    middle = places.mean(axis=0)
    base = petiole.joint if petiole is not None else None
    if base is None:
        largest = max(parts, key=lambda part: float(part.leaf.cells.sum()))
        base = blade.to_mask(largest.look.view.to_picture(largest.look.ends.base[None]))[0]
    along = (middle - base) / max(float(np.hypot(*(middle - base))), 1e-6)
    apex = places[int(((places - base) @ along).argmax())]
    ends = blade.to_picture(np.stack([base, apex])) * factor
    score = max(part.leaf.score for part in parts)
    return replace(look(FoundLeaf(_cells(outline, factor), ends[0], ends[1], score)), outline=outline)


def _cells(blade: Silhouette, factor: float) -> Map:
    """The share of each cell of the overview [64, 64] that a blade covers."""
    side = OVERVIEW_SIDE // _CELL
    scale = factor / _CELL / blade.factor
    left, top = (max(0, round(side)) for side in blade.corner)
    full = np.pad(blade.mask, ((top, 0), (left, 0))).astype(np.float32)
    size = (max(1, round(full.shape[1] * scale)), max(1, round(full.shape[0] * scale)))
    small = np.asarray(cv2.resize(full, size, interpolation=cv2.INTER_AREA), np.float32)[:side, :side]
    return np.pad(small, ((0, side - small.shape[0]), (0, side - small.shape[1])))


def _outlined(blade: Silhouette, one: SeenLeaf) -> Silhouette:
    """The blade without its petiole: the thin part that is nearer to the leaf's base than to its apex."""
    base, apex = blade.to_mask(one.look.view.to_picture(np.stack([one.look.ends.base, one.look.ends.apex])))

    def is_petiole(thin: ThinPart) -> bool:
        return float(np.hypot(*(thin.joint - base))) < min(float(np.hypot(*(thin.joint - apex))), 2 * blade.radius)

    petiole = next((thin for thin in blade.thin if is_petiole(thin)), None)
    return replace(blade, mask=blade.without(petiole))
