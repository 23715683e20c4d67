"""Characters that a botanist can look up on the plant, their states, and the states that floras give for each taxon.

Three tables are read: ``data/identification_questions.csv`` (characters), ``data/identification_states.csv`` (their
states) and ``data/identification_characters.csv`` (a row for each character, taxon and source). Characters that are
numbers have no rows in the last one: their states are intervals, which are compared with the ranges of
``data/leaf_characters.csv``, extremes included. The limits of the intervals are those at which ranges begin or end.
"""

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from leafid.characters import FloraRanges, flora_ranges
from leafid.errors import UsageError
from leafid.shipped import shipped

QUESTIONS = "data/identification_questions.csv"
STATES = "data/identification_states.csv"
CHARACTERS = "data/identification_characters.csv"


@dataclass(frozen=True)
class CharacterState:
    """One state of a character.

    Attributes:
        name: its code, which is also the name of its drawing.
        words: as a botanist says it.
        drawing: what its drawing shows, for readers who do not see it.
        above: of a number, the lower limit of the interval; -inf without one.
        below: the upper limit; inf without one.
    """

    name: str
    words: str
    drawing: str
    above: float = float("-inf")
    below: float = float("inf")


@dataclass(frozen=True)
class Description:
    """What one flora says about one character of one taxon.

    Attributes:
        states: the states that agree with it.
        words: the flora's words, or its range.
        source: the flora.
    """

    states: frozenset[str]
    words: str
    source: str


@dataclass(frozen=True)
class LookedUpCharacter:
    """A character that is looked up on the plant, not measured on its photo.

    Attributes:
        name: its code.
        organ: the part of the plant that shows it.
        question: in words.
        where: where to look, and with what.
        states: at least two, in order.
        number: the measured character that is the same, such as ``petiole_cm``; None if it is not a number.
        descriptions: what floras say, by taxon. A taxon without an entry agrees with every state.
    """

    name: str
    organ: str
    question: str
    where: str
    states: tuple[CharacterState, ...]
    number: str | None
    descriptions: Mapping[str, tuple[Description, ...]]

    def possible(self, taxon: str) -> frozenset[str]:
        """Return the states that agree with a source on the taxon; all if no source describes the character."""
        described = self.descriptions.get(taxon)
        if not described:
            return frozenset(state.name for state in self.states)
        return frozenset().union(*(description.states for description in described))

    def state(self, name: str) -> CharacterState:
        """Return the state with this code.

        Raises:
            UsageError: there is none.
        """
        for state in self.states:
            if state.name == name:
                return state
        known = ", ".join(state.name for state in self.states)
        raise UsageError(f"{self.name} has no state {name!r}; its states are {known}.")


@cache
def looked_up_characters() -> Mapping[str, LookedUpCharacter]:
    """Read the characters of the shipped tables, by code, in order."""
    return read_characters(shipped(QUESTIONS), shipped(STATES), shipped(CHARACTERS), flora_ranges())


def looked_up_character(name: str) -> LookedUpCharacter:
    """Return a character by its code.

    Raises:
        UsageError: there is none.
    """
    characters = looked_up_characters()
    if name not in characters:
        raise UsageError(f"There is no character {name!r}; the characters are {', '.join(characters)}.")
    return characters[name]


def read_characters(
    questions: Path, states: Path, descriptions: Path, ranges: tuple[FloraRanges, ...]
) -> dict[str, LookedUpCharacter]:
    """Read the three tables.

    Args:
        questions: table of characters.
        states: table of their states.
        descriptions: table of what floras say.
        ranges: for the characters that are numbers.

    Raises:
        UsageError: cells of the tables do not fit together; the message lists all mistakes.
    """
    mistakes: list[str] = []
    states_of: dict[str, list[CharacterState]] = defaultdict(list)
    for row in _rows(states):
        states_of[row["character"]].append(
            CharacterState(
                row["state"],
                row["words"],
                row["drawing"],
                float(row["above"] or "-inf"),
                float(row["below"] or "inf"),
            )
        )
    described: dict[str, dict[str, list[Description]]] = defaultdict(lambda: defaultdict(list))
    for row in _rows(descriptions):
        name, given = row["character"], frozenset(row["states"].split(";"))
        known = {state.name for state in states_of.get(name, ())}
        where = f"{descriptions}: {name} of {row['taxon']}"
        if unknown := sorted(given - known):
            mistakes.append(f"{where}: no states of this character: {', '.join(unknown)}")
        if not row["source"]:
            mistakes.append(f"{where}: has no source")
        described[name][row["taxon"]].append(Description(given, row["words"], row["source"]))
    characters = {}
    for row in _rows(questions):
        name, number = row["character"], row["number"] or None
        if len(states_of[name]) < 2:
            mistakes.append(f"{states}: {name} has fewer than two states")
        if number and name in described:
            mistakes.append(f"{descriptions}: {name} is a number; its ranges stand in data/leaf_characters.csv")
        by_taxon = _from_ranges(number, states_of[name], ranges) if number else described.pop(name, {})
        characters[name] = LookedUpCharacter(
            name,
            row["organ"],
            row["question"],
            row["where"],
            tuple(states_of[name]),
            number,
            {taxon: tuple(each) for taxon, each in by_taxon.items()},
        )
    mistakes += [f"{questions}: {name} is missing" for name in {*described, *states_of} - set(characters)]
    if mistakes:
        raise UsageError("\n".join(["The tables of characters do not fit together:", *sorted(mistakes)]))
    return characters


def _from_ranges(
    number: str, states: list[CharacterState], ranges: tuple[FloraRanges, ...]
) -> dict[str, list[Description]]:
    """Return the intervals that each taxon's range overlaps, extremes included; touching is not enough."""
    found = {}
    for taxon in ranges:
        if number not in taxon.numbers:
            continue
        given = taxon.numbers[number]
        overlapped = frozenset(
            state.name for state in states if given.lowest < state.below and state.above < given.highest
        )
        extremes = f"{given.lowest:g}-{given.highest:g}"
        words = str(given) if extremes == str(given) else f"{given}, extremes {extremes}"
        unit = " cm" if number.endswith("_cm") else ""
        found[taxon.taxon] = [Description(overlapped, words + unit, taxon.source)]
    return found


def _rows(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))
