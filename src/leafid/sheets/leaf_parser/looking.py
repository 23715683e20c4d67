"""Looks at one leaf of a picture: cuts its view, runs the leaf network, and looks again where the answer is unclear."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.sheets.leaf_parser.choosing import SeenLeaf, main_axes
from leafid.sheets.leaf_parser.engines import Answers, Network
from leafid.sheets.leaf_parser.graph import FACTS
from leafid.sheets.leaf_parser.leaf_view import (
    APEX_ROW,
    BASE_ROW,
    VIEW_ENDS,
    LeafView,
    Points,
    Prior,
    half_width_of,
    leaf_view,
)
from leafid.sheets.leaf_parser.overview import FoundLeaf
from leafid.sheets.leaf_parser.reading import ViewEnds, ViewReading, read_ends, read_view

Map = NDArray[np.float32]

_SURE = 0.5  # probability from which a view is upside down
_EXCHANGED = [1, 0, 3, 2]  # signals of the rows with left and right exchanged
_CLEAR = 0.5  # clearness below which the blade's main axes are tried as well
_LOOKS = 1  # most further looks at a leaf whose ends were found elsewhere than expected
_MOVED = 0.04  # share of the length from which ends are elsewhere
_NOT_WHOLE = ("cut", "overlapped", "folded")
_SURELY_NOT_WHOLE = 2.2  # log odds
_FINER = 1.4  # pixels of the picture per pixel of the view from which a reduced picture is as good


@dataclass(frozen=True)
class Look:
    """One view, what was shown of it [1, 4, 384, 192], what the network answered, and the ends in that answer."""

    view: LeafView
    shown: Map
    answers: Answers
    ends: ViewEnds

    @property
    def blade(self) -> Map:
        """Probability [192, 96] of the blade."""
        return self.ends.blade

    @property
    def clearness(self) -> float:
        """How clearly a leaf lies just so, 0 to 1."""
        return self.ends.clearness


class Looker:
    """Looks at leaves of one picture, uint8 (H, W, 3)."""

    def __init__(self, rgb: NDArray[np.uint8], network: Network) -> None:
        self._levels, self._network = [rgb], network

    def leaf(self, found: FoundLeaf, factor: float, *, axes: bool = True) -> SeenLeaf:
        """Look at a leaf of the overview, whose square has `factor` pixels per pixel of the picture.

        With `axes`, the blade's main axes are tried as well where no leaf is clear between the ends of the overview.
        """
        prior = Prior(found.cells, 4 / factor)
        rows, columns = np.nonzero(found.cells)
        cells = np.asarray((np.stack([columns, rows], axis=1) + 0.5) * (4 / factor), np.float64)
        looks = [self.between(found.base / factor, found.apex / factor, cells, prior)]
        for base, apex in main_axes(cells) if axes else ():
            if max(look.clearness for look in looks) < _CLEAR:
                looks.append(self.between(base, apex, cells, prior))
        return SeenLeaf(found, max(looks, key=lambda look: look.clearness))

    def between(self, base: Points, apex: Points, blade: Points, prior: Prior, *, turn: bool = True) -> Look:
        """Look between two ends; again the other way round where the apex is below, and where the ends lie elsewhere.

        Args:
            base: [2] in pixels of the picture.
            apex: [2].
            blade: places [N, 2] of the blade, from which its width is taken.
            prior: a first mask.
            turn: whether base and apex may be exchanged.
        """
        look = self.at(leaf_view(base, apex, half_width_of(blade, base, apex)), prior)
        if turn and look.ends.upside_down > _SURE:
            turned = self.at(leaf_view(apex, base, half_width_of(blade, apex, base)), prior)
            if turned.ends.upside_down < look.ends.upside_down:
                look = turned
        for _ in range(_LOOKS):
            ends = np.stack([look.ends.base, look.ends.apex])
            if np.hypot(*(ends - VIEW_ENDS).T).max() < _MOVED * (BASE_ROW - APEX_ROW):
                break
            base, apex = look.view.to_picture(ends)
            look = self.at(leaf_view(base, apex, half_width_of(blade, base, apex)), prior)
        return look

    def at(self, view: LeafView, prior: Prior) -> Look:
        """Look at one view."""
        image, own = self._reduced(view)
        pixels = np.ascontiguousarray(np.moveaxis(own.cut(image), 2, 0), np.float32) / 127.5 - 1
        shown = np.concatenate([pixels, prior.cut(view)[None] * 2 - 1])[None]
        answers = self._network(shown)
        return Look(view, shown, answers, read_ends(answers))

    def read(self, look: Look) -> ViewReading:
        """Read all of a view, from the mean of the answers for it and for its mirror image.

        A leaf that surely is not whole is not measured: the answers for the view will do.
        """
        facts = dict(zip(FACTS, look.answers["facts"].ravel(), strict=True))
        if max(facts[name] for name in _NOT_WHOLE) > _SURELY_NOT_WHOLE:
            return read_view(look.answers)
        mirrored = self._network(np.ascontiguousarray(look.shown[:, :, :, ::-1]))
        turned = {name: mirrored[name][:, :, ::-1] for name in ("fine", "coarse")}
        turned |= {"rows": mirrored["rows"][_EXCHANGED], "facts": mirrored["facts"]}
        both = {name: np.asarray((value + turned[name]) / 2, np.float32) for name, value in look.answers.items()}
        return read_view(both)

    def _reduced(self, view: LeafView) -> tuple[NDArray[np.uint8], LeafView]:
        """The picture, halved as often as the view allows, and the view in it."""
        level, scale = 0, float(np.sqrt(abs(np.linalg.det(view.matrix[:, :2]))))
        while 2 * _FINER * scale <= 0.5**level and min(self._levels[level].shape[:2]) >= 2:
            level += 1
            if level == len(self._levels):
                above = self._levels[-1]
                size = (max(1, above.shape[1] // 2), max(1, above.shape[0] // 2))
                self._levels.append(np.asarray(cv2.resize(above, size, interpolation=cv2.INTER_AREA), np.uint8))
        height, width = self._levels[0].shape[:2]
        own = self._levels[level]
        return own, LeafView(view.matrix @ np.diag([width / own.shape[1], height / own.shape[0], 1.0]))
