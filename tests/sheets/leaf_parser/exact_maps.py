"""Drawn photographs, and the maps that networks without any error would answer for them."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.demo import DrawnPhotograph, PhotographedLeaf, draw_photograph
from leafid.sheets.leaf_parser.leaf_view import LeafView, half_width_of, leaf_view
from leafid.sheets.leaf_parser.overview import letterboxed
from leafid.sheets.leaf_parser.targets import LeafTruth, overview_targets, view_targets

Map = NDArray[np.float32]


@dataclass(frozen=True)
class ExactOverview:
    """Maps of the overview network, and the label map and leaves in its pixels that they were made from."""

    maps: Map
    labels: NDArray[np.uint8]
    leaves: list[LeafTruth]


def truth_of(leaf: PhotographedLeaf) -> LeafTruth:
    """A drawn leaf as the targets want it."""
    facts = {
        "overlapped": float(leaf.overlapped),
        "folded": float(leaf.folded),
        "cut": float(leaf.cut_by_frame),
        "abaxial": float(leaf.face == "abaxial"),
        "veins_visible": 1.0,
        "visible_fraction": leaf.visible_fraction,
    }
    petiole = leaf.petiole if len(leaf.petiole) > 1 else None
    return LeafTruth(leaf.base_xy, leaf.apex_xy, leaf.midrib, leaf.left, leaf.right, petiole, facts)


def photographs(first: int, number: int) -> list[DrawnPhotograph]:
    """Small drawn photographs."""
    return [draw_photograph(seed, long_side=640) for seed in range(first, first + number)]


def exact_overview(photo: DrawnPhotograph) -> ExactOverview:
    """What the overview network should answer."""
    square, factor = letterboxed(photo.image)
    height, width = photo.image.shape[:2]
    size = (round(width * factor), round(height * factor))
    labels = np.zeros(square.shape[:2], np.uint8)
    for number, leaf in enumerate(photo.leaves, start=1):
        mask = leaf.visible_mask((height, width)).astype(np.uint8)
        labels[: size[1], : size[0]][cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST) > 0] = number
    scaled = np.array([[factor, 0, 0], [0, factor, 0]])
    leaves = [truth_of(leaf).moved(scaled) for leaf in photo.leaves]
    maps, _ = overview_targets(labels, leaves, size)
    return ExactOverview(np.concatenate([_logits(maps[:3]), maps[3:8], _logits(maps[8:])]), labels, leaves)


def exact_view(photo: DrawnPhotograph, leaf: PhotographedLeaf) -> tuple[LeafView, LeafTruth, dict[str, Map]]:
    """The view of a leaf, its truth in pixels of the view, and what the leaf network should answer."""
    mask = leaf.visible_mask((photo.image.shape[0], photo.image.shape[1]))
    rows, columns = np.nonzero(mask)
    places = np.asarray(np.stack([columns, rows], axis=1) + 0.5, np.float64)
    view = leaf_view(leaf.base_xy, leaf.apex_xy, half_width_of(places, leaf.base_xy, leaf.apex_xy))
    truth = truth_of(leaf)
    targets = view_targets(truth, view, view.cut_mask(mask.astype(np.float32)))
    answers = {name: _logits(targets[name]) for name in ("fine", "coarse", "rows", "facts")}
    answers["coarse"][2] = targets["coarse"][2]
    return view, truth.moved(view.matrix), answers


def _logits(chance: Map) -> Map:
    clipped = np.clip(chance, 1e-4, 1 - 1e-4)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)
