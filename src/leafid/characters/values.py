"""The characters of one leaf: each has a value, an uncertainty and a quality, or is absent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Annotated, get_args, get_type_hints

APEX_FORMS = ("rounded", "obtuse", "acute", "acuminate")
BASE_FORMS = ("cuneate", "obtuse", "rounded", "truncate", "subcordate", "cordate")
BLADE_SHAPES = ("ovate", "elliptic", "obovate")
MARGINS = ("entire", "toothed")


FULL_QUALITY = 0.8
"""Quality from which a character may exclude a taxon: a count of this quality is right within 1 in so many cases."""


@dataclass(frozen=True)
class Measurement:
    """A measured number with its uncertainty.

    Attributes:
        value: in the unit at the end of the character's name.
        uncertainty: standard deviation, in the same unit.
        quality: how clearly the character is visible, 0 (hardly) to 1.
    """

    value: float
    uncertainty: float
    quality: float


@dataclass(frozen=True)
class FormTerm:
    """A form given as a term.

    Attributes:
        value: the term, as in Ellis et al. (2009).
        quality: 0 to 1; low near the limit to the next term and where the character is hardly visible.
    """

    value: str
    quality: float


class NotMeasuredReason(StrEnum):
    """Reason why a leaf or its veins were not measured."""

    NO_LEAF = "no_leaf"
    TOO_SMALL = "too_small"
    CUT_BY_FRAME = "cut_by_frame"
    OVERLAPPED = "overlapped"
    FOLDED = "folded"
    OUTLINE_UNCLEAR = "outline_unclear"
    FORESHORTENED = "foreshortened"
    NOT_SIMPLE = "not_simple"
    NO_MIDRIB = "no_midrib"
    ENDS_OUTSIDE = "ends_outside_image"
    VEINS_NOT_VISIBLE = "veins_not_visible"
    VEINS_UNCERTAIN = "veins_uncertain"
    NOT_PINNATE = "not_pinnate"

    @property
    def words(self) -> str:
        """The reason in words, without capital and full stop."""
        return _REASON_WORDS[self]


_REASON_WORDS = {
    NotMeasuredReason.NO_LEAF: "no leaf was found",
    NotMeasuredReason.TOO_SMALL: "the leaf is too small in the image",
    NotMeasuredReason.CUT_BY_FRAME: "the leaf is cut by the edge of the image: nothing is measured",
    NotMeasuredReason.OVERLAPPED: "something lies over the leaf: nothing is measured",
    NotMeasuredReason.FOLDED: "the leaf is folded or rolled: nothing is measured",
    NotMeasuredReason.OUTLINE_UNCLEAR: "part of the margin does not stand out from its ground: nothing is measured",
    NotMeasuredReason.FORESHORTENED: "one half of the leaf is turned away or hidden: nothing is measured",
    NotMeasuredReason.NOT_SIMPLE: "not a single simple leaf: nothing is measured",
    NotMeasuredReason.NO_MIDRIB: "no midrib was found: nothing is measured",
    NotMeasuredReason.ENDS_OUTSIDE: "base or apex lies outside the image",
    NotMeasuredReason.VEINS_NOT_VISIBLE: "secondary veins are not clear enough to be counted",
    NotMeasuredReason.VEINS_UNCERTAIN: "the number of secondary veins is too unsure: none is given",
    NotMeasuredReason.NOT_PINNATE: "no pinnate venation was recognised: veins are not counted",
}


@dataclass(frozen=True, kw_only=True)
class LeafCharacters:
    """The characters of one leaf. A character that is not visible is None, never a guess."""

    blade_length_cm: Annotated[Measurement | None, "Midrib from base to apex, without petiole; with a known scale."] = (
        None
    )
    blade_width_cm: Annotated[
        Measurement | None,
        "From the outermost point left of the midrib to that on the right, perpendicular to it; with a known scale.",
    ] = None
    blade_length_px: Annotated[Measurement | None, "The length in pixels of the image."] = None
    blade_width_px: Annotated[Measurement | None, "The width in pixels of the image."] = None
    length_width_ratio: Annotated[Measurement | None, "Length by width."] = None
    widest_position: Annotated[Measurement | None, "Where the blade is widest: 0 base, 1 apex."] = None
    blade_shape: Annotated[FormTerm | None, "`ovate`, `elliptic` or `obovate`, by `widest_position`."] = None
    apex_angle_deg: Annotated[
        Measurement | None, "Between the lines from the apex to the margin at 3/4 of the length."
    ] = None
    apex_form: Annotated[FormTerm | None, "`rounded`, `obtuse`, `acute` or `acuminate`."] = None
    apex_tip_share: Annotated[Measurement | None, "Length of an acuminate tip, as a share of the blade's length."] = (
        None
    )
    base_angle_deg: Annotated[
        Measurement | None, "Between the lines from the base to the margin at 1/4 of the length."
    ] = None
    base_form: Annotated[FormTerm | None, "`cuneate`, `obtuse`, `rounded`, `truncate`, `subcordate` or `cordate`."] = (
        None
    )
    base_sinus_share: Annotated[Measurement | None, "Depth of a cordate base, as a share of the blade's length."] = None
    asymmetry: Annotated[Measurement | None, "Difference of the areas of both halves by their sum."] = None
    margin: Annotated[FormTerm | None, "`entire` or `toothed`."] = None
    petiole_cm: Annotated[
        Measurement | None, "Length of the petiole, where both its ends are visible; with a known scale."
    ] = None
    petiole_share: Annotated[Measurement | None, "Length of the petiole, as a share of the blade's length."] = None
    secondary_veins_left: Annotated[
        Measurement | None, "Secondary veins left of the midrib, apex up, followed at least half-way to the margin."
    ] = None
    secondary_veins_right: Annotated[Measurement | None, "The same on the right."] = None
    secondary_vein_pairs: Annotated[Measurement | None, "Mean of both sides."] = None
    secondary_vein_angle_deg: Annotated[Measurement | None, "Mean angle of the secondary veins to the midrib."] = None
    secondary_vein_curvature_deg: Annotated[
        Measurement | None, "How far the veins turn towards the apex from the midrib to half-way."
    ] = None
    secondary_vein_spacing_share: Annotated[
        Measurement | None, "Median distance of neighbouring veins along the midrib, as a share of the blade's length."
    ] = None

    def present(self) -> Iterator[tuple[str, Measurement | FormTerm]]:
        """Iterate over the names and values of the characters that were measured, in order."""
        for field in fields(self):
            value = getattr(self, field.name)
            if value is not None:
                yield field.name, value


@dataclass(frozen=True)
class Character:
    """One column of the table: its name, whether it is a number, its meaning."""

    name: str
    is_number: bool
    description: str


def _characters() -> tuple[Character, ...]:
    hints = get_type_hints(LeafCharacters, include_extras=True)
    listed = []
    for field in fields(LeafCharacters):
        declared, description = get_args(hints[field.name])
        listed.append(Character(field.name, Measurement in get_args(declared), description))
    return tuple(listed)


CHARACTERS = _characters()
"""All characters in the order of `LeafCharacters`, which declares them."""
