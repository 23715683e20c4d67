"""What was measured, as lines over the leaf."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from leafid.characters.blade import Blade
from leafid.characters.extent import Extent
from leafid.characters.midrib import Points
from leafid.characters.straightening import StraightBlade
from leafid.characters.vein_count import VeinCount
from leafid.characters.vein_paths import VeinPath


@dataclass(frozen=True)
class Lines:
    """What was measured, as lines over the leaf: points (x, y) in pixels of the image that was given.

    Attributes:
        midrib: [N, 2] from apex to base.
        left: a line [M, 2] for each secondary vein on the left, from the apex downwards.
        right: the same on the right.
        widest: [4, 2] outermost point on the left, the midrib opposite it, the midrib opposite the outermost point
            on the right, that point.
        apex_angle: [3, 2] margin, apex, margin.
        base_angle: [3, 2] margin, base, margin.
    """

    midrib: Points
    left: tuple[Points, ...]
    right: tuple[Points, ...]
    widest: Points
    apex_angle: Points
    base_angle: Points


def _across(path: VeinPath, column: int, side: int) -> Points:
    """A path's points as columns and rows of the whole straightened blade."""
    return np.stack([column + side * path.points[:, 0], path.points[:, 1]], axis=1)


def lines_over(blade: Blade, straight: StraightBlade, extent: Extent, veins: VeinCount | None) -> Lines:
    """Bring what was measured on the straightened blade to the picture that was given."""

    def placed(points: list[tuple[float, float]] | Points) -> Points:
        return blade.to_crop(straight.to_working(np.asarray(points, np.float64)))

    def margins(row: float) -> tuple[tuple[float, float], tuple[float, float]]:
        at = int(np.clip(round(row), 0, len(extent.left) - 1))
        return (straight.column - extent.left[at], row), (straight.column + extent.right[at], row)

    column = float(straight.column)
    apex, base = (column, float(extent.apex)), (column, float(extent.base))
    above, below = (margins(extent.base - share * extent.length) for share in (0.75, 0.25))
    rows = np.linspace(extent.apex, extent.base, 40)
    left, right = (extent.apex + int(np.argmax(half[extent.apex :])) for half in (extent.left, extent.right))
    return Lines(
        midrib=placed(np.stack([np.full(40, float(straight.column)), rows], axis=1)),
        left=tuple(placed(_across(path, straight.column, -1)) for path in veins.left) if veins else (),
        right=tuple(placed(_across(path, straight.column, 1)) for path in veins.right) if veins else (),
        widest=placed(
            [(column - extent.left[left], left), (column, left), (column, right), (column + extent.right[right], right)]
        ),
        apex_angle=placed([above[0], apex, above[1]]),
        base_angle=placed([below[0], base, below[1]]),
    )
