"""What is known about a drawn photograph: every leaf in focus, its masks, its curves and how much of it is seen."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leafid.demo.leaf import Image8
from leafid.demo.outline import Points
from leafid.demo.traits import Face

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class PhotographedLeaf:
    """A leaf in focus on a drawn photograph.

    Coordinates are (column, row) of the image in pixels, the first pixel's centre at (0.5, 0.5). Curves and points
    are those of the whole leaf as it is bent and seen, also where another thing or the frame hides it; of a folded
    leaf they are those of the leaf before it was folded.
    """

    offset: tuple[int, int]
    """Column and row of the upper left corner of `visible` and `whole` in the image."""
    visible: Mask
    """[h, w] pixels in which the blade, without petiole, is seen."""
    whole: Mask
    """[h, w] pixels of the whole blade inside the frame, seen, hidden or eaten by insects."""
    visible_fraction: float
    """Share 0..1 of the whole blade's area that is seen: what others hide and what the frame cuts off are missing."""
    cut_by_frame: bool
    """Whether more than a hundredth of the blade lies outside the frame."""
    overlapped: bool
    """Whether other things hide more than a tenth of the blade inside the frame."""
    folded: bool
    """Whether a part of the blade is turned over another part of it."""
    facing: float
    """Area of the blade as seen, relative to that of the blade laid flat before the camera: low for a leaf that is
    seen from its edge or folded."""
    face: Face
    base_xy: Points
    """[2] where petiole and blade meet."""
    apex_xy: Points
    """[2] tip of the blade."""
    petiole: Points
    """[P, 2] from its far end to the base of the blade; [0, 2] for a sessile leaf."""
    midrib: Points
    """[M, 2] from base to apex."""
    left: tuple[Points, ...]
    """Secondary veins [K, 2] of the left side as seen with the apex up, each from the midrib outwards, base first."""
    right: tuple[Points, ...]
    """As `left`, of the right side."""
    veins_visible: float
    """How well the seen secondaries stand out in the finished image: 0 not at all, 1 a colour difference to the blade
    beside them of 20 (CIE 1976 L*a*b*) or more."""

    def visible_mask(self, shape: tuple[int, int]) -> Mask:
        """Return `visible` as a mask [H, W] of an image of this height and width."""
        return self._placed(self.visible, shape)

    def whole_mask(self, shape: tuple[int, int]) -> Mask:
        """Return `whole` as a mask [H, W] of an image of this height and width."""
        return self._placed(self.whole, shape)

    def _placed(self, mask: Mask, shape: tuple[int, int]) -> Mask:
        full = np.zeros(shape, dtype=np.bool_)
        column, row = self.offset
        full[row : row + mask.shape[0], column : column + mask.shape[1]] = mask
        return full


@dataclass(frozen=True)
class DrawnPhotograph:
    """A drawn photograph and its truth."""

    image: Image8
    """[H, W, 3] RGB."""
    leaves: tuple[PhotographedLeaf, ...]
    """Leaves in focus of which at least a twentieth of the frame's short side is seen, the one in front last."""
    arrangement: str
    """How things lie in the picture, one of `ARRANGEMENTS`."""
    ground: str
    """What is behind them, one of `GROUNDS`."""
