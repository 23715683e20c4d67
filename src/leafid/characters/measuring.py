"""One leaf from pixels to characters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.characters.blade import SMALLEST_SIDE, Blade, working_blade
from leafid.characters.evidence import LEAST_LEAN, LEAST_SIMPLE, MOST_ASYMMETRY, Evidence, why_no_veins
from leafid.characters.extent import Extent, find_extent, lean
from leafid.characters.form import measure_form
from leafid.characters.lines import Lines, lines_over
from leafid.characters.midrib import Axis, find_midrib
from leafid.characters.results import (
    Sizes,
    end_characters,
    form_characters,
    petiole_characters,
    vein_characters,
)
from leafid.characters.straightening import StraightBlade, straighten
from leafid.characters.values import LeafCharacters, NotMeasured
from leafid.characters.vein_count import count_veins
from leafid.characters.vein_paths import half_blades, vein_paths
from leafid.sheets import vein_scores

_SYMMETRIC, _UNEVEN = 0.8, 0.25  # symmetry of an outline, and difference of the halves that does not go with it
_PETIOLE_TELLS = 0.06  # share of the length from which a petiole tells base from apex


@dataclass(frozen=True)
class MeasuredLeaf:
    """One leaf.

    Attributes:
        characters: what could be seen.
        lines: the same over the leaf; None where the leaf was not measured.
        evidence: what the decisions rest on; None where nothing was looked at.
        not_measured: why the leaf was not measured at all.
        no_veins: why its veins were not counted, where the rest was measured.
    """

    characters: LeafCharacters
    lines: Lines | None = None
    evidence: Evidence | None = None
    not_measured: NotMeasured | None = None
    no_veins: NotMeasured | None = None


def measure_leaf(
    pixels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    px_per_mm: float | None = None,
    px_scale: float = 1.0,
    beyond_px: float | None = None,
) -> MeasuredLeaf:
    """Measure one leaf that lies anyhow in a picture.

    Args:
        pixels: uint8 RGB (H, W, 3), with the background as it is: its colour tells shadow from leaf.
        mask: True on the leaf, bool (H, W); the petiole may be there or not.
        px_per_mm: scale of the original image; lengths in cm are absent without it.
        px_scale: pixels of `pixels` per pixel of the original image.
        beyond_px: length of the petiole outside the mask, original pixels; None where that is not known.

    Returns:
        The characters that could be seen, and the reasons for those that could not.

    Raises:
        ValueError: the arrays are not of these types or differ in size.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise ValueError(f"pixels must be uint8 (H, W, 3), but are {pixels.dtype} {pixels.shape}")
    if mask.dtype != np.bool_ or mask.shape != pixels.shape[:2]:
        raise ValueError(f"mask must be bool {pixels.shape[:2]} like the pixels, but is {mask.dtype} {mask.shape}")
    if not mask.any():
        return MeasuredLeaf(LeafCharacters(), not_measured=NotMeasured.NO_LEAF)
    blade = working_blade(pixels, mask)
    if blade.side < SMALLEST_SIDE:
        return MeasuredLeaf(LeafCharacters(), not_measured=NotMeasured.TOO_SMALL)
    axis, straight = _straightened(blade)
    evidence = Evidence(axis.clearness, axis.symmetry, blade.solidity)
    if evidence.simple < LEAST_SIMPLE:
        return MeasuredLeaf(LeafCharacters(), evidence=evidence, not_measured=NotMeasured.NOT_SIMPLE)
    straight, scores, leaning = _apex_up(straight)
    extent = find_extent(straight)
    ends_clear = leaning >= LEAST_LEAN
    if not ends_clear:
        straight, scores, extent, ends_clear = _petiole_down(straight, scores, extent)
    if extent.length < SMALLEST_SIDE / 2:
        return MeasuredLeaf(LeafCharacters(), evidence=evidence, not_measured=NotMeasured.NO_MIDRIB)
    form = measure_form(straight, extent)
    if form.asymmetry > MOST_ASYMMETRY:
        return MeasuredLeaf(LeafCharacters(), evidence=evidence, not_measured=NotMeasured.NOT_SIMPLE)
    halves = half_blades(scores, straight.blade, straight.column)
    paths = [vein_paths(half, extent.apex, extent.base) for half in halves]
    veins = count_veins(paths[0], paths[1], extent.length)
    evidence = evidence.with_veins(veins, leaning)
    no_veins = why_no_veins(evidence, veins)
    sizes = Sizes(straight.scale * blade.scale * px_scale, px_per_mm)
    characters = LeafCharacters(
        **form_characters(form, extent, sizes, axis),
        **(end_characters(form, extent, axis) if ends_clear else {}),
        **(petiole_characters(extent, sizes, beyond_px) if ends_clear else {}),
        **({} if no_veins else vein_characters(veins, extent, evidence)),
    )
    lines = lines_over(blade, straight, extent, None if no_veins else veins)
    return MeasuredLeaf(characters, lines, evidence, no_veins=no_veins)


def _straightened(blade: Blade) -> tuple[Axis, StraightBlade]:
    """Straighten the blade; where the course halves it unevenly though its outline is symmetric, by the outline."""
    axis, course = find_midrib(blade)
    straight = straighten(blade, course)
    column = straight.column
    left, right = (float(half.sum()) for half in (straight.blade[:, :column], straight.blade[:, column + 1 :]))
    if axis.symmetry > _SYMMETRIC and abs(left - right) > _UNEVEN * (left + right):
        straight = straighten(blade, find_midrib(blade, by_outline=True)[1])
    return axis, straight


def _apex_up(straight: StraightBlade) -> tuple[StraightBlade, NDArray[np.float32], float]:
    """Turn the blade so that its veins rise; their scores, and how clearly they do."""
    rows = np.flatnonzero(straight.blade.any(axis=1))
    seen = slice(max(0, int(rows[0]) - 16), int(rows[-1]) + 17)  # no veins are looked for beyond the blade
    scores = np.zeros((12, *straight.blade.shape), np.float32)
    scores[:, seen] = vein_scores(straight.grey[seen], straight.blade[seen])
    leaning = lean(scores, straight)
    if leaning < 0:
        return straight.turned(), np.ascontiguousarray(scores[:, ::-1, ::-1]), -leaning
    return straight, scores, leaning


def _petiole_down(
    straight: StraightBlade, scores: NDArray[np.float32], extent: Extent
) -> tuple[StraightBlade, NDArray[np.float32], Extent, bool]:
    """Where veins do not tell apex from base: let the petiole point down, and say whether there is one."""
    turned = straight.turned()
    other = find_extent(turned)
    here, there = (each.petiole_end - each.base for each in (extent, other))
    clear = max(here, there) > _PETIOLE_TELLS * extent.length and max(here, there) > 2 * min(here, there)
    if there > here:
        return turned, np.ascontiguousarray(scores[:, ::-1, ::-1]), other, clear
    return straight, scores, extent, clear
