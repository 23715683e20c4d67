"""The next question in a record: of which taxa, and as text."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from leafid.characters import FULL_QUALITY
from leafid.identify.next_question.choice import judge, next_questions
from leafid.identify.next_question.flora_states import LookedUpCharacter, looked_up_characters
from leafid.identify.record_parts import Candidate, Status
from leafid.trust import UndeterminedReason

if TYPE_CHECKING:
    from leafid.characters import LeafCharacters, MeasuredImage
    from leafid.errors import ImageError

_CREDIBLE = 0.95
_BETWEEN = " | "


def open_taxa(
    status: Status, reason: str | None, candidates: Sequence[Candidate], prediction_set: Sequence[Candidate]
) -> dict[str, float]:
    """Return the taxa that cannot be excluded, with their probabilities; none where no question helps.

    These are the prediction set. Without prediction sets in the bundle, they are the smallest set of candidates whose
    probabilities together reach 0.95. A photo that is unsuitable, or unlike all taxa of the bundle, has none.

    Args:
        status: of the record.
        reason: of the record.
        candidates: of the record.
        prediction_set: of the record.
    """
    if status is not Status.IDENTIFIED and reason != UndeterminedReason.AMBIGUOUS.value:
        return {}
    if prediction_set:
        return {one.scientific_name: one.probability for one in prediction_set}
    found: dict[str, float] = {}
    for one in candidates:
        if sum(found.values()) >= _CREDIBLE:
            break
        found[one.scientific_name] = one.probability
    return found


def shown_by(measured: "MeasuredImage | ImageError | None") -> frozenset[str]:
    """Return what the best leaf of an image shows clearly, see ``clearly_shown``; nothing if none was measured."""
    leaves = getattr(measured, "leaves", ())
    return clearly_shown(leaves[0].characters) if leaves else frozenset()


def clearly_shown(characters: "LeafCharacters") -> frozenset[str]:
    """Return the names of the measured characters that are visible clearly enough to exclude a taxon."""
    return frozenset(name for name, one in characters.present() if one.quality >= FULL_QUALITY)


def question_text(taxa: Mapping[str, float], shown: frozenset[str]) -> str | None:
    """Return the next questions as text, or None.

    Each is ``code: question state (leaves taxa); state (leaves taxa)``; two are separated by ``|``.

    Args:
        taxa: from ``open_taxa``.
        shown: from ``shown_by``.
    """
    return _BETWEEN.join(_one_text(one, taxa) for one in next_questions(taxa, shown=shown)) or None


def questions_in(text: str | None) -> tuple[LookedUpCharacter, ...]:
    """Return the characters that a text from ``question_text`` asks for."""
    codes = [part.partition(":")[0] for part in (text or "").split(_BETWEEN)]
    return tuple(looked_up_characters()[code] for code in codes if code in looked_up_characters())


def _one_text(character: LookedUpCharacter, taxa: Mapping[str, float]) -> str:
    states = []
    for state in character.states:
        left = judge(character, state.name, taxa).left
        named = "all" if len(left) == len(taxa) else ", ".join(left) or "none"
        states.append(f"{state.words} (leaves {named})")
    return f"{character.name}: {character.question} {'; '.join(states)}"
