"""Read the ranges of leaf characters that floras give for each taxon, from the leaf-character table."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from leafid.characters.values import APEX_FORMS, BASE_FORMS, BLADE_SHAPES
from leafid.errors import UsageError
from leafid.shipped import shipped

_NUMBERS = (
    "secondary_vein_pairs",
    "secondary_vein_angle_deg",
    "blade_length_cm",
    "blade_width_cm",
    "petiole_cm",
)
"""Characters given as numbers; the columns of the table have the same names."""


@dataclass(frozen=True)
class NumberRange:
    """The usual range of a number and its extremes; without extremes in the flora, the two are equal."""

    low: float
    high: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        """Write the range as floras do: 11-17."""
        return f"{self.low:g}-{self.high:g}"


@dataclass(frozen=True)
class TermRange:
    """The terms that a flora gives for a form, from the first to the last in their natural order."""

    terms: tuple[str, ...]
    order: tuple[str, ...]

    def __str__(self) -> str:
        """Write the range as floras do: rounded to cordate."""
        return self.terms[0] if len(self.terms) == 1 else f"{self.terms[0]} to {self.terms[-1]}"


@dataclass(frozen=True)
class FloraRanges:
    """Ranges of one taxon, by the name of the character. Characters that the flora omits have no entry."""

    taxon: str
    numbers: dict[str, NumberRange]
    terms: dict[str, TermRange]
    source: str
    """The flora."""


@cache
def flora_ranges() -> tuple[FloraRanges, ...]:
    """Read the ranges of all taxa of ``data/leaf_characters.csv``, in its order."""
    return read_ranges(shipped("data/leaf_characters.csv"))


def read_ranges(table: Path) -> tuple[FloraRanges, ...]:
    """Read a leaf-character table.

    Raises:
        UsageError: some ranges cannot be read; the message lists all of them.
    """
    mistakes: list[str] = []
    taxa = []
    with table.open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened):
            numbers = {}
            for character in _NUMBERS:
                text, extreme = row.get(character) or "", row.get(f"{character}_extreme") or ""
                try:
                    if text:
                        numbers[character] = _number_range(text, extreme or text)
                except ValueError:
                    mistakes.append(f"{row['taxon']}, {character}: {text!r} {extreme!r} is not a range such as 5-17")
            terms = {
                "apex_form": _term_range(row.get("apex") or "", APEX_FORMS),
                "base_form": _term_range(row.get("base") or "", BASE_FORMS),
                "blade_shape": _shape_range(row.get("blade_shape") or ""),
            }
            named = {character: range_ for character, range_ in terms.items() if range_ is not None}
            taxa.append(FloraRanges(row["taxon"], numbers, named, row.get("source") or ""))
    if mistakes:
        raise UsageError("\n".join([f"{table} cannot be used:", *(f"  {mistake}" for mistake in mistakes)]))
    return tuple(taxa)


def _number_range(text: str, extreme: str) -> NumberRange:
    low, high = (float(part) for part in text.split("-"))
    lowest, highest = (float(part) for part in extreme.split("-"))
    if not lowest <= low <= high <= highest:
        raise ValueError(text)
    return NumberRange(low, high, lowest, highest)


def _term_range(text: str, order: tuple[str, ...]) -> TermRange | None:
    """Read `rounded to acuminate` as all terms from the first to the last; other words are ignored."""
    plain = re.sub(r"\(.*?\)", "", text).replace("shortly pointed", "acuminate")
    found = sorted({order.index(word) for word in re.findall(r"[a-z]+", plain) if word in order})
    return TermRange(order[found[0] : found[-1] + 1], order) if found else None


def _shape_range(text: str) -> TermRange | None:
    """Read `ovate to orbicular or elliptic` by the widest point; orbicular and oblong have it in the middle."""
    found = set()
    for word in re.findall(r"[a-z]+", text):
        if word.endswith("obovate"):
            found.add(2)
        elif word.endswith(("ovate", "lanceolate")):
            found.add(0)
        elif word.endswith(("elliptic", "orbicular", "oblong")):
            found.add(1)
    return TermRange(BLADE_SHAPES[min(found) : max(found) + 1], BLADE_SHAPES) if found else None
