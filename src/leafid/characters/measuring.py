"""One leaf from pixels to characters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leafid.characters.blade import SMALLEST_SIDE, Blade, working_blade
from leafid.characters.extent import Extent, find_extent, lean
from leafid.characters.form import Form, measure_form
from leafid.characters.midrib import Axis, find_midrib
from leafid.characters.straightening import StraightBlade, straighten
from leafid.characters.values import Described, LeafCharacters, Measured, NotMeasured
from leafid.characters.vein_count import VeinCount, count_veins
from leafid.characters.vein_paths import STEPS, VeinPath, half_blades, vein_paths
from leafid.sheets import vein_scores

Points = NDArray[np.float64]

_LEAST_SIMPLE = 0.5  # of `Evidence.simple`; bundles of leaves and compound leaves stay below
_MOST_ASYMMETRY = 0.35  # of the areas of both halves; beyond it the piece is several leaves, or half of one
_LEAST_PLAUSIBLE = 2.2  # of `Evidence.plausible`; ferns, palms, flowers and torn pieces stay below
_LEAST_LEAN = 0.15  # below this it is not clear which way the veins rise, and so which end is the apex
_LEAST_STRENGTH = 0.16  # mean vein score of the chosen veins; below this nobody sees them
_FEWEST = 3.5  # veins per side, as a mean; fewer are rather a few veins from the base than pinnate venation
_MOST_STEEP = 68.0  # elevation in degrees above which veins run with the midrib, as parallel ones do
_PETIOLE_TELLS = 0.06  # share of the length from which a petiole tells base from apex
_MOST_DOUBT = 2.2  # standard deviation of the number per side


@dataclass(frozen=True)
class Lines:
    """What was measured, as lines over the leaf: points (x, y) in pixels of the image that was given.

    Attributes:
        midrib: [N, 2] from apex to base.
        left: a line [M, 2] for each secondary vein on the left, from the apex downwards.
        right: the same on the right.
        widest: [2, 2] from margin to margin.
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
class Evidence:
    """What the decision rests on, whether veins are said to be seen.

    Attributes:
        midrib: clearness of the midrib, 0..1.
        symmetry: overlap of the outline with its mirror image about the midrib, 0..1.
        solidity: share of its convex hull that the leaf fills, 0..1.
        lean: how clearly the veins rise towards the apex, -1..1.
        strength: mean vein score of the chosen veins, 0..1.
        elevation_deg: their median rise above the perpendicular to the midrib.
        doubt: standard deviation of their number per side.
    """

    midrib: float
    symmetry: float
    solidity: float
    lean: float = 0.0
    strength: float = 0.0
    elevation_deg: float = 0.0
    doubt: float = 0.0

    @property
    def simple(self) -> float:
        """How much the outline is that of one simple leaf: about 0 for anything, 2 for a whole leaf."""
        return (self.symmetry - 0.6) / 0.2 + (self.solidity - 0.8) / 0.1

    @property
    def plausible(self) -> float:
        """How much it is a simple leaf with veins that rise towards its apex: about 0 for anything, 4 for one."""
        return self.simple + (self.lean - 0.2) / 0.2


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
    axis, course = find_midrib(blade)
    evidence = Evidence(axis.clearness, axis.symmetry, blade.solidity)
    if evidence.simple < _LEAST_SIMPLE:
        return MeasuredLeaf(LeafCharacters(), evidence=evidence, not_measured=NotMeasured.NOT_SIMPLE)
    straight, scores, leaning = _apex_up(blade, course)
    extent = find_extent(straight)
    ends_clear = leaning >= _LEAST_LEAN
    if not ends_clear:
        straight, scores, extent, ends_clear = _petiole_down(straight, scores, extent)
    if extent.length < SMALLEST_SIDE / 2:
        return MeasuredLeaf(LeafCharacters(), evidence=evidence, not_measured=NotMeasured.NO_MIDRIB)
    form = measure_form(straight, extent)
    if form.asymmetry > _MOST_ASYMMETRY:
        return MeasuredLeaf(LeafCharacters(), evidence=evidence, not_measured=NotMeasured.NOT_SIMPLE)
    halves = half_blades(scores, straight.blade, straight.column)
    paths = [vein_paths(half, extent.apex, extent.base) for half in halves]
    veins = count_veins(paths[0], paths[1], extent.length)
    evidence = _with_veins(evidence, veins, leaning)
    no_veins = _why_no_veins(evidence, veins)
    sizes = _Sizes(straight.scale * blade.scale * px_scale, px_per_mm)
    characters = LeafCharacters(
        **_form_characters(form, extent, sizes, axis),
        **(_end_characters(form, extent, axis) if ends_clear else {}),
        **(_petiole(extent, sizes, beyond_px) if ends_clear else {}),
        **({} if no_veins else _vein_characters(veins, extent, evidence)),
    )
    lines = _lines(blade, straight, extent, form, None if no_veins else veins)
    return MeasuredLeaf(characters, lines, evidence, no_veins=no_veins)


@dataclass(frozen=True)
class _Sizes:
    """From straightened pixels to the original's, and to cm where the scale is known."""

    scale: float
    px_per_mm: float | None

    def px(self, length: float) -> float:
        return length / self.scale

    def cm(self, length: float) -> float | None:
        return None if self.px_per_mm is None else self.px(length) / self.px_per_mm / 10


def _apex_up(blade: Blade, course: Points) -> tuple[StraightBlade, NDArray[np.float32], float]:
    """Straighten the blade, and turn it so that its veins rise."""
    straight = straighten(blade, course)
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


def _with_veins(evidence: Evidence, veins: VeinCount, leaning: float) -> Evidence:
    chosen = [*veins.left, *veins.right]
    return Evidence(
        evidence.midrib,
        evidence.symmetry,
        evidence.solidity,
        leaning,
        float(np.mean([path.strength for path in chosen])) if chosen else 0.0,
        float(np.median([path.elevation_deg for path in chosen])) if chosen else 0.0,
        max(veins.left_doubt, veins.right_doubt),
    )


def _why_no_veins(evidence: Evidence, veins: VeinCount) -> NotMeasured | None:
    if evidence.strength < _LEAST_STRENGTH or evidence.doubt > _MOST_DOUBT:
        return NotMeasured.VEINS_NOT_VISIBLE
    parallel = evidence.elevation_deg > _MOST_STEEP or evidence.lean < _LEAST_LEAN
    if parallel or len(veins.left) + len(veins.right) < 2 * _FEWEST or evidence.plausible < _LEAST_PLAUSIBLE:
        return NotMeasured.NOT_PINNATE
    return None


def _seen(axis: Axis) -> float:
    """Quality of what depends on the midrib's place."""
    return float(np.clip(min(0.3 + axis.clearness, (axis.symmetry - 0.4) / 0.4), 0.05, 1))


def _number(value: float | None, relative: float, absolute: float, quality: float) -> Measured | None:
    return None if value is None else Measured(value, abs(value) * relative + absolute, quality)


def _form_characters(form: Form, extent: Extent, sizes: _Sizes, axis: Axis) -> dict[str, Any]:
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


def _end_characters(form: Form, extent: Extent, axis: Axis) -> dict[str, Any]:
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


def _petiole(extent: Extent, sizes: _Sizes, beyond_px: float | None) -> dict[str, Any]:
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


def _vein_characters(veins: VeinCount, extent: Extent, evidence: Evidence) -> dict[str, Any]:
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


def _across(path: VeinPath, column: int, side: int) -> Points:
    """A path's points as columns and rows of the whole straightened blade."""
    return np.stack([column + side * path.points[:, 0], path.points[:, 1]], axis=1)


def _lines(blade: Blade, straight: StraightBlade, extent: Extent, form: Form, veins: VeinCount | None) -> Lines:
    def placed(points: list[tuple[float, float]] | Points) -> Points:
        return blade.to_crop(straight.to_working(np.asarray(points, np.float64)))

    def margins(row: float) -> tuple[tuple[float, float], tuple[float, float]]:
        at = int(np.clip(round(row), 0, len(extent.left) - 1))
        return (straight.column - extent.left[at], row), (straight.column + extent.right[at], row)

    apex, base = (float(straight.column), float(extent.apex)), (float(straight.column), float(extent.base))
    above, below = (margins(extent.base - share * extent.length) for share in (0.75, 0.25))
    rows = np.linspace(extent.apex, extent.base, 40)
    return Lines(
        midrib=placed(np.stack([np.full(40, float(straight.column)), rows], axis=1)),
        left=tuple(placed(_across(path, straight.column, -1)) for path in veins.left) if veins else (),
        right=tuple(placed(_across(path, straight.column, 1)) for path in veins.right) if veins else (),
        widest=placed(list(margins(extent.base - form.widest * extent.length))),
        apex_angle=placed([above[0], apex, above[1]]),
        base_angle=placed([below[0], base, below[1]]),
    )
