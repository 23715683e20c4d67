"""Measured characters beside the ranges of the floras: inside, at the edge or outside, and in one plain sentence.

The likelihood is not a probability of the taxon and is not mixed with the network's score: it says how well the leaf
fits the ranges, with ranges taken as soft intervals, since floras describe what their authors saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from leafid.characters.ranges import FloraRanges, NumberRange, TermRange, flora_ranges
from leafid.characters.values import Described, LeafCharacters, Measured

_SOFT = 0.08  # of a range's width (and of its middle, where it is narrow): a range ends softly over this much
_NEXT_TERM, _OTHER_TERM = 0.5, 0.1  # likelihood of a form beside those of the flora, and of one farther away
_OUTSIDE = 0.02  # likelihood below which no character drags a taxon: one misread character is not everything


class Fit(StrEnum):
    """How a character fits a range."""

    INSIDE = "inside"
    EDGE = "edge"
    OUTSIDE = "outside"


@dataclass(frozen=True)
class CharacterFit:
    """One character beside one range.

    Attributes:
        character: its name.
        fit: where it lies.
        range: the flora's range, as text.
        likelihood: 1 inside, falling outside of the range; drawn towards 1 where the character was hardly seen.
    """

    character: str
    fit: Fit
    range: str
    likelihood: float


@dataclass(frozen=True)
class TaxonFit:
    """A leaf beside the ranges of one taxon.

    Attributes:
        taxon: its name.
        fits: the characters that were measured and are given.
        likelihood: product over the characters; for one that this flora leaves out, the mean of the others' stands.
    """

    taxon: str
    fits: tuple[CharacterFit, ...]
    likelihood: float

    def of(self, fit: Fit) -> tuple[CharacterFit, ...]:
        """The characters that fit so."""
        return tuple(each for each in self.fits if each.fit is fit)


def compare(characters: LeafCharacters, taxa: Sequence[FloraRanges] | None = None) -> tuple[TaxonFit, ...]:
    """Compare a leaf with the ranges of taxa (by default those of the shipped table), best fit first."""
    compared = flora_ranges() if taxa is None else taxa
    fits = [tuple(_fits(characters, taxon)) for taxon in compared]
    named = {fit.character for each in fits for fit in each}
    neutral = {
        name: float(np.mean([fit.likelihood for each in fits for fit in each if fit.character == name]))
        for name in named
    }
    results = []
    for taxon, each in zip(compared, fits, strict=True):
        known = {fit.character: fit.likelihood for fit in each}
        likelihood = float(np.prod([known.get(name, neutral[name]) for name in sorted(named)]))
        results.append(TaxonFit(taxon.taxon, each, likelihood))
    return tuple(sorted(results, key=lambda result: -result.likelihood))


def _fits(characters: LeafCharacters, taxon: FloraRanges) -> list[CharacterFit]:
    fits = []
    for name, value in characters.present():
        if isinstance(value, Measured) and name in taxon.numbers:
            fits.append(_number_fit(name, value, taxon.numbers[name]))
        elif isinstance(value, Described) and name in taxon.terms:
            fits.append(_term_fit(name, value, taxon.terms[name]))
    return fits


def _number_fit(name: str, measured: Measured, given: NumberRange) -> CharacterFit:
    value = measured.value
    beyond = max(given.low - value, value - given.high, 0.0)
    beyond_extremes = max(given.lowest - value, value - given.highest, 0.0)
    soft = _SOFT * max(given.high - given.low, 0.5 * (given.high + given.low))
    if beyond == 0:
        fit = Fit.INSIDE
    elif beyond_extremes <= max(measured.uncertainty, soft):
        fit = Fit.EDGE
    else:
        fit = Fit.OUTSIDE
    spread = float(np.hypot(measured.uncertainty, soft))
    # Between the usual range and the extremes a value is rare, not impossible.
    distance = beyond_extremes + 0.5 * (beyond - beyond_extremes)
    return CharacterFit(name, fit, str(given), _seen(float(np.exp(-0.5 * (distance / spread) ** 2)), measured.quality))


def _term_fit(name: str, described: Described, given: TermRange) -> CharacterFit:
    if described.value in given.terms:
        return CharacterFit(name, Fit.INSIDE, str(given), 1.0)
    at = given.order.index(described.value)
    steps = min(abs(at - given.order.index(term)) for term in given.terms)
    fit, likelihood = (Fit.EDGE, _NEXT_TERM) if steps == 1 else (Fit.OUTSIDE, _OTHER_TERM)
    return CharacterFit(name, fit, str(given), _seen(likelihood, described.quality))


def _seen(likelihood: float, quality: float) -> float:
    """A character that was hardly seen says little."""
    return float(max(_OUTSIDE, likelihood) ** quality)


_SPOKEN = {
    "secondary_vein_pairs": "{:.0f} pairs of secondary veins",
    "secondary_vein_angle_deg": "at {:.0f}°",
    "length_width_ratio": "length:width {:.1f}",
    "blade_length_cm": "blade {:.1f} cm long",
    "blade_width_cm": "{:.1f} cm wide",
    "petiole_cm": "petiole {:.1f} cm",
    "blade_shape": "{}",
    "apex_form": "apex {}",
    "base_form": "base {}",
}
_SHORT = {
    "secondary_vein_pairs": "pairs",
    "secondary_vein_angle_deg": "vein angle",
    "blade_length_cm": "length",
    "blade_width_cm": "width",
    "petiole_cm": "petiole",
    "blade_shape": "shape",
    "apex_form": "apex",
    "base_form": "base",
}


def describe(characters: LeafCharacters) -> str:
    """The characters in a few words: `13 pairs of secondary veins at 50°, length:width 1.7, base rounded`."""
    seen = dict(characters.present())
    words = [text.format(seen[name].value) for name, text in _SPOKEN.items() if name in seen]
    return ", ".join(words).replace("veins, at", "veins at") or "no character could be measured"


def sentence(characters: LeafCharacters, fits: Sequence[TaxonFit]) -> str:
    """One sentence: what was measured, and how it lies to the ranges of each taxon."""
    told = [_told(fit) for fit in fits if fit.fits]
    if not told:
        return f"{describe(characters)}."
    return f"{describe(characters)}: {'; '.join(told)}."


def _told(fit: TaxonFit) -> str:
    for word, where in (("outside", Fit.OUTSIDE), ("at the edge of", Fit.EDGE)):
        if found := fit.of(where):
            return f"{word} {fit.taxon} ({_ranges(found)})"
    pairs = [each for each in fit.fits if each.character == "secondary_vein_pairs"]
    return f"within the ranges of {fit.taxon} ({_ranges(pairs or list(fit.fits[:1]))})"


def _ranges(fits: Sequence[CharacterFit]) -> str:
    return ", ".join(f"{_SHORT[fit.character]} {fit.range}" for fit in fits)
