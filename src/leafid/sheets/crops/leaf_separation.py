"""Separate the leaves of a plant mask: remove twigs, and cut touching and overlapping leaves apart.

A blade is wide where a petiole is thin, so a morphological opening keeps blades only. Two touching leaves are joined by
a neck narrower than both. The watershed of the distance to the outline finds the neck. It is cut only if it is clearly
narrower than the leaves on both sides, so that lobed leaves stay whole. Overlapping leaves have no neck: they are cut
between the notches where their outlines cross (`outline_cuts`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.crops.outline_cuts import cut_between_notches
from leafid.sheets.crops.watershed import watershed

# "Of the side" means a share of the mask's long side.
MIN_LEAF_DIAMETER = 0.018  # of the side; about 8 mm on a sheet
TIP = 0.02  # of the side; distance by which a blade grows back into tip and petiole
MIN_BASE_DOMINANCE = 1.5  # area of the petiole with its twig by that of the leaf's tip, which is much smaller
MAX_NECK = 0.78  # width of a neck, as a share of the narrower part; a wider neck is not cut
MAX_TWIG = 0.22  # half-width of a twig or petiole, as a share of the half-width of the blade beside it
MIN_SOLIDITY = 0.80  # share of its convex hull that a leaf fills; less is several leaves, or a torn or lobed leaf
MIN_COMPLETENESS = 0.5  # share of a leaf's outline that is neither a cut against another leaf nor cut off
MIN_FILL_RATIO = 0.85  # share of the area inside a leaf's outline that is plant and not hole
_BOX_MARGIN = 8  # pixels around the plant; more than any filter of the search reaches
MIN_LOBED_SOLIDITY = 0.60  # `MIN_SOLIDITY` for a complete component that touches no other: it can only be a lobed leaf


@dataclass(frozen=True)
class LeafRegion:
    """One leaf in a plant mask; all positions in pixels of that mask.

    Attributes:
        window: Left, top, width and height of `shape` in the mask.
        shape: True on the leaf, bool (height, width).
        base: Point where the petiole or twig joins (x, y in the mask); None without one.
        completeness: Share of the blade's outline that is not a cut against another leaf, 0..1.
        solidity: Share of its convex hull that the leaf fills, 0..1.
        fill_ratio: Share of the region that is plant and not hole, 0..1; bundles of roots or stems have many holes.
    """

    window: tuple[int, int, int, int]
    shape: NDArray[np.bool_]
    base: tuple[float, float] | None
    completeness: float
    solidity: float
    fill_ratio: float

    @property
    def area(self) -> int:
        """Number of pixels of the mask on the leaf."""
        return int(self.shape.sum())

    def moved(self, x: int, y: int) -> LeafRegion:
        """Return the region in a mask that begins x pixels further left and y further up."""
        left, top, width, height = self.window
        base = None if self.base is None else (self.base[0] + x, self.base[1] + y)
        return replace(self, window=(left + x, top + y, width, height), base=base)


def separate_leaves(mask: NDArray[np.bool_]) -> list[LeafRegion]:
    """Find single leaves in a plant mask, largest first.

    Args:
        mask: True on the plant, bool (h, w), with a long side of about 1,000 pixels.

    Returns:
        The leaves that can be separated; parts where leaves overlap too much are left out.
    """
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    left, top = max(0, x - _BOX_MARGIN), max(0, y - _BOX_MARGIN)
    box = mask[top : y + h + _BOX_MARGIN, left : x + w + _BOX_MARGIN]
    return [region.moved(left, top) for region in _regions(box, max(mask.shape))] if w else []


def _regions(mask: NDArray[np.bool_], side: int) -> list[LeafRegion]:
    """Find single leaves in the box around a plant; ``side`` is the long side of the whole mask."""
    smallest = max(4.0, MIN_LEAF_DIAMETER * side)
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    plant = _fill_small_holes(np.asarray(closed, dtype=np.uint8), int(smallest * smallest))
    depth = np.asarray(cv2.distanceTransform(plant, cv2.DIST_L2, 5), dtype=np.float32)
    blades = _cut_at_necks(_remove_twigs(plant, depth, smallest / 2), depth, smallest / 2)
    grown = _grow_tips(blades, plant, round(TIP * side))
    bases = _bases(blades, plant)
    regions = []
    for number, window in _windows(grown).items():
        region = _leaf_region(number, window, grown, blades, mask, bases.get(number))
        if region is not None and region.area > 0.5 * smallest * smallest:
            regions.append(region)
    return sorted(regions, key=lambda region: -region.area)


def _fill_small_holes(plant: NDArray[np.uint8], largest: int) -> NDArray[np.uint8]:
    count, labels, stats, _ = cv2.connectedComponentsWithStats(1 - plant, connectivity=4)
    hole = stats[:, cv2.CC_STAT_AREA] < largest
    hole[0] = False
    height, width = plant.shape
    x, y, w, h = (stats[:, column] for column in range(4))
    hole &= (x > 0) & (y > 0) & (x + w < width) & (y + h < height)
    return np.asarray(plant | hole[labels] if count > 1 else plant, dtype=np.uint8)


def _remove_twigs(plant: NDArray[np.uint8], depth: NDArray[np.float32], smallest: float) -> NDArray[np.uint8]:
    """Open each component by a share of its own greatest half-width, so that small plants keep their small leaves."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(plant, connectivity=8)
    blades = np.zeros_like(plant)
    for number in range(1, count):
        x, y, w, h = (int(value) for value in stats[number, :4])
        window = np.s_[y : y + h, x : x + w]
        inside = labels[window] == number
        widest = float(depth[window][inside].max())
        if widest < smallest:
            continue
        radius = max(2.0, min(MAX_TWIG * widest, smallest))
        blades[window] |= _open(inside.astype(np.uint8), radius)
    return blades


def _open(shape: NDArray[np.uint8], radius: float) -> NDArray[np.uint8]:
    """Open by a disc; two distance transforms do it at a cost that does not grow with the radius."""
    padded = cv2.copyMakeBorder(shape, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    core = cv2.distanceTransform(padded, cv2.DIST_L2, 5) > radius
    if not core.any():
        return np.zeros_like(shape)
    opened = cv2.distanceTransform((~core).astype(np.uint8), cv2.DIST_L2, 5) <= radius
    return np.asarray(opened[1:-1, 1:-1] & (shape > 0), dtype=np.uint8)


def _cut_at_necks(blades: NDArray[np.uint8], depth: NDArray[np.float32], smallest: float) -> NDArray[np.int32]:
    """Label the blades, int32 (h, w), 0 outside, and cut them where a neck is narrower than `MAX_NECK`."""
    inside = np.where(blades > 0, depth, 0).astype(np.float32)
    smooth = np.asarray(cv2.GaussianBlur(inside, (0, 0), 1.5), dtype=np.float32)
    reach = max(3, int(smallest) | 1)
    highest = cv2.dilate(smooth, np.ones((reach, reach), np.uint8))
    peaks = ((smooth >= highest) & (smooth > 0.5 * smallest) & (blades > 0)).astype(np.uint8)
    peak_count, connected = cv2.connectedComponents(peaks, connectivity=8)
    markers = np.asarray(connected, dtype=np.int32)
    if peak_count < 2:
        return np.zeros(blades.shape, np.int32)
    peak_depth = np.zeros(peak_count, np.float32)
    np.maximum.at(peak_depth, markers.ravel(), smooth.ravel())
    peak_depth[0] = 0
    labels = watershed(-smooth, markers, blades)
    necks = _necks(labels, smooth)
    parent = list(range(peak_count))

    def root(number: int) -> int:
        while parent[number] != number:
            number = parent[number]
        return number

    for (first, second), neck in sorted(necks.items(), key=lambda item: -item[1]):
        a, b = root(first), root(second)
        if a != b and neck > MAX_NECK * min(peak_depth[a], peak_depth[b]):
            parent[b] = a
            peak_depth[a] = max(peak_depth[a], peak_depth[b])
    merged = np.array([root(number) for number in range(peak_count)], np.int32)
    return _cut_clusters(np.asarray(merged[labels]))


def _cut_clusters(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Cut components between the notches of their outlines, where leaves overlap; each part gets its own number."""
    cut, free = labels.copy(), int(labels.max()) + 1
    for number, (x, y, w, h) in _windows(labels).items():
        piece = (labels[y : y + h, x : x + w] == number).astype(np.uint8)
        outlines, _ = cv2.findContours(piece, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        lines = cut_between_notches(np.asarray(max(outlines, key=cv2.contourArea), np.int32))
        if not lines:
            continue
        apart = piece.copy()
        for start, end in lines:
            cv2.line(apart, start, end, 0, 2)  # two pixels wide, so that the parts do not meet at a corner
        count, parts = cv2.connectedComponents(apart, connectivity=4)
        nearest = watershed(np.zeros(piece.shape), np.asarray(parts, np.int32), piece)
        view = cut[y : y + h, x : x + w]
        view[piece > 0] = nearest[piece > 0] + free
        free += count
    return cut


def _necks(labels: NDArray[np.int32], depth: NDArray[np.float32]) -> dict[tuple[int, int], float]:
    """Return the greatest depth on the border between each two neighbouring basins."""
    necks: dict[tuple[int, int], float] = {}
    size = int(labels.max()) + 1
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        a, b = labels[one], labels[other]
        border = (a != b) & (a > 0) & (b > 0)
        first, second = a[border].astype(np.int64), b[border].astype(np.int64)
        pairs, index = np.unique(np.minimum(first, second) * size + np.maximum(first, second), return_inverse=True)
        deepest = np.zeros(len(pairs), np.float32)
        np.maximum.at(deepest, index, np.minimum(depth[one][border], depth[other][border]))
        for pair, value in zip(pairs.tolist(), deepest.tolist(), strict=True):
            key = divmod(pair, size)
            necks[key] = max(necks.get(key, 0.0), value)
    return necks


def _grow_tips(blades: NDArray[np.int32], plant: NDArray[np.uint8], steps: int) -> NDArray[np.int32]:
    """Restore the tips and teeth that the opening removed: blades grow into the plant by `steps` pixels."""
    labels = blades.astype(np.uint16)
    free = ((plant > 0) & (labels == 0)).astype(np.uint16)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    square = np.ones((3, 3), np.uint8)
    for step in range(steps):
        # Alternating the two makes the front an octagon, nearly a circle.
        spread = np.asarray(cv2.dilate(labels, cross if step % 2 else square), dtype=np.uint16)
        spread *= free
        labels += spread
        free[spread > 0] = 0
    return labels.astype(np.int32)


def _bases(blades: NDArray[np.int32], plant: NDArray[np.uint8]) -> dict[int, tuple[float, float]]:
    """Find where the petiole joins each blade: where the largest thin part of the plant touches it (x, y in the mask).

    The opening removed from a leaf its petiole (with the twig behind it) and its tip, which is far smaller. Blades with
    two thin parts of similar size are left out.
    """
    thin = ((plant > 0) & (blades == 0)).astype(np.uint8)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(thin, connectivity=8)
    beside = cv2.dilate(blades.astype(np.uint16), np.ones((3, 3), np.uint8)).astype(np.int64)
    rows, columns = np.nonzero((thin > 0) & (beside > 0))
    blade, part = beside[rows, columns], parts[rows, columns]
    bases = {}
    for number in np.unique(blade):
        of_blade = blade == number
        touching = np.unique(part[of_blade])
        sizes = stats[touching, cv2.CC_STAT_AREA]
        order = np.argsort(-sizes)
        if len(order) > 1 and sizes[order[0]] < MIN_BASE_DOMINANCE * sizes[order[1]]:
            continue
        joins = of_blade & (part == touching[order[0]])
        bases[int(number)] = (float(columns[joins].mean()), float(rows[joins].mean()))
    return bases


def _windows(labels: NDArray[np.int32]) -> dict[int, tuple[int, int, int, int]]:
    """Return the bounding box (left, top, width, height) of each label, a pixel larger on each side where possible."""
    height, width = labels.shape
    rows, columns = np.nonzero(labels)
    numbers = labels[rows, columns]
    size = int(labels.max()) + 1
    left, top = np.full(size, width), np.full(size, height)
    right, bottom = np.full(size, -1), np.full(size, -1)
    np.minimum.at(left, numbers, columns)
    np.minimum.at(top, numbers, rows)
    np.maximum.at(right, numbers, columns)
    np.maximum.at(bottom, numbers, rows)
    found = {}
    for number in np.flatnonzero(right >= 0):
        x0, y0 = max(0, int(left[number]) - 1), max(0, int(top[number]) - 1)
        x1, y1 = min(width, int(right[number]) + 2), min(height, int(bottom[number]) + 2)
        found[int(number)] = (x0, y0, x1 - x0, y1 - y0)
    return found


def _leaf_region(
    number: int,
    window: tuple[int, int, int, int],
    grown: NDArray[np.int32],
    blades: NDArray[np.int32],
    mask: NDArray[np.bool_],
    base: tuple[float, float] | None,
) -> LeafRegion | None:
    """Measure one region; return None if it is not like a leaf."""
    x, y, w, h = window
    view = np.s_[y : y + h, x : x + w]
    blade = (blades[view] == number).astype(np.uint8)
    if not blade.any():
        return None
    shape = largest_component((grown[view] == number).astype(np.uint8))
    contours, _ = cv2.findContours(blade, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    contour = max(contours, key=cv2.contourArea)
    solidity = cv2.contourArea(contour) / max(1.0, cv2.contourArea(cv2.convexHull(contour)))
    completeness = _own_outline_share(contour[:, 0] + np.array([x, y]), blades, number)
    fill_ratio = float(mask[view][shape > 0].mean())
    least_solid = MIN_SOLIDITY if completeness < 0.97 else MIN_LOBED_SOLIDITY
    if solidity < least_solid or completeness < MIN_COMPLETENESS or fill_ratio < MIN_FILL_RATIO:
        return None
    return LeafRegion(window, shape > 0, base, completeness, float(solidity), fill_ratio)


def largest_component(shape: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the largest connected part of a shape of zeros and ones (h, w)."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats(shape, connectivity=8)
    if count <= 2:
        return shape
    return np.asarray(labels == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), dtype=np.uint8)


def _own_outline_share(contour: NDArray[np.int32], blades: NDArray[np.int32], number: int) -> float:
    """Return the share of a blade's outline (N, 2) that borders neither on another blade nor on the image's edge."""
    height, width = blades.shape
    own = np.ones(len(contour), np.bool_)
    for dx, dy in ((-2, 0), (2, 0), (0, -2), (0, 2)):
        xs, ys = contour[:, 0] + dx, contour[:, 1] + dy
        inside = (xs >= 0) & (ys >= 0) & (xs < width) & (ys < height)
        neighbour = blades[ys.clip(0, height - 1), xs.clip(0, width - 1)]
        own &= inside & ((neighbour == 0) | (neighbour == number))
    return float(own.mean())
