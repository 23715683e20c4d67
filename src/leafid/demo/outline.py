"""Construct the outline of a drawn blade, and its apex and base angles.

Blade coordinates: y in mm along the midrib (0 insertion of the petiole, length at the apex), x in mm to the right of it
with the apex up. `Frame` bends them along the midrib and converts them to pixels.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leafid.demo.taxa import SHAPES
from leafid.demo.traits import LeafTraits

Points = npt.NDArray[np.float64]

# Per base form: half-width where the outline starts and depth of the sinus, relative to the half-width, then two
# exponents: (1 - (1 - u)^p)^q is a quarter ellipse for p = 2, q = 0.5 and a wedge for p = q = 1.
_BASES = {
    "cuneate": (0.0, 0.0, 1.45, 1.0),
    "obtuse": (0.0, 0.0, 1.9, 0.75),
    "rounded": (0.0, 0.0, 2.1, 0.5),
    "truncate": (0.45, 0.0, 2.3, 0.5),
    "subcordate": (0.30, 0.12, 2.1, 0.5),
    "cordate": (0.36, 0.26, 2.1, 0.5),
}
_APICES = {"rounded": (2.1, 0.5), "obtuse": (2.0, 0.72), "acute": (1.75, 1.0), "acuminate": (1.8, 0.85)}


@dataclass(frozen=True)
class Blade:
    """Half-widths of both sides along the midrib in mm; `y` [N] runs from the lowest point of the lobes to the apex."""

    traits: LeafTraits
    y: Points
    left: Points
    right: Points
    lobe_start: float
    """Half-width at the lowest point of the base; above 0 for a truncate or cordate base."""

    def half_width(self, side: int, y: Points) -> Points:
        """Half-width in mm at `y` of the right (`side` = 1) or left (`side` = -1) half."""
        return np.interp(y, self.y, self.right if side > 0 else self.left)

    @property
    def sinus_mm(self) -> float:
        """Depth of the basal sinus in mm; 0 unless the base is (sub)cordate."""
        return float(-self.y[0])

    def polygon(self) -> Points:
        """Return the closed outline [M, 2] as x, y in mm, beginning at the insertion of the petiole."""
        sinus = np.linspace(0, np.pi / 2, 8)[:-1]
        inner = np.stack([self.lobe_start * (1 - np.cos(sinus)), self.y[0] * np.sin(sinus)], axis=1)
        right = np.stack([self.right, self.y], axis=1)
        left = np.stack([-self.left, self.y], axis=1)
        return np.concatenate([inner, right, left[::-1], inner[::-1] * [-1, 1]])

    def width_mm(self) -> float:
        """Largest width perpendicular to the midrib, as drawn."""
        return float((self.left + self.right).max())

    def apex_angle_deg(self) -> float:
        """Angle at the apex between the lines to the margin at three quarters of the length (Ellis et al. 2009)."""
        return self._angle(0.75 * self.traits.length_mm, 0.25 * self.traits.length_mm)

    def base_angle_deg(self) -> float:
        """Angle at the insertion between the lines to the margin at a quarter of the length (Ellis et al. 2009)."""
        return self._angle(0.25 * self.traits.length_mm, 0.25 * self.traits.length_mm)

    def _angle(self, y: float, distance: float) -> float:
        halves = (self.half_width(side, np.array([y])).item() for side in (-1, 1))
        return math.degrees(sum(math.atan2(half, distance) for half in halves))


def blade_outline(traits: LeafTraits, rng: np.random.Generator) -> Blade:
    """Construct the outline of a blade; `rng` adds the slight unevenness of a real margin."""
    length, half = traits.length_mm, traits.width_mm / 2
    start, depth, base_p, base_q = _BASES[traits.base_form]
    apex_p, apex_q = _APICES[traits.apex_form]
    fuller = SHAPES[traits.shape].fullness - 2.0
    widest, body_end, low = traits.widest * length, length - 0.7 * traits.tip_mm, -depth * half
    u = np.sin(np.linspace(0, np.pi / 2, 70)) ** 1.5
    v = np.sin(np.linspace(0, np.pi / 2, 70))
    base = start + (1 - start) * (1 - (1 - u) ** (base_p + fuller)) ** base_q
    body = (1 - v ** (apex_p + fuller)) ** apex_q
    y = np.concatenate([low + u * (widest - low), widest + v[1:] * (body_end - widest)])
    relative = np.concatenate([base, body[1:]])
    if traits.tip_mm:
        y, relative = _with_tip(y, relative, traits)
    wave = traits.undulation * _waves(y / length, rng, 5, 9)
    wave += 0.006 * _waves(y / length, rng, 2, 4)
    other = traits.undulation * _waves(y / length, rng, 5, 9) + 0.006 * _waves(y / length, rng, 2, 4)
    left = relative * (1 - traits.asymmetry) * (1 + wave)
    right = relative * (1 + traits.asymmetry) * (1 + other)
    scale = traits.width_mm / (left + right).max()
    return Blade(traits, y, left * scale, right * scale, start * half)


def _with_tip(y: Points, relative: Points, traits: LeafTraits) -> tuple[Points, Points]:
    """Add a narrow tip to the body of an acuminate blade, with a concave transition between the two."""
    length, tip = traits.length_mm, traits.tip_mm
    y = np.concatenate([y, np.linspace(y[-1], length, 16)[1:]])
    relative = np.concatenate([relative, np.zeros(15)])
    passage = np.clip((y - (length - 2.2 * tip)) / (1.4 * tip), 0, 1)
    breadth = 0.11 * min(1.0, tip / 8)
    cone = breadth * np.clip((length - y) / tip, 0, 1.6) * passage**2 * (3 - 2 * passage)
    return y, np.hypot(relative, cone)


def _waves(t: Points, rng: np.random.Generator, low: float, high: float) -> Points:
    phase, frequency = rng.uniform(0, 2 * np.pi), rng.uniform(low, high)
    return np.sin(2 * np.pi * frequency * t + phase) * np.clip(4 * t * (1 - t), 0, 1)


@dataclass(frozen=True)
class Frame:
    """Transformation from blade coordinates in mm to pixels of an image."""

    px_per_mm: float
    base_px: tuple[float, float]
    direction_deg: float
    """Direction of the midrib at the base: 0 up, 90 to the right."""
    curvature: float
    """Radians per mm; the midrib is an arc."""

    def to_px(self, points: Points) -> Points:
        """Map points [N, 2] (x, y in mm) to pixels [N, 2] (column, row)."""
        x, y = points[:, 0], points[:, 1]
        turn = self.curvature * y
        if abs(self.curvature) < 1e-9:
            across, along = x, y
        else:
            across = (1 - np.cos(turn)) / self.curvature + x * np.cos(turn)
            along = np.sin(turn) / self.curvature - x * np.sin(turn)
        sin, cos = math.sin(math.radians(self.direction_deg)), math.cos(math.radians(self.direction_deg))
        column = self.base_px[0] + self.px_per_mm * (across * cos + along * sin)
        row = self.base_px[1] + self.px_per_mm * (across * sin - along * cos)
        return np.stack([column, row], axis=1)


def leaf_frame(traits: LeafTraits, px_per_mm: float, base_px: tuple[float, float], direction_deg: float) -> Frame:
    """Return the frame of a leaf whose midrib turns by `traits.bend_deg` from base to apex."""
    return Frame(px_per_mm, base_px, direction_deg, math.radians(traits.bend_deg) / traits.length_mm)
