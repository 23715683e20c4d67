"""Decide which measurements to accept, and give each character its uncertainty and quality.

The uncertainties of length, width and vein number are close to the errors against counts by eye and on drawn leaves.
Those of form, petiole and vein angle are estimates.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from leafid.characters.extent import Extent
from leafid.characters.form import Form
from leafid.characters.values import FormTerm, Measurement, NotMeasuredReason
from leafid.characters.veins.two_readers import SideCount
from leafid.characters.veins.vein_count import VeinCount
from leafid.characters.veins.vein_paths import STEPS, VeinPath

# Thresholds were chosen on sheets with and without a measurable leaf; see scripts/measure_characters.py.
MIN_SIMPLE = 0.5  # of `Evidence.simple`; bundles of leaves and compound leaves stay below
MAX_ASYMMETRY = 0.35  # of the areas of both halves; above it one half is turned away or hidden
MAX_GROUND_INSIDE = 0.04  # twigs with small leaves, ferns and moss have more, blades less than 0.02
MAX_RECTANGULARITY = 0.9  # labels have more, blades less than 0.83
MIN_LEAN = 0.15  # below it the direction in which the veins rise is not clear, and so not which end is the apex
_MIN_PLAUSIBLE = 2.2  # of `Evidence.plausible`; ferns, palms, flowers and torn pieces stay below
_MIN_STRENGTH = 0.16  # mean vein score of the chosen veins; fainter veins cannot be checked by eye
_MIN_VEINS = 3.5  # mean number of veins per side; with fewer, the venation is not pinnate
_MIN_SPACING = 9.0  # mean distance of neighbouring veins along the midrib, in pixels of the picture
_MAX_ELEVATION = 68.0  # elevation in degrees; steeper veins are parallel to the midrib
_SHORTEST_PETIOLE, _LONGEST_PETIOLE = 0.02, 0.19  # shares of the blade's length; the parser sees no farther than 0.22
_PETIOLE_QUALITY = 0.7
_UNTESTED_QUALITY = 0.7  # of characters that were not compared with real leaves: at most, so that they exclude no taxon
_MAX_COUNT_UNCERTAINTY = 2.2  # standard deviation of the number per side by ridges
_MIN_SYMMETRY = 0.55  # of the outline; below it several leaves were taken for one, or the midrib is off the middle
_COUNT_UNCERTAINTY = 0.9  # standard deviation of the numbers given, on leaves counted by eye


@dataclass(frozen=True)
class Evidence:
    """The measures by which a leaf and its veins are accepted or rejected.

    Attributes:
        symmetry: overlap of the outline with its mirror image about the midrib, 0..1.
        solidity: share of its convex hull that the leaf fills, 0..1.
        vein_lean: how clearly the veins rise towards the apex, -1..1; see `vein_lean`.
        strength: mean vein score of the chosen veins, 0..1.
        elevation_deg: their median angle above the perpendicular to the midrib.
        count_uncertainty: standard deviation of their number, of the less sure side.
    """

    symmetry: float
    solidity: float
    vein_lean: float = 0.0
    strength: float = 0.0
    elevation_deg: float = 0.0
    count_uncertainty: float = 0.0

    @property
    def simple(self) -> float:
        """Score of the outline as that of one simple leaf: about 0 for any shape, 2 for a whole leaf."""
        return (self.symmetry - 0.6) / 0.2 + (self.solidity - 0.8) / 0.1

    @property
    def plausible(self) -> float:
        """Score as a simple leaf whose veins rise towards the apex: about 0 for any shape, 4 for a clear leaf."""
        return self.simple + (self.vein_lean - 0.2) / 0.2

    def with_veins(self, veins: VeinCount, deviation: float, leaning: float) -> Evidence:
        """Return a copy with the measures of the chosen veins; `deviation` is that of the less sure side."""
        chosen = [*veins.left, *veins.right]
        return dataclasses.replace(
            self,
            vein_lean=leaning,
            strength=float(np.mean([path.strength for path in chosen])) if chosen else 0.0,
            elevation_deg=float(np.median([path.elevation_deg for path in chosen])) if chosen else 0.0,
            count_uncertainty=deviation,
        )


def why_no_veins(evidence: Evidence, veins: VeinCount, length: float) -> NotMeasuredReason | None:
    """Return why the chosen veins are rejected; None where they are accepted.

    Args:
        evidence: of the leaf.
        veins: the likeliest by ridges.
        length: of the blade, in pixels of the decoded picture.
    """
    number = (len(veins.left) + len(veins.right)) / 2
    if length < _MIN_SPACING * number:
        return NotMeasuredReason.VEINS_NOT_VISIBLE
    if evidence.strength < _MIN_STRENGTH or evidence.count_uncertainty > _MAX_COUNT_UNCERTAINTY:
        return NotMeasuredReason.VEINS_NOT_VISIBLE
    if evidence.symmetry < _MIN_SYMMETRY:
        return NotMeasuredReason.VEINS_UNCERTAIN
    parallel = evidence.elevation_deg > _MAX_ELEVATION or evidence.vein_lean < MIN_LEAN
    if parallel or number < _MIN_VEINS or evidence.plausible < _MIN_PLAUSIBLE:
        return NotMeasuredReason.NOT_PINNATE
    return None


@dataclass(frozen=True)
class Scale:
    """Conversion from straightened pixels to pixels of the original, and to cm where its scale is known."""

    px_per_original_px: float
    px_per_mm: float | None

    def px(self, length: float) -> float:
        """Convert to pixels of the original."""
        return length / self.px_per_original_px

    def cm(self, length: float) -> float | None:
        """Convert to centimetres; None without a known scale."""
        return None if self.px_per_mm is None else self.px(length) / self.px_per_mm / 10


def _form_quality(evidence: Evidence) -> float:
    """Return the quality of characters that depend on outline and midrib.

    Of leaves measured by eye, nine in ten whose halves overlap by 0.8 or more have a length:width within 6 %.
    """
    return float(np.clip((evidence.symmetry - 0.4) / 0.45, 0.05, 0.9))


def _measurement(value: float | None, relative: float, absolute: float, quality: float) -> Measurement | None:
    return None if value is None else Measurement(value, abs(value) * relative + absolute, quality)


def form_characters(form: Form, extent: Extent, scale: Scale, evidence: Evidence) -> dict[str, Any]:
    """Return the characters that do not depend on which end is the apex."""
    quality = _form_quality(evidence)
    blurred = 1.5 / extent.length  # the outline is known to about a pixel at each end
    width = extent.length / form.length_width_ratio
    return {
        "blade_length_cm": _measurement(scale.cm(extent.length), 0.03 + blurred, 0, quality),
        "blade_width_cm": _measurement(scale.cm(width), 0.02 + blurred, 0, quality),
        "blade_length_px": _measurement(scale.px(extent.length), 0.03 + blurred, 0, quality),
        "blade_width_px": _measurement(scale.px(width), 0.02 + blurred, 0, quality),
        "length_width_ratio": _measurement(form.length_width_ratio, 0.035 + blurred, 0, quality),
        "asymmetry": _measurement(form.asymmetry, 0, 0.02, quality),
        "margin": None if form.margin is None else FormTerm(form.margin, quality * 0.5),
    }


def end_characters(form: Form, extent: Extent, evidence: Evidence) -> dict[str, Any]:
    """Return the characters that need to know which end is the apex: forms and angles of apex and base, shape."""
    quality = min(_form_quality(evidence), _UNTESTED_QUALITY)
    return {
        "widest_position": _measurement(form.widest, 0, 0.03, quality),
        "blade_shape": FormTerm(form.shape, quality * form.shape_certainty),
        "apex_angle_deg": _measurement(form.apex_angle_deg, 0.02, 1.0, quality),
        "apex_form": FormTerm(form.apex_form, quality * form.apex_certainty),
        "apex_tip_share": _measurement(form.tip, 0.25, 0.005, quality) if form.tip > 0 else None,
        "base_angle_deg": _measurement(form.base_angle_deg, 0.02, 1.5, quality),
        "base_form": FormTerm(form.base_form, quality * form.base_certainty),
        "base_sinus_share": _measurement(form.sinus, 0.1, 0.01, quality) if form.sinus > 0 else None,
    }


def petiole_characters(petiole_px: float, extent: Extent, scale: Scale) -> dict[str, Any]:
    """Return the length of the petiole where its end is seen.

    Args:
        petiole_px: visible length in pixels of the original.
        extent: of the straightened blade.
        scale: of the straightened blade.
    """
    share = petiole_px / scale.px(extent.length)
    if not _SHORTEST_PETIOLE <= share <= _LONGEST_PETIOLE:
        return {}
    known = (
        None
        if scale.px_per_mm is None
        else Measurement(petiole_px / scale.px_per_mm / 10, 0.008 * petiole_px / scale.px_per_mm, _PETIOLE_QUALITY)
    )
    return {"petiole_share": Measurement(share, 0.05 * share + 0.02, _PETIOLE_QUALITY), "petiole_cm": known}


def vein_characters(veins: VeinCount, sides: tuple[SideCount, SideCount], extent: Extent) -> dict[str, Any]:
    """Return number, angle, curvature and spacing of the secondary veins.

    Args:
        veins: the veins of both sides.
        sides: what is known about their numbers.
        extent: of the straightened blade.
    """
    left, right = len(veins.left), len(veins.right)
    least = min(side.quality for side in sides)
    chosen = [*veins.left, *veins.right]
    angles = np.array([90 - path.elevation_deg for path in chosen])
    turns = np.array([_curvature(path) for path in chosen])
    gaps = np.concatenate([np.diff([path.start for path in side]) for side in (veins.left, veins.right)])
    spacing = gaps / extent.length
    root = np.sqrt(len(chosen))
    untested = min(least, _UNTESTED_QUALITY)
    return {
        "secondary_veins_left": Measurement(left, _COUNT_UNCERTAINTY, sides[0].quality),
        "secondary_veins_right": Measurement(right, _COUNT_UNCERTAINTY, sides[1].quality),
        "secondary_vein_pairs": Measurement((left + right) / 2, _COUNT_UNCERTAINTY / math.sqrt(2), least),
        "secondary_vein_angle_deg": Measurement(float(angles.mean()), float(angles.std() / root) + 2.0, untested),
        "secondary_vein_curvature_deg": Measurement(float(np.median(turns)), float(turns.std() / root) + 2.0, untested),
        "secondary_vein_spacing_share": Measurement(
            float(np.median(spacing)), float(spacing.std() / np.sqrt(max(1, len(spacing)))) + 0.003, untested
        ),
    }


def _curvature(path: VeinPath) -> float:
    """Return the degrees by which a vein turns towards the apex from its first to its second half."""
    half = STEPS // 2
    rises = [
        np.degrees(np.arctan2(part[0, 1] - part[-1, 1], max(1e-3, part[-1, 0] - part[0, 0])))
        for part in (path.points[:half], path.points[half:])
    ]
    return float(rises[1] - rises[0])
