"""Parts of one leaf are joined where they are clearer as one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from leafid.sheets.leaf_parser.choosing import SeenLeaf, joined
from leafid.sheets.leaf_parser.leaf_view import leaf_view
from leafid.sheets.leaf_parser.looking import Look
from leafid.sheets.leaf_parser.overview import FoundLeaf
from leafid.sheets.leaf_parser.reading import ViewEnds

_MIDRIB = np.array([[96.0, 318.0], [96.0, 30.0]])


def _found(rows: slice, columns: slice, base: tuple[float, float], apex: tuple[float, float]) -> FoundLeaf:
    cells = np.zeros((64, 64), np.float32)
    cells[rows, columns] = 1
    return FoundLeaf(cells, np.array(base), np.array(apex), 0.9)


@dataclass
class _Looks:
    """Sees every leaf as clearly as it is told."""

    clearness: float

    def __call__(self, leaf: FoundLeaf) -> SeenLeaf:
        return _seen(leaf, self.clearness)


def _seen(leaf: FoundLeaf, clearness: float) -> SeenLeaf:
    blade = np.ones((192, 96), np.float32)
    ends = ViewEnds(blade, clearness, _MIDRIB[0], _MIDRIB[1], _MIDRIB, 0.0)
    return SeenLeaf(leaf, Look(leaf_view(leaf.base, leaf.apex, None), np.zeros((1, 4, 384, 192), np.float32), {}, ends))


_LOWER = _found(slice(30, 60), slice(28, 36), (128.0, 240.0), (128.0, 20.0))
_UPPER = _found(slice(5, 30), slice(28, 36), (128.0, 120.0), (128.0, 20.0))


@pytest.mark.parametrize(("clearness", "left"), [(0.7, 1), (0.4, 2)])
def test_parts_are_joined_where_the_whole_is_clearer(clearness: float, left: int) -> None:
    result = joined([_seen(_LOWER, 0.5), _seen(_UPPER, 0.4)], _Looks(clearness))
    assert len(result) == left
    assert sum(float(one.leaf.cells.sum()) for one in result) == pytest.approx(55 * 8)
