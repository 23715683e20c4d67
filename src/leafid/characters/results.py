"""From form, extent and veins in pixels to characters with uncertainty and quality.

The uncertainties of length, width and vein number are about the errors found against counts by eye and on drawn leaves;
those of form, petiole and vein angle were set by judgement.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from leafid.characters.evidence import Evidence
from leafid.characters.extent import Extent
from leafid.characters.form import Form
from leafid.characters.midrib import Axis
from leafid.characters.values import Described, Measured
from leafid.characters.vein_count import VeinCount
from leafid.characters.vein_paths import STEPS, VeinPath


@dataclass(frozen=True)
class Sizes:
    """From straightened pixels to the original's, and to cm where the scale is known."""

    scale: float
    px_per_mm: float | None

    def px(self, length: float) -> float:
        """Pixels of the original."""
        return length / self.scale

    def cm(self, length: float) -> float | None:
        """Centimetres, None without a scale."""
        return None if self.px_per_mm is None else self.px(length) / self.px_per_mm / 10


def _seen(axis: Axis) -> float:
    """Quality of what depends on the midrib's place."""
    return float(np.clip(min(0.3 + axis.clearness, (axis.symmetry - 0.4) / 0.4), 0.05, 1))


def _number(value: float | None, relative: float, absolute: float, quality: float) -> Measured | None:
    return None if value is None else Measured(value, abs(value) * relative + absolute, quality)


def form_characters(form: Form, extent: Extent, sizes: Sizes, axis: Axis) -> dict[str, Any]:
    """What does not depend on which end is the apex."""
    quality = _seen(axis)
    blurred = 1.5 / extent.length  # the outline is known to a pixel or so
    width = extent.length / form.length_width_ratio
    return {
        "blade_length_cm": _number(sizes.cm(extent.length), 0.03 + blurred, 0, quality),
        "blade_width_cm": _number(sizes.cm(width), 0.02 + blurred, 0, quality),
        "blade_length_px": _number(sizes.px(extent.length), 0.03 + blurred, 0, quality),
        "blade_width_px": _number(sizes.px(width), 0.02 + blurred, 0, quality),
        "length_width_ratio": _number(form.length_width_ratio, 0.035 + blurred, 0, quality),
        "asymmetry": _number(form.asymmetry, 0, 0.02, quality),
        "margin": None if form.margin is None else Described(form.margin, quality * 0.5),
    }


def end_characters(form: Form, extent: Extent, axis: Axis) -> dict[str, Any]:
    """Apex, base, and what lies between them."""
    quality = _seen(axis)
    return {
        "widest_position": _number(form.widest, 0, 0.03, quality),
        "blade_shape": Described(form.shape, quality * form.shape_certainty),
        "apex_angle_deg": _number(form.apex_angle_deg, 0.02, 1.0, quality),
        "apex_form": Described(form.apex_form, quality * form.apex_certainty),
        "apex_tip_share": _number(form.tip, 0.25, 0.005, quality) if form.tip > 0 else None,
        "base_angle_deg": _number(form.base_angle_deg, 0.02, 1.5, quality),
        "base_form": Described(form.base_form, quality * form.base_certainty),
        "base_sinus_share": _number(form.sinus, 0.1, 0.01, quality) if form.sinus > 0 else None,
    }


def petiole_characters(extent: Extent, sizes: Sizes, beyond_px: float | None) -> dict[str, Any]:
    """Length of the petiole where all of it is seen."""
    inside = sizes.px(extent.petiole_end - extent.base)
    if beyond_px is None or inside + beyond_px < 0.02 * sizes.px(extent.length):
        return {}
    length = inside + beyond_px
    share = length / sizes.px(extent.length)
    known = (
        None
        if sizes.px_per_mm is None
        else Measured(length / sizes.px_per_mm / 10, 0.008 * length / sizes.px_per_mm, 0.7)
    )
    return {"petiole_share": Measured(share, 0.05 * share + 0.02, 0.7), "petiole_cm": known}


def vein_characters(veins: VeinCount, extent: Extent, evidence: Evidence) -> dict[str, Any]:
    """Number, angle, curvature and spacing of the secondary veins."""
    quality = float(np.clip(min((evidence.strength - 0.1) / 0.2, 1.3 - evidence.doubt / 2), 0.05, 1))
    left, right = len(veins.left), len(veins.right)
    doubt = [math.hypot(each, 0.4) for each in (veins.left_doubt, veins.right_doubt)]
    chosen = [*veins.left, *veins.right]
    angles = np.array([90 - path.elevation_deg for path in chosen])
    turns = np.array([_turn(path) for path in chosen])
    gaps = np.concatenate([np.diff([path.start for path in side]) for side in (veins.left, veins.right)])
    spacing = gaps / extent.length
    root = np.sqrt(len(chosen))
    return {
        "secondary_veins_left": Measured(left, doubt[0], quality),
        "secondary_veins_right": Measured(right, doubt[1], quality),
        "secondary_vein_pairs": Measured((left + right) / 2, math.hypot(*doubt) / 2, quality),
        "secondary_vein_angle_deg": Measured(float(angles.mean()), float(angles.std() / root) + 2.0, quality),
        "secondary_vein_curvature_deg": Measured(float(np.median(turns)), float(turns.std() / root) + 2.0, quality),
        "secondary_vein_spacing_share": Measured(
            float(np.median(spacing)), float(spacing.std() / np.sqrt(max(1, len(spacing)))) + 0.003, quality
        ),
    }


def _turn(path: VeinPath) -> float:
    """Degrees by which a vein turns towards the apex between its first and its second half."""
    half = STEPS // 2
    rises = [
        np.degrees(np.arctan2(part[0, 1] - part[-1, 1], max(1e-3, part[-1, 0] - part[0, 0])))
        for part in (path.points[:half], path.points[half:])
    ]
    return float(rises[1] - rises[0])
