"""Lead a midrib to the tip of its blade's outline: a long thin tip is often lost in the network's view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.leaf_view import Points

_BESIDE, _SLANT = 0.03, 0.7  # how far beside the axis a tip may lie: share of the length, and of the way beyond
_LEAST, _MOST = 0.01, 0.35  # length of what is added, as a share of that of the midrib
_BACK = 0.15  # part of the midrib, from its end, that gives its direction there


def led_to_tip(midrib: Points, mask: NDArray[np.bool_]) -> Points:
    """Lead a midrib on to the farthest place of a blade beyond its last point.

    Args:
        midrib: [N, 2] from the base to the apex, in pixels of the mask.
        mask: bool [h, w] of the whole blade, its tip included.

    Returns:
        The midrib, with two more points where the blade goes on beyond it: one half-way, and the tip.
    """
    length = float(np.hypot(*np.diff(midrib, axis=0).T).sum())
    apex = midrib[-1]
    before = midrib[max(0, round(len(midrib) * (1 - _BACK)) - 1)]
    along = (apex - before) / max(float(np.hypot(*(apex - before))), 1e-6)
    rows, columns = np.nonzero(mask)
    places = np.stack([columns, rows], axis=1) + 0.5 - apex
    beyond, beside = places @ along, np.abs(places @ np.array([-along[1], along[0]]))
    there = (beyond > 0) & (beyond < _MOST * length) & (beside < _BESIDE * length + _SLANT * beyond)
    if not there.any():
        return midrib
    reach = np.where(there, beyond - 0.5 * beside, -np.inf)
    farthest = int(reach.argmax())
    tip = float(np.hypot(*places[farthest]))
    if tip < _LEAST * length:
        return midrib
    half = there & (np.abs(np.hypot(*places.T) - tip / 2) < max(1.0, 0.1 * tip))
    near = half & (np.hypot(*(places - places[farthest] / 2).T) < max(2.0, 0.5 * tip))
    middle = places[near].mean(axis=0) if near.any() else places[farthest] / 2
    return np.concatenate([midrib, np.stack([middle, places[farthest]]) + apex])
