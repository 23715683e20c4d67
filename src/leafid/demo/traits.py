"""Sample the traits of a drawn plant and of its single leaves within the ranges in floras.

A gathering is one plant: its duplicates in several herbaria share the plant's mean traits and its dried colour, and
differ in their leaves. Colour is sampled independently of the taxon, so that it cannot reveal the taxon.
"""

import colorsys
from dataclasses import dataclass
from typing import Literal

import numpy as np

from leafid.demo.taxa import SHAPES, Interval, LeafRanges, leaf_ranges

Face = Literal["adaxial", "abaxial"]
RGB = tuple[float, float, float]


@dataclass(frozen=True)
class LeafTraits:
    """The traits that determine the geometry of one leaf. Lengths in mm, angles in degrees."""

    taxon: str
    length_mm: float
    """Length of the midrib from the insertion of the petiole to the apex."""
    width_mm: float
    shape: str
    widest: float
    """Position of the widest point along the midrib, 0 base to 1 apex."""
    apex_form: str
    tip_mm: float
    base_form: str
    pairs_left: int
    pairs_right: int
    vein_angle_deg: float
    vein_curvature: float
    tertiary_spacing_mm: float
    petiole_mm: float
    undulation: float
    bend_deg: float
    """Change of the midrib's direction from base to apex."""
    asymmetry: float
    """Relative difference of a half-blade's width from half the width."""


@dataclass(frozen=True)
class PlantLook:
    """Appearance of the dried plant; colours are RGB in 0..1."""

    adaxial: RGB
    abaxial: RGB
    vein_contrast: float
    """Positive: veins lighter than the blade; negative: darker."""
    relief: float
    mottle: float
    twig: RGB


@dataclass(frozen=True)
class Plant:
    """The mean traits of one gathering, as positions 0..1 within the taxon's ranges, and its appearance."""

    taxon: str
    size: float
    ratio: float
    form: float
    shape: float
    pairs: float
    angle: float
    curvature: float
    tertiaries: float
    petiole: float
    look: PlantLook


def sample_look(rng: np.random.Generator) -> PlantLook:
    """Sample the dried colours of a plant: olive green to red-brown, independent of the taxon."""
    hue = rng.uniform(0.075, 0.175)
    saturation = rng.uniform(0.22, 0.46)
    value = rng.uniform(0.30, 0.52)
    pale = min(value + rng.uniform(0.08, 0.2), 0.68)
    return PlantLook(
        adaxial=colorsys.hsv_to_rgb(hue, saturation, value),
        abaxial=colorsys.hsv_to_rgb(hue + rng.uniform(-0.005, 0.02), 0.8 * saturation, pale),
        vein_contrast=float(rng.uniform(0.2, 0.5) if rng.random() < 0.75 else rng.uniform(-0.4, -0.2)),
        relief=float(rng.uniform(0.5, 1.0)),
        mottle=float(rng.uniform(0.3, 1.0)),
        twig=colorsys.hsv_to_rgb(rng.uniform(0.05, 0.1), rng.uniform(0.3, 0.5), rng.uniform(0.22, 0.4)),
    )


def sample_plant(taxon: str, rng: np.random.Generator) -> Plant:
    """Sample one plant of a taxon of `DEMO_TAXA`. Middle values are more frequent than extremes, as in nature."""
    size, ratio, form, shape, pairs, angle, curvature, tertiaries, petiole = rng.beta(4, 4, size=9).tolist()
    return Plant(
        taxon=taxon,
        size=size,
        ratio=ratio,
        form=form,
        shape=shape,
        pairs=pairs,
        angle=angle,
        curvature=curvature,
        tertiaries=tertiaries,
        petiole=petiole,
        look=sample_look(rng),
    )


def sample_leaf(plant: Plant, rng: np.random.Generator) -> LeafTraits:
    """Sample a leaf of the plant. Every character lies within the ranges of `leaf_ranges(plant.taxon)`."""
    ranges = leaf_ranges(plant.taxon)

    def near(position: float, spread: float = 0.1) -> float:
        return float(np.clip(position + rng.normal(0, spread), 0, 1))

    shape = _pick(ranges.shapes, near(plant.shape))
    length, width = _sample_size(ranges, shape, near(plant.size), near(plant.ratio))
    low, high = ranges.vein_pairs
    pairs = low + round(near(plant.pairs, 0.05) * (high - low))
    left, right = (int(np.clip(pairs + rng.choice([-1, 0, 0, 1]), low, high)) for _ in range(2))
    apex_form = _pick(ranges.apex_forms, near(plant.form))
    return LeafTraits(
        taxon=plant.taxon,
        length_mm=length,
        width_mm=width,
        shape=shape,
        widest=SHAPES[shape].widest.at(float(rng.random())),
        apex_form=apex_form,
        tip_mm=ranges.apex_tip_mm.at(near(plant.form)) if apex_form == "acuminate" else 0.0,
        base_form=_pick(ranges.base_forms, near(plant.form)),
        pairs_left=left,
        pairs_right=right,
        vein_angle_deg=ranges.vein_angle_deg.at(near(plant.angle, 0.06)),
        vein_curvature=0.5 + 1.5 * near(plant.curvature),
        tertiary_spacing_mm=ranges.tertiary_spacing_mm.at(near(plant.tertiaries)),
        petiole_mm=ranges.petiole_mm.at(near(plant.petiole)),
        undulation=ranges.undulation.at(float(rng.random())),
        bend_deg=float(rng.normal(0, 9)),
        asymmetry=float(np.clip(rng.normal(0, 0.025), -0.07, 0.07)),
    )


def _pick(terms: tuple[str, ...], position: float) -> str:
    return terms[min(int(position * len(terms)), len(terms) - 1)]


def _sample_size(ranges: LeafRanges, shape: str, size: float, ratio: float) -> tuple[float, float]:
    """Return length and width in mm so that both lie in their ranges and their ratio fits the shape."""
    length_to_width = ranges.length_to_width(shape).at(ratio)
    possible = Interval(
        max(ranges.length_mm.low, ranges.width_mm.low * length_to_width),
        min(ranges.length_mm.high, ranges.width_mm.high * length_to_width),
    )
    length = possible.at(size)
    return length, float(np.clip(length / length_to_width, ranges.width_mm.low, ranges.width_mm.high))
