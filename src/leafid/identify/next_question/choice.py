"""Chooses the characters that separate taxa best, and says which taxa an observation leaves.

A character is as good as the information that its state is expected to give about the taxon: the mutual information of
taxon and state (Lindley 1956, Ann. Math. Stat. 27: 986-1005), which interactive keys use to rank characters. The prior
is the network's probabilities of the taxa that cannot be excluded; a taxon shows each of the states that its floras
allow with equal probability. The gain is above zero exactly if some state speaks against a taxon and not against all.

An observation never changes a probability. It is set beside the network's answer, so that each can check the other.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leafid.identify.next_question.flora_states import (
    Description,
    LookedUpCharacter,
    looked_up_character,
    looked_up_characters,
)

_MIN_GAIN_BITS = 1e-6  # above rounding errors


@dataclass(frozen=True)
class Judgement:
    """What one observation says about taxa.

    Attributes:
        left: taxa whose sources agree with it.
        against: taxa whose sources contradict it, with what these say.
        unknown: those of ``left`` on which no source describes the character.
    """

    left: tuple[str, ...]
    against: Mapping[str, tuple[Description, ...]]
    unknown: tuple[str, ...]


def judge(character: LookedUpCharacter, state: str, taxa: Iterable[str]) -> Judgement:
    """Say which taxa an observed state leaves, and against which it speaks.

    Args:
        character: the character observed.
        state: code of the state observed.
        taxa: names, in the order in which they are returned.

    Raises:
        UsageError: the character has no such state.
    """
    character.state(state)
    names = tuple(taxa)
    left = tuple(name for name in names if state in character.possible(name))
    return Judgement(
        left,
        {name: character.descriptions[name] for name in names if name not in left},
        tuple(name for name in left if name not in character.descriptions),
    )


def taxa_left(observed: Mapping[str, str], taxa: Iterable[str]) -> tuple[str, ...]:
    """Return the taxa that all observations leave.

    Args:
        observed: code of the state by code of the character.
        taxa: names.

    Raises:
        UsageError: there is no such character or state.
    """
    left = tuple(taxa)
    for name, state in observed.items():
        left = judge(looked_up_character(name), state, left).left
    return left


def expected_gain(characters: Sequence[LookedUpCharacter], probabilities: Mapping[str, float]) -> float:
    """Return the expected information about the taxon from the states of characters together, in bits, at least 0.

    Args:
        characters: their states are taken as independent of one another within a taxon.
        probabilities: above 0, by taxon; they need not add up to 1.
    """
    if not probabilities:
        return 0.0
    prior = np.array(list(probabilities.values()))
    prior = prior / prior.sum()
    joint = np.ones((len(prior), 1))  # P(states | taxon): (taxa, combinations of states)
    for character in characters:
        joint = (joint[:, :, None] * _state_probabilities(character, probabilities)[:, None, :]).reshape(len(prior), -1)
    mixed = prior @ joint
    ratio = np.divide(joint, mixed, out=np.ones_like(joint), where=joint > 0)
    return max(0.0, float(np.sum(prior[:, None] * joint * np.log2(ratio))))


def next_questions(
    probabilities: Mapping[str, float], *, shown: Collection[str] = (), asked: Collection[str] = ()
) -> tuple[LookedUpCharacter, ...]:
    """Return the best two characters to look up, best first; fewer if no state of others speaks against a taxon.

    The second is on another organ, so that it can be looked up where the first organ is missing, as stipules often
    are. It is the best one if the first can be seen on every other plant: half of its gain beside the first counts,
    and half of its gain alone.

    Args:
        probabilities: of the taxa that cannot be excluded, by name. Taxa of probability 0 count as 1 in a million.
        shown: measured characters that the photo shows clearly, such as ``secondary_vein_pairs``; they are not asked.
        asked: codes of the characters that were asked already.
    """
    prior = {name: max(probability, 1e-6) for name, probability in probabilities.items()}
    gains = {
        one: expected_gain([looked_up_character(one)], prior)
        for one, character in looked_up_characters().items()
        if character.number not in shown and one not in asked
    }
    useful = [looked_up_character(one) for one, gain in gains.items() if gain >= _MIN_GAIN_BITS]
    if not useful:
        return ()
    first = max(useful, key=lambda one: gains[one.name])  # of equal ones, the first in the table
    others = [one for one in useful if one.organ != first.organ]
    if not others:
        return (first,)
    return first, max(others, key=lambda one: expected_gain([first, one], prior) + gains[one.name])


def _state_probabilities(character: LookedUpCharacter, taxa: Iterable[str]) -> NDArray[np.float64]:
    """Return the probability of each state in each taxon: (taxa, states); rows add up to 1."""
    allowed = [character.possible(taxon) for taxon in taxa]
    rows = np.array([[float(state.name in states) for state in character.states] for states in allowed])
    return np.asarray(rows / rows.sum(1, keepdims=True), np.float64)
