"""Read the leaf characters of the six drawn taxa from the leaf-character table.

The table gives the ranges in floras. A drawing also needs the values that floras omit. These assumptions are in
`ASSUMED`, here and nowhere else, and are not botanical statements.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache

from leafid.shipped import shipped

DEMO_TAXA: tuple[str, ...] = (
    "Mitragyna speciosa",
    "Mitragyna diversifolia",
    "Mitragyna hirsuta",
    "Mitragyna rotundifolia",
    "Neolamarckia cadamba",
    "Coffea canephora",
)
"""The target and five look-alikes. The three other Thai *Mitragyna* are traded as substitutes; *N. cadamba* was
found in traded powders; *C. canephora* has about as many secondary veins as the target. For all of them the floras give
sizes, number of secondary veins and at least one of apex, base and shape, so that little has to be assumed."""

FAMILY = "Rubiaceae"

APEX_FORMS = ("rounded", "obtuse", "acute", "acuminate")
BASE_FORMS = ("cuneate", "obtuse", "rounded", "truncate", "subcordate", "cordate")

# Values that the floras in the table omit, with the table's column names as keys.
ASSUMED: dict[str, dict[str, str]] = {
    "Mitragyna diversifolia": {"petiole_cm": "0.8-2"},
    "Mitragyna rotundifolia": {"secondary_vein_angle_deg": "35-50"},
    "Neolamarckia cadamba": {"secondary_vein_angle_deg": "45-60"},
    "Coffea canephora": {
        "blade_shape": "elliptic to oblong",
        "base": "cuneate to obtuse",
        "secondary_vein_angle_deg": "50-65",
    },
}

# Distance between ladder-like tertiaries in mm; the floras describe only that of M. speciosa ("fine").
TERTIARY_SPACING_MM = {"Mitragyna speciosa": (1.8, 2.6)}
TERTIARY_SPACING_OTHERS_MM = (2.8, 4.5)

# Wavy margins, relative to the half-width: leaves of Coffea are undulate, the others almost even.
UNDULATION = {"Coffea canephora": (0.012, 0.03)}
UNDULATION_OTHERS = (0.0, 0.012)


@dataclass(frozen=True)
class Interval:
    """A closed range of one character."""

    low: float
    high: float

    def at(self, position: float) -> float:
        """Return the value at `position` in 0..1 of the range."""
        return self.low + position * (self.high - self.low)


@dataclass(frozen=True)
class ShapeTerm:
    """Meaning of a shape term for a drawing: position of the widest point (0 base, 1 apex) and length:width."""

    widest: Interval
    length_to_width: Interval
    fullness: float
    """Exponent of the outline: 2 is an ellipse, more is squarer (oblong)."""


SHAPES: dict[str, ShapeTerm] = {
    "elliptic": ShapeTerm(Interval(0.46, 0.54), Interval(1.45, 2.8), 2.0),
    "slightly ovate": ShapeTerm(Interval(0.42, 0.46), Interval(1.45, 2.0), 2.0),
    "ovate": ShapeTerm(Interval(0.36, 0.42), Interval(1.45, 2.2), 2.0),
    "broadly ovate": ShapeTerm(Interval(0.32, 0.40), Interval(1.2, 1.5), 2.0),
    "slightly obovate": ShapeTerm(Interval(0.54, 0.58), Interval(1.45, 2.0), 2.0),
    "obovate": ShapeTerm(Interval(0.58, 0.66), Interval(1.4, 1.9), 2.0),
    "obovate-elliptic": ShapeTerm(Interval(0.53, 0.60), Interval(1.2, 1.5), 2.0),
    "elliptic-ovate": ShapeTerm(Interval(0.40, 0.46), Interval(1.45, 2.2), 2.0),
    "suborbicular-elliptic": ShapeTerm(Interval(0.45, 0.52), Interval(1.2, 1.45), 2.1),
    "orbicular": ShapeTerm(Interval(0.47, 0.53), Interval(1.0, 1.2), 2.2),
    "oblong": ShapeTerm(Interval(0.47, 0.53), Interval(1.6, 2.8), 2.6),
    "lanceolate": ShapeTerm(Interval(0.30, 0.40), Interval(2.5, 4.0), 1.8),
}


@dataclass(frozen=True)
class LeafRanges:
    """Ranges of leaf characters of one taxon; lengths in mm, angles in degrees to the midrib."""

    taxon: str
    length_mm: Interval
    width_mm: Interval
    shapes: tuple[str, ...]
    apex_forms: tuple[str, ...]
    apex_tip_mm: Interval
    base_forms: tuple[str, ...]
    vein_pairs: tuple[int, int]
    vein_angle_deg: Interval
    petiole_mm: Interval
    tertiary_spacing_mm: Interval
    undulation: Interval

    @property
    def genus(self) -> str:
        """The first word of the name."""
        return self.taxon.split()[0]

    def length_to_width(self, shape: str) -> Interval:
        """Return the length:width range of a shape term, limited to values near the ratio of the taxon's mean sizes."""
        middle = (self.length_mm.low + self.length_mm.high) / (self.width_mm.low + self.width_mm.high)
        term = SHAPES[shape].length_to_width
        low = min(max(term.low, 0.88 * middle), 1.12 * middle)
        high = max(min(term.high, 1.12 * middle), low)
        return Interval(low, high)


def parse_interval(text: str) -> Interval:
    """Read `5-17` or `2.5-5`."""
    low, high = text.split("-")
    return Interval(float(low), float(high))


def parse_shapes(text: str) -> tuple[str, ...]:
    """Read `elliptic to slightly ovate or obovate`; an adverb applies to all words joined by `or`."""
    shapes: list[str] = []
    for part in text.split(" to "):
        adverb = ""
        for word in part.split(" or "):
            adverb = "slightly " if word.startswith("slightly ") else adverb
            shapes.append(word if word.startswith(adverb) else adverb + word)
    return tuple(shapes)


def parse_forms(text: str, order: tuple[str, ...]) -> tuple[str, ...]:
    """Read `rounded to acuminate` as all forms from the first to the last in `order`.

    `truncate` is drawn only if it is named: it lies between rounded and cordate in angle, not in appearance.
    """
    plain = re.sub(r"\(.*\)", "", text).replace("shortly pointed", "acuminate").replace("obtusely ", "")
    ends = sorted(order.index(word.strip().split()[-1]) for word in plain.split(" to "))
    forms = order[ends[0] : ends[-1] + 1]
    return tuple(form for form in forms if form != "truncate" or "truncate" in plain)


def parse_tip(text: str, forms: tuple[str, ...]) -> Interval:
    """Return the length in mm of an acuminate tip: as given (`tip 1-1.8 cm`), else short if called short or blunt."""
    if given := re.search(r"tip ([\d.]+-[\d.]+) cm", text):
        tip = parse_interval(given.group(1))
        return Interval(10 * tip.low, 10 * tip.high)
    if "acuminate" not in forms:
        return Interval(0.0, 0.0)
    return Interval(3.0, 6.0) if re.search("shortly|obtusely", text) else Interval(6.0, 12.0)


@cache
def leaf_ranges(taxon: str) -> LeafRanges:
    """Return the ranges of one of `DEMO_TAXA`.

    Raises:
        KeyError: the table has no row for this taxon.
    """
    with shipped("data/leaf_characters.csv").open(encoding="utf-8", newline="") as table:
        rows = {row["taxon"]: row for row in csv.DictReader(table)}
    row = rows[taxon] | ASSUMED.get(taxon, {})
    length, width, petiole = (
        parse_interval(row[column]) for column in ("blade_length_cm", "blade_width_cm", "petiole_cm")
    )
    pairs = parse_interval(row["secondary_vein_pairs"])
    apex_forms = parse_forms(row["apex"], APEX_FORMS)
    return LeafRanges(
        taxon=taxon,
        length_mm=Interval(10 * length.low, 10 * length.high),
        width_mm=Interval(10 * width.low, 10 * width.high),
        shapes=parse_shapes(row["blade_shape"]),
        apex_forms=apex_forms,
        apex_tip_mm=parse_tip(row["apex"], apex_forms),
        base_forms=parse_forms(row["base"], BASE_FORMS),
        vein_pairs=(int(pairs.low), int(pairs.high)),
        vein_angle_deg=parse_interval(row["secondary_vein_angle_deg"]),
        petiole_mm=Interval(10 * petiole.low, 10 * petiole.high),
        tertiary_spacing_mm=Interval(*TERTIARY_SPACING_MM.get(taxon, TERTIARY_SPACING_OTHERS_MM)),
        undulation=Interval(*UNDULATION.get(taxon, UNDULATION_OTHERS)),
    )
