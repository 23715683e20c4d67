"""Measure the form of a blade from its breadth along the midrib: widest point, apex, base, symmetry, margin.

Terms and angles follow the Manual of Leaf Architecture (Ellis et al. 2009). The angle alone does not separate a rounded
from an acute apex of the same blade. So forms are classified by how fast the breadth grows from the end. The limits lie
between the forms of drawn leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from leafid.characters.extent import Extent
from leafid.characters.values import BASE_FORMS, BLADE_SHAPES, MARGINS
from leafid.characters.veins.straightening import StraightBlade

# Breadth at 0.96 of the length, as a share of that at 0.75, from which an apex is obtuse, and rounded.
_OBTUSE_APEX, _ROUNDED_APEX = 0.275, 0.42
_ACUMINATE = 0.015  # how far the flanks of a tip fall short of straight lines, as a share of the breadth at 0.75
_TIP = 2.45  # length of the concave part of a drawn acuminate apex, as a multiple of its tip
# Breadth at 0.04 of the length, as a share of that at 0.25, from which a base is obtuse, rounded, truncate.
_OBTUSE_BASE, _ROUNDED_BASE, _TRUNCATE_BASE = 0.32, 0.415, 0.60
_SUBCORDATE, _CORDATE = 0.020, 0.053  # depth of the sinus as a share of the length
_ELLIPTIC = (0.43, 0.57)  # position of the widest point of an elliptic blade, 0 base to 1 apex
_TOOTH = 0.0025  # height of a tooth, at least, as a share of the length
_ENTIRE, _TOOTHED = 5, 17  # number of teeth on both margins: at most, at least; between them are waves and damage


@dataclass(frozen=True)
class Form:
    """Form of a blade; lengths are shares of the blade's length, angles in degrees.

    Attributes:
        length_width_ratio: length by width. The width is measured from the outermost point on the left to the outermost
            point on the right; the two need not lie opposite each other.
        widest: where the blade is broadest, 0 base to 1 apex.
        shape: one of `BLADE_SHAPES`.
        shape_certainty: distance of `widest` from the limits between the shapes, 0 on a limit to 1.
        apex_angle_deg: between the lines from the apex to both margins at three quarters of the length.
        apex_form: one of `APEX_FORMS`.
        apex_certainty: distance of the apex from the limits between the forms, 0 on a limit to 1.
        tip: length of an acuminate tip; 0 otherwise.
        base_angle_deg: between the lines from the base to both margins at a quarter of the length.
        base_form: one of `BASE_FORMS`.
        base_certainty: distance of the base from the limits between the forms, 0 on a limit to 1.
        sinus: depth of the sinus of a (sub)cordate base.
        asymmetry: difference between the areas of both halves, divided by their sum.
        margin: one of `MARGINS`; None where the number of teeth allows no decision.
    """

    length_width_ratio: float
    widest: float
    shape: str
    shape_certainty: float
    apex_angle_deg: float
    apex_form: str
    apex_certainty: float
    tip: float
    base_angle_deg: float
    base_form: str
    base_certainty: float
    sinus: float
    asymmetry: float
    margin: str | None


def measure_form(straight: StraightBlade, extent: Extent) -> Form:
    """Measure the form of a straightened blade."""
    length, breadth = float(extent.length), extent.breadth
    rows = np.arange(len(breadth), dtype=np.float64)

    def at(share: float, of: NDArray[np.float64]) -> float:
        return float(np.interp(extent.base - share * length, rows, of))

    def angle(share: float) -> float:
        return float(
            np.degrees(sum(np.arctan2(at(share, half), 0.25 * length) for half in (extent.left, extent.right)))
        )

    broadest = float(breadth[extent.apex :].max())
    width = float(extent.left[extent.apex :].max() + extent.right[extent.apex :].max())
    wide = np.flatnonzero(breadth[: extent.base + 1] >= 0.97 * broadest)
    widest = float((extent.base - wide.mean()) / length) if len(wide) else 0.0
    lobes = np.flatnonzero(breadth[extent.base :] - extent.run[extent.base :] > 0.1 * broadest)
    sinus = float(lobes[-1]) / length if len(lobes) else 0.0
    apex_form, tip, apex_certainty = _apex(at(0.96, breadth) / max(at(0.75, breadth), 1.0), *_tip(extent))
    base_form, base_certainty = _base(at(0.04, breadth) / max(at(0.25, breadth), 1.0), sinus)
    left, right = (float(half[extent.apex : extent.base].sum()) for half in (extent.left, extent.right))
    return Form(
        length_width_ratio=length / max(width, 1.0),
        widest=float(np.clip(widest, 0, 1)),
        shape=BLADE_SHAPES[int(np.digitize(widest, _ELLIPTIC))],
        shape_certainty=float(np.clip(min(abs(widest - limit) for limit in _ELLIPTIC) / 0.05, 0, 1)),
        apex_angle_deg=angle(0.75),
        apex_form=apex_form,
        apex_certainty=apex_certainty,
        tip=tip,
        base_angle_deg=angle(0.25),
        base_form=base_form,
        base_certainty=base_certainty,
        sinus=sinus if base_form.endswith("cordate") else 0.0,
        asymmetry=abs(left - right) / max(left + right, 1.0),
        margin=_margin(_teeth(straight, extent)),
    )


def _tip(extent: Extent) -> tuple[float, float]:
    """Measure how far the flanks of the apex lie inside straight lines, and the length of the tip as a share."""
    shares = np.linspace(0.7, 1.0, 61)
    rows = np.arange(len(extent.breadth), dtype=np.float64)
    breadth = np.interp(extent.base - shares * extent.length, rows, extent.breadth)
    breadth /= max(1.0, float(np.interp(0.75, shares, breadth)))
    deepest, begins = 0.0, 1.0
    for first in range(48):
        chord = breadth[first] * (1 - shares[first:]) / (1 - shares[first])
        depth = float((chord - breadth[first:]).max())
        if depth > deepest:
            deepest, begins = depth, float(shares[first])
    return deepest, (1 - begins) / _TIP


def _apex(fullness: float, depth: float, tip: float) -> tuple[str, float, float]:
    if depth > _ACUMINATE:
        return "acuminate", tip, float(np.clip((depth - _ACUMINATE) / _ACUMINATE, 0, 1))
    limits = (_OBTUSE_APEX, _ROUNDED_APEX)
    form = ("acute", "obtuse", "rounded")[int(np.digitize(fullness, limits))]
    certainty = min(abs(fullness - limit) for limit in limits) / 0.05
    if form == "acute":
        certainty = min(certainty, 1 - depth / _ACUMINATE)
    return form, 0.0, float(np.clip(certainty, 0, 1))


def _base(fullness: float, sinus: float) -> tuple[str, float]:
    if sinus > _SUBCORDATE:
        certainty = min(abs(sinus - _SUBCORDATE), abs(sinus - _CORDATE)) / 0.015
        return ("cordate" if sinus > _CORDATE else "subcordate"), float(np.clip(certainty, 0, 1))
    limits = (_OBTUSE_BASE, _ROUNDED_BASE, _TRUNCATE_BASE)
    form = BASE_FORMS[int(np.digitize(fullness, limits))]
    return form, float(np.clip(min(abs(fullness - limit) for limit in limits) / 0.05, 0, 1))


def _margin(teeth: int) -> str | None:
    return MARGINS[0] if teeth <= _ENTIRE else MARGINS[1] if teeth >= _TOOTHED else None


def _teeth(straight: StraightBlade, extent: Extent) -> int:
    """Count the teeth on both margins: narrow bumps of the half-breadth above its smoothed course."""
    count = 0
    window = max(5, round(0.05 * extent.length) | 1)
    for half in (extent.left, extent.right):
        between = slice(extent.apex + round(0.1 * extent.length), extent.base - round(0.1 * extent.length))
        margin = half[between].astype(np.float32)
        if len(margin) < 3 * window:
            continue
        smooth = cv2.GaussianBlur(margin.reshape(-1, 1), (0, 0), 2.0)
        course = cv2.GaussianBlur(margin.reshape(-1, 1), (0, 0), window / 2)
        bump = np.asarray(smooth - course).ravel()
        above = bump > _TOOTH * extent.length
        rises = np.flatnonzero(above[1:] & ~above[:-1])
        count += len(rises)
    return count
