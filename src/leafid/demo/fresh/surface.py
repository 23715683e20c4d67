"""A blade bent in space and seen by the camera: from blade coordinates to pixels, and how steep it stands to the light.

The midrib is bent in the plane and out of it, the halves are raised or lowered about it, the margin waves; then the
whole leaf is tilted and seen in weak perspective. The same map is used for outline, veins and shading, so that truth
is exact.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from leafid.demo.fresh.forms import LENGTH
from leafid.demo.outline import Points

_NODES = np.linspace(-0.3, 1.15, 146)  # along the midrib, relative to its length; lobes reach below 0


@dataclass(frozen=True)
class Pose:
    """How a leaf is bent, turned and placed. Angles in radians."""

    base: Points
    """[2] pixels of the insertion of the petiole."""
    direction: float
    """Of the midrib at the base: 0 up, a quarter turn to the right."""
    scale: float
    """Pixels per unit of blade coordinates where the blade faces the camera."""
    bend: float = 0.0
    """Turn of the midrib in the plane from base to apex."""
    sway: float = 0.0
    """Size of an S-shaped turn of the midrib."""
    curl: float = 0.0
    """Turn of the midrib out of the plane from base to apex; above 0 the apex turns away."""
    fold: tuple[float, float] = (0.0, 0.0)
    """Angle by which the left and the right half rise above the plane."""
    wave: float = 0.0
    """Height of the waves at the margin, relative to the half-width."""
    wave_number: float = 4.0
    wave_phase: float = 0.0
    pitch: float = 0.0
    """Tilt about the line across the midrib."""
    roll: float = 0.0
    """Tilt about the midrib."""


class Surface:
    """The map from blade coordinates to pixels for one leaf."""

    def __init__(self, pose: Pose, width: float) -> None:
        self.pose = pose
        self._half = width / 2
        t = np.clip(_NODES, 0, 1)
        turn = pose.bend * t + pose.sway * np.sin(2 * np.pi * t)
        rise = -pose.curl * (t - 0.25)
        step = LENGTH * np.diff(_NODES, prepend=_NODES[0])
        forward = np.cos(rise) * step
        middle = np.stack(
            [np.cumsum(np.sin(turn) * forward), np.cumsum(np.cos(turn) * forward), np.cumsum(np.sin(rise) * step)],
            axis=1,
        )
        base = np.array([np.interp(0.0, _NODES, middle[:, i]) for i in range(3)])
        self._middle = middle - base
        self._turn = turn

    def in_space(self, points: Points) -> Points:
        """Map points [N, 2] of the blade to space [N, 3]: right, up in the picture, towards the camera."""
        pose = self.pose
        x, y = points[:, 0], points[:, 1]
        t = y / LENGTH
        mx, my, mz = (np.interp(t, _NODES, self._middle[:, i]) for i in range(3))
        turn = np.interp(t, _NODES, self._turn)
        angle = np.where(x < 0, pose.fold[0], pose.fold[1])
        across = x * np.cos(angle)
        relative = np.abs(x) / self._half
        height = np.abs(x) * np.sin(angle) + mz
        height = height + pose.wave * self._half * relative**2 * np.sin(
            2 * np.pi * pose.wave_number * t + pose.wave_phase + np.where(x < 0, 1.3, 0.0)
        )
        px, py = mx + across * np.cos(turn), my - across * np.sin(turn)
        cos, sin = math.cos(pose.pitch), math.sin(pose.pitch)
        py, pz = py * cos - height * sin, py * sin + height * cos
        cos, sin = math.cos(pose.roll), math.sin(pose.roll)
        px, pz = px * cos + pz * sin, -px * sin + pz * cos
        cos, sin = math.cos(pose.direction), math.sin(pose.direction)
        return np.stack([px * cos + py * sin, -px * sin + py * cos, pz], axis=1)

    def to_px(self, points: Points) -> Points:
        """Map points [N, 2] of the blade to pixels [N, 2] (column, row)."""
        space = self.in_space(points)
        # Weak perspective: the camera is about six leaf lengths away.
        near = self.pose.scale / (1 - space[:, 2] / (6 * LENGTH))
        return np.stack([self.pose.base[0] + space[:, 0] * near, self.pose.base[1] - space[:, 1] * near], axis=1)

    def slopes(self, points: Points) -> npt.NDArray[np.float64]:
        """Slope of the surface [N, 2] per pixel along columns and rows, where the blade is at these points."""
        across, along = np.array([0.5, 0.0]), np.array([0.0, 0.5])
        u = self.in_space(points + across) - self.in_space(points - across)
        v = self.in_space(points + along) - self.in_space(points)
        normal = np.cross(u, v)
        z = np.where(np.abs(normal[:, 2]) < 0.15 * np.linalg.norm(normal, axis=1) + 1e-9, np.nan, normal[:, 2])
        gradient = np.stack([-normal[:, 0] / z, normal[:, 1] / z], axis=1)
        return np.nan_to_num(np.clip(gradient, -3, 3))

    def turned_share(self) -> float:
        """Share of the blade that turns its other side to the camera; above 0 the blade hides a part of itself."""
        across, along = np.meshgrid(np.linspace(-0.9, 0.9, 8) * self._half, np.linspace(0.03, 0.97, 14) * LENGTH)
        points = np.stack([across.ravel(), along.ravel()], axis=1)
        u = self.to_px(points + np.array([0.5, 0.0])) - self.to_px(points - np.array([0.5, 0.0]))
        v = self.to_px(points + np.array([0.0, 0.5])) - self.to_px(points - np.array([0.0, 0.5]))
        # Rows grow downwards: where the upper side is seen, going right and then to the apex turns to the left.
        return float(np.mean(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] >= 0))
