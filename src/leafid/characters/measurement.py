"""Measure one leaf, from pixels to characters, and the lines that show what was measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.characters.assessment import (
    MAX_ASYMMETRY,
    MIN_LEAN,
    MIN_SIMPLE,
    Evidence,
    Scale,
    end_characters,
    form_characters,
    petiole_characters,
    vein_characters,
    why_no_veins,
)
from leafid.characters.blade import MIN_SIDE, Blade, prepare_blade
from leafid.characters.extent import Extent, find_extent, vein_lean
from leafid.characters.form import measure_form
from leafid.characters.midrib import Axis, Points, find_midrib
from leafid.characters.straightening import StraightBlade, straighten
from leafid.characters.values import LeafCharacters, NotMeasuredReason
from leafid.characters.vein_count import VeinCount, count_veins
from leafid.characters.vein_paths import VeinPath, half_blades, vein_paths
from leafid.sheets import vein_scores

_MIN_SYMMETRY = 0.8  # of an outline; above it both halves must be about equal
_MAX_HALF_DIFFERENCE = 0.25  # relative difference of the halves; more means that the midrib was not found
_MIN_PETIOLE = 0.06  # share of the length; a shorter one may be the leaf's tip and does not show where the base is
_LINE_POINTS = 40  # points of the midrib in `Lines`


@dataclass(frozen=True)
class Lines:
    """The measured lines: points (x, y) in pixels of the input image.

    Attributes:
        midrib: [N, 2] from apex to base.
        left: a line [M, 2] for each secondary vein on the left, from the apex downwards.
        right: the same on the right.
        widest: [4, 2] outermost point on the left, point of the midrib opposite to it, point of the midrib opposite to
            the outermost point on the right, outermost point on the right.
        apex_angle: [3, 2] margin, apex, margin.
        base_angle: [3, 2] margin, base, margin.
    """

    midrib: Points
    left: tuple[Points, ...]
    right: tuple[Points, ...]
    widest: Points
    apex_angle: Points
    base_angle: Points


@dataclass(frozen=True)
class MeasuredLeaf:
    """The measurement of one leaf.

    Attributes:
        characters: the characters that are visible.
        lines: the measured lines; None where the leaf was not measured.
        not_measured: reason why the leaf was not measured at all.
        no_veins: reason why its veins were not counted, where the rest was measured.
    """

    characters: LeafCharacters
    lines: Lines | None = None
    not_measured: NotMeasuredReason | None = None
    no_veins: NotMeasuredReason | None = None


def measure_leaf(
    pixels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    px_per_mm: float | None = None,
    crop_scale: float = 1.0,
    outer_petiole_px: float | None = None,
) -> MeasuredLeaf:
    """Measure one leaf, in any position and direction.

    Args:
        pixels: uint8 RGB (H, W, 3), with its own background: the background's colour separates shadow from leaf.
        mask: True on the leaf, bool (H, W), with or without the petiole.
        px_per_mm: scale of the original image; lengths in cm are absent without it.
        crop_scale: pixels of `pixels` per pixel of the original image.
        outer_petiole_px: length of the petiole outside the mask in original pixels; None where it is not known.

    Returns:
        The visible characters, and the reasons where characters are absent.

    Raises:
        ValueError: an array has another type, or the two differ in size.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels must be uint8 (H, W, 3), but are {pixels.dtype} {pixels.shape}")
    if mask.dtype != np.bool_ or mask.shape != pixels.shape[:2]:
        raise ValueError(f"mask must be bool {pixels.shape[:2]} like the pixels, but is {mask.dtype} {mask.shape}")
    if not mask.any():
        return MeasuredLeaf(LeafCharacters(), not_measured=NotMeasuredReason.NO_LEAF)
    blade = prepare_blade(pixels, mask)
    if blade.side < MIN_SIDE:
        return MeasuredLeaf(LeafCharacters(), not_measured=NotMeasuredReason.TOO_SMALL)
    axis, straight = _straighten_blade(blade)
    evidence = Evidence(axis.symmetry, blade.solidity)
    if evidence.simple < MIN_SIMPLE:
        return MeasuredLeaf(LeafCharacters(), not_measured=NotMeasuredReason.NOT_SIMPLE)
    straight, scores, leaning = _turn_apex_up(straight)
    extent = find_extent(straight)
    ends_clear = leaning >= MIN_LEAN
    if not ends_clear:
        straight, scores, extent, ends_clear = _turn_petiole_down(straight, scores, extent)
    if extent.length < MIN_SIDE / 2:
        return MeasuredLeaf(LeafCharacters(), not_measured=NotMeasuredReason.NO_MIDRIB)
    form = measure_form(straight, extent)
    if form.asymmetry > MAX_ASYMMETRY:
        return MeasuredLeaf(LeafCharacters(), not_measured=NotMeasuredReason.NOT_SIMPLE)
    halves = half_blades(scores, straight.blade, straight.column)
    paths = [vein_paths(half, extent.apex, extent.base) for half in halves]
    veins = count_veins(paths[0], paths[1], extent.length)
    evidence = evidence.with_veins(veins, leaning)
    no_veins = why_no_veins(evidence, veins)
    scale = Scale(straight.scale * blade.scale * crop_scale, px_per_mm)
    characters = LeafCharacters(
        **form_characters(form, extent, scale, axis),
        **(end_characters(form, extent, axis) if ends_clear else {}),
        **(petiole_characters(extent, scale, outer_petiole_px) if ends_clear else {}),
        **({} if no_veins else vein_characters(veins, extent, evidence)),
    )
    lines = _lines_over(blade, straight, extent, None if no_veins else veins)
    return MeasuredLeaf(characters, lines, no_veins=no_veins)


def _straighten_blade(blade: Blade) -> tuple[Axis, StraightBlade]:
    """Straighten the blade along its midrib.

    Where the halves are uneven although the outline is symmetric, a ridge beside the midrib was followed: the midrib is
    then taken from the outline alone.
    """
    axis, course = find_midrib(blade)
    straight = straighten(blade, course)
    column = straight.column
    left, right = (float(half.sum()) for half in (straight.blade[:, :column], straight.blade[:, column + 1 :]))
    if axis.symmetry > _MIN_SYMMETRY and abs(left - right) > _MAX_HALF_DIFFERENCE * (left + right):
        straight = straighten(blade, find_midrib(blade, by_outline=True)[1])
    return axis, straight


def _turn_apex_up(straight: StraightBlade) -> tuple[StraightBlade, NDArray[np.float32], float]:
    """Turn the blade so that its veins rise; return it with its vein scores and how clearly they rise."""
    rows = np.flatnonzero(straight.blade.any(axis=1))
    near = slice(max(0, int(rows[0]) - 16), int(rows[-1]) + 17)  # saves time: there are no veins beyond the blade
    scores = np.zeros((12, *straight.blade.shape), np.float32)
    scores[:, near] = vein_scores(straight.grey[near], straight.blade[near])
    leaning = vein_lean(scores, straight)
    if leaning < 0:
        return straight.rotated_180(), np.ascontiguousarray(scores[:, ::-1, ::-1]), -leaning
    return straight, scores, leaning


def _turn_petiole_down(
    straight: StraightBlade, scores: NDArray[np.float32], extent: Extent
) -> tuple[StraightBlade, NDArray[np.float32], Extent, bool]:
    """Turn the blade so that its petiole points down, for blades whose veins do not show the apex.

    Returns:
        Blade, vein scores, extent, and whether the petiole is clear.
    """
    turned = straight.rotated_180()
    other = find_extent(turned)
    below, above = (each.petiole_end - each.base for each in (extent, other))
    clear = max(below, above) > _MIN_PETIOLE * extent.length and max(below, above) > 2 * min(below, above)
    if above > below:
        return turned, np.ascontiguousarray(scores[:, ::-1, ::-1]), other, clear
    return straight, scores, extent, clear


def _lines_over(blade: Blade, straight: StraightBlade, extent: Extent, veins: VeinCount | None) -> Lines:
    """Map what was measured on the straightened blade to the input image."""

    def to_input(points: list[tuple[float, float]] | Points) -> Points:
        return blade.to_crop(straight.to_working(np.asarray(points, np.float64)))

    def margins(row: float) -> tuple[tuple[float, float], tuple[float, float]]:
        nearest = int(np.clip(round(row), 0, len(extent.left) - 1))
        return (straight.column - extent.left[nearest], row), (straight.column + extent.right[nearest], row)

    column = float(straight.column)
    apex, base = (column, float(extent.apex)), (column, float(extent.base))
    above, below = (margins(extent.base - share * extent.length) for share in (0.75, 0.25))
    rows = np.linspace(extent.apex, extent.base, _LINE_POINTS)
    left, right = (extent.apex + int(np.argmax(half[extent.apex :])) for half in (extent.left, extent.right))
    return Lines(
        midrib=to_input(np.stack([np.full(_LINE_POINTS, column), rows], axis=1)),
        left=tuple(to_input(_across(path, straight.column, -1)) for path in veins.left) if veins else (),
        right=tuple(to_input(_across(path, straight.column, 1)) for path in veins.right) if veins else (),
        widest=to_input(
            [(column - extent.left[left], left), (column, left), (column, right), (column + extent.right[right], right)]
        ),
        apex_angle=to_input([above[0], apex, above[1]]),
        base_angle=to_input([below[0], base, below[1]]),
    )


def _across(path: VeinPath, column: int, side: int) -> Points:
    """Return the points of a path as columns and rows of the whole straightened blade."""
    return np.stack([column + side * path.points[:, 0], path.points[:, 1]], axis=1)
