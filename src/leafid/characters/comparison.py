"""Compare measured characters with the ranges in floras: inside, at the edge or outside, and as one sentence.

A character below full quality never excludes a taxon: it is then said to be unclear.

The likelihood is not a probability of the taxon, and it never changes the network's probability. It measures how well
the leaf fits the ranges. Ranges are soft intervals, because floras describe only the specimens that their authors saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from leafid.characters.ranges import FloraRanges, NumberRange, TermRange, flora_ranges
from leafid.characters.values import FULL_QUALITY, FormTerm, LeafCharacters, Measurement

_SOFT_EDGE = 0.08  # soft edge of a range, as a share of its width (of its mean, where the range is narrow)
_ADJACENT_TERM, _OTHER_TERM = 0.5, 0.1  # likelihood of a form next to those in the flora, and of a form farther away
_MIN_LIKELIHOOD = 0.02  # of one character: a single wrong measurement must not exclude a taxon


class Fit(StrEnum):
    """Position of a character relative to a range."""

    INSIDE = "inside"
    EDGE = "edge"
    UNCLEAR = "unclear"
    """Outside, but not seen clearly enough to exclude the taxon."""
    OUTSIDE = "outside"


@dataclass(frozen=True)
class CharacterFit:
    """One character compared with one range.

    Attributes:
        character: its name.
        fit: position relative to the range.
        range: the flora's range, as text.
        likelihood: 1 inside the range, lower outside; closer to 1 where the character is hardly visible.
    """

    character: str
    fit: Fit
    range: str
    likelihood: float


@dataclass(frozen=True)
class TaxonFit:
    """One leaf compared with the ranges of one taxon.

    Attributes:
        taxon: its name.
        fits: the characters that were measured and that the flora gives.
        likelihood: product over the characters. A character that this flora omits counts with its mean over the other
            taxa, so that omissions are neither rewarded nor punished.
    """

    taxon: str
    fits: tuple[CharacterFit, ...]
    likelihood: float

    def characters_with(self, fit: Fit) -> tuple[CharacterFit, ...]:
        """Return the characters in this position relative to their ranges."""
        return tuple(each for each in self.fits if each.fit is fit)


def compare(characters: LeafCharacters, taxa: Sequence[FloraRanges] | None = None) -> tuple[TaxonFit, ...]:
    """Compare a leaf with the ranges of taxa (by default those of the shipped table), best fit first."""
    compared = flora_ranges() if taxa is None else taxa
    fits = [tuple(_fits(characters, taxon)) for taxon in compared]
    named = {fit.character for each in fits for fit in each}
    # A taxon whose flora omits a character must not win or lose by it: it gets the mean likelihood of the others.
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
        if isinstance(value, Measurement) and name in taxon.numbers:
            fits.append(_number_fit(name, value, taxon.numbers[name]))
        elif isinstance(value, FormTerm) and name in taxon.terms:
            fits.append(_term_fit(name, value, taxon.terms[name]))
    return fits


def _number_fit(name: str, measured: Measurement, given: NumberRange) -> CharacterFit:
    value = measured.value
    beyond = max(given.low - value, value - given.high, 0.0)
    beyond_extremes = max(given.lowest - value, value - given.highest, 0.0)
    soft = _SOFT_EDGE * max(given.high - given.low, 0.5 * (given.high + given.low))
    if beyond == 0:
        fit = Fit.INSIDE
    elif beyond_extremes <= max(measured.uncertainty, soft):
        fit = Fit.EDGE
    else:
        fit = _outside(measured.quality)
    spread = float(np.hypot(measured.uncertainty, soft))
    # A value between the usual range and the extremes is rare, not impossible: that part of the way counts half.
    distance = beyond_extremes + 0.5 * (beyond - beyond_extremes)
    return CharacterFit(
        name, fit, str(given), _tempered(float(np.exp(-0.5 * (distance / spread) ** 2)), measured.quality)
    )


def _term_fit(name: str, form_term: FormTerm, given: TermRange) -> CharacterFit:
    if form_term.value in given.terms:
        return CharacterFit(name, Fit.INSIDE, str(given), 1.0)
    index = given.order.index(form_term.value)
    steps = min(abs(index - given.order.index(term)) for term in given.terms)
    fit, likelihood = (Fit.EDGE, _ADJACENT_TERM) if steps == 1 else (_outside(form_term.quality), _OTHER_TERM)
    return CharacterFit(name, fit, str(given), _tempered(likelihood, form_term.quality))


def _outside(quality: float) -> Fit:
    return Fit.OUTSIDE if quality >= FULL_QUALITY else Fit.UNCLEAR


def _tempered(likelihood: float, quality: float) -> float:
    """Bring the likelihood of a hardly visible character (low quality) close to 1, so that it decides little."""
    return float(max(_MIN_LIKELIHOOD, likelihood) ** quality)


_PHRASES = {
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
_SHORT_NAMES = {
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
    """Describe the characters in a few words: `13 pairs of secondary veins at 50°, length:width 1.7, base rounded`."""
    values = dict(characters.present())
    words = [text.format(values[name].value) for name, text in _PHRASES.items() if name in values]
    return ", ".join(words).replace("veins, at", "veins at") or "no character could be measured"


def describe_fit(characters: LeafCharacters, fits: Sequence[TaxonFit]) -> str:
    """Write one sentence: what was measured, and how it compares with the ranges of each taxon."""
    phrases = [_fit_phrase(fit) for fit in fits if fit.fits]
    if not phrases:
        return f"{describe(characters)}."
    return f"{describe(characters)}: {'; '.join(phrases)}."


def _fit_phrase(fit: TaxonFit) -> str:
    if outside := fit.characters_with(Fit.OUTSIDE):
        return f"outside {fit.taxon} ({_ranges(outside)})"
    if unclear := fit.characters_with(Fit.UNCLEAR):
        return f"too unclear to exclude {fit.taxon} ({_ranges(unclear)})"
    if edge := fit.characters_with(Fit.EDGE):
        return f"at the edge of {fit.taxon} ({_ranges(edge)})"
    pairs = [each for each in fit.fits if each.character == "secondary_vein_pairs"]
    return f"within the ranges of {fit.taxon} ({_ranges(pairs or list(fit.fits[:1]))})"


def _ranges(fits: Sequence[CharacterFit]) -> str:
    return ", ".join(f"{_SHORT_NAMES[fit.character]} {fit.range}" for fit in fits)
